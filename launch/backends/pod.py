"""What runs in the head pod of a RayJob: `python -m launch.backends.pod` is its entrypoint, and
`python -m launch.backends.pod wait RUN_DIR` what every pod does before it has to go (preStop)."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from configs.errors import UserError
from launch.stop import FILE, stop_asked, withdraw_stop

SETTINGS_VARIABLE = "R1_FOUNDRY_SETTINGS"
"""How the settings get here."""
POLL_S = 0.5


def main() -> int:
    """One attempt of the run; the exit code decides whether KubeRay starts another one: after any
    but 0."""
    from configs.checks import check_files
    from configs.compose import from_yaml
    from configs.schema import RlConfig, SftConfig
    from launch.run import run

    try:
        config = from_yaml(os.environ[SETTINGS_VARIABLE])
        assert isinstance(config, RlConfig | SftConfig), config.recipe.kind
        check_files(config, in_pods=True)
        # Whoever asked for it meant the attempt before.
        withdraw_stop(Path(config.run_dir))
        return run(config)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2


def wait_for_checkpoint(run_dir: Path) -> None:
    """Ask the driver for a break, and keep this pod's processes until it has taken it. Kubernetes
    ends the wait when the pod's time is over."""
    if not _driver_runs(run_dir):
        return
    if stop_asked(run_dir) is None:
        (run_dir / FILE).touch()
    while _driver_runs(run_dir):
        time.sleep(POLL_S)


def _driver_runs(run_dir: Path) -> bool:
    """As far as the run folder says; a killed driver cannot have said that it ended."""
    path = run_dir / "run.json"
    return path.is_file() and "ended" not in json.loads(path.read_text())[-1]


if __name__ == "__main__":
    if sys.argv[1:2] == ["wait"]:
        wait_for_checkpoint(Path(sys.argv[2]))
    else:
        sys.exit(main())
