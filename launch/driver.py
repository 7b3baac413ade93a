"""The driver of a run in an allocation: `python -m launch.driver RUN_DIR`, with the address of the
Ray there in R1_FOUNDRY_RAY. The settings are those that the submitter left in the run folder."""

from __future__ import annotations

import sys
from pathlib import Path

from configs.compose import from_yaml
from configs.errors import UserError
from configs.pipeline import PipelineConfig
from launch.run import EXIT_INTERRUPTED, EXIT_USER, run


def main(run_dir: Path) -> int:
    config = from_yaml((run_dir / "config.yaml").read_text())
    assert not isinstance(config, PipelineConfig), run_dir
    try:
        return run(config.model_copy(update={"run_dir": str(run_dir)}))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
