"""The driver of a run or a pipeline. In an allocation it is `python -m launch.driver RUN_DIR`, with
the address of the Ray there in R1_FOUNDRY_RAY; the settings are those that the submitter left in
the run folder."""

from __future__ import annotations

import sys
from pathlib import Path

from configs.compose import from_yaml
from configs.errors import UserError
from configs.pipeline import AnyConfig, PipelineConfig
from launch.pipeline import run_pipeline
from launch.run import EXIT_INTERRUPTED, EXIT_USER, run
from launch.stages import stage_runs


def drive(config: AnyConfig) -> int:
    """All that the settings ask for, from this process; returns the exit code."""
    if isinstance(config, PipelineConfig):
        return run_pipeline(config, stage_runs(config))
    return run(config)


def main(run_dir: Path) -> int:
    config = from_yaml((run_dir / "config.yaml").read_text())
    try:
        return drive(config.model_copy(update={"run_dir": str(run_dir)}))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
