"""What runs in the head pod of a RayJob: `python -m launch.backends.pod` is its entrypoint, and
`python -m launch.backends.pod wait RUN_DIR` what every pod does before it has to go (preStop)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from configs.errors import UserError
from launch.backends.heartbeat import beats, heartbeat, wait_for_silence
from launch.cluster import JOIN
from launch.stop import FILE, stop_asked, withdraw_stop

SETTINGS_VARIABLE = "R1_FOUNDRY_SETTINGS"
"""How the settings get here."""


def main() -> int:
    """One attempt of the run; the exit code decides whether KubeRay starts another one: after any
    but 0."""
    from configs.checks import check_files
    from configs.compose import from_yaml
    from configs.pipeline import EvaluationConfig, PipelineConfig
    from launch.driver import drive
    from launch.run import EXIT_INTERRUPTED, EXIT_USER

    try:
        config = from_yaml(os.environ[SETTINGS_VARIABLE])
        if not isinstance(config, PipelineConfig | EvaluationConfig):  # they check what they open
            check_files(config, in_pods=True)
        run_dir = Path(config.run_dir)
        if beats(run_dir):
            print("waiting for the attempt before to end", flush=True)
            wait_for_silence(run_dir)
        # Whoever asked for it meant the attempt before.
        withdraw_stop(run_dir)
        # Ray sets it for jobs; a driver that finds none starts a Ray of its own.
        if "RAY_ADDRESS" in os.environ:
            os.environ[JOIN] = os.environ["RAY_ADDRESS"]
        with heartbeat(run_dir):
            return drive(config)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USER
    except KeyboardInterrupt:
        print("interrupted: the pod's time is over", file=sys.stderr)
        return EXIT_INTERRUPTED


def wait_for_checkpoint(run_dir: Path) -> None:
    """Ask the driver for a break, and keep this pod's processes until it has taken it. Kubernetes
    ends the wait when the pod's time is over."""
    if beats(run_dir) and stop_asked(run_dir) is None:
        (run_dir / FILE).touch()
    wait_for_silence(run_dir)


if __name__ == "__main__":
    if sys.argv[1:2] == ["wait"]:
        wait_for_checkpoint(Path(sys.argv[2]))
    else:
        sys.exit(main())
