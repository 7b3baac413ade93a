"""The driver of launch.backends.pod without engines: the attempts, the STOP file and the exit codes
are the real ones, and a step of training is a moment's sleep."""

from __future__ import annotations

import os
import sys
import time
from unittest.mock import patch

import launch.run
from configs.schema import RlConfig
from launch.backends.pod import main
from launch.run_folder import RunFolder
from launch.stop import StopAsked, stop_asked

STEP_S = 0.1
KEYS = ("WANDB_API_KEY", "HF_TOKEN")


def train(folder: RunFolder, config: RlConfig, title: str) -> None:
    done = folder.path / "done"
    (folder.log_dir / "sampler-0.log").write_text("sampled\n")
    print(f"keys: {sorted(name for name in os.environ if name in KEYS)}")
    step = int(done.read_text()) if done.exists() else 0
    while step < config.recipe.steps:
        time.sleep(STEP_S)
        step += 1
        done.write_text(str(step))
        folder.write_status(phase="training", step=step, steps=config.recipe.steps)
        print(f"step {step}", flush=True)
        if asked := stop_asked(folder.path):
            raise StopAsked(step, final=asked == "final")
    folder.write_status(phase="finished", step=step)


def show(folder: RunFolder, config: RlConfig) -> None:
    print("the end", flush=True)


if __name__ == "__main__":
    with patch.object(launch.run, "_do", train), patch.object(launch.run, "_show", show):
        sys.exit(main())
