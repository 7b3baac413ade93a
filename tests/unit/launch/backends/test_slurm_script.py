"""What the sbatch script does after its driver has ended, with stand-ins for SLURM's commands and
for Python. The real ones are in tests/integration/test_slurm.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from configs.compose import load_config
from launch.backends.slurm import render

COMMANDS = {
    # The program comes after srun's own options; head, worker and driver run side by side.
    "srun": '#!/bin/bash\nwhile [ "$1" != bash ]; do shift; done\nexec "$@"\n',
    "scontrol": '#!/bin/bash\n[ "$1" = show ] && echo localhost && exit\n'
    'echo "$@" >>"$RUN/scontrol"; exit 1\n',
    "hostname": "#!/bin/bash\necho 127.0.0.1\n",
}
PYTHON = """#!{python}
import os, pathlib, socket, sys, time
run = pathlib.Path(os.environ["RUN"])
if sys.argv[2] == "ray.scripts.scripts":
    option = dict(word.split("=", 1) for word in sys.argv if "=" in word)
    server = socket.create_server((option["--node-ip-address"], int(option["--port"])))
    time.sleep(60)
elif sys.argv[2] == "launch.driver":
    {driver}
    sys.exit({code})
"""
BEGIN = "(run / 'run.json').write_text('[\\n  {\\n    \"attempt\": 2\\n  }\\n]')"
END = "(run / 'run.json').write_text('[\\n  {\\n    \"exit_code\": 1\\n  }\\n]')"


def run_script(tmp_path: Path, driver: str, code: int) -> subprocess.CompletedProcess[str]:
    """The script of job 37 on one node. driver: what the driver does before it ends with code."""
    run, commands = tmp_path / "run", tmp_path / "bin"
    run.mkdir()
    commands.mkdir()
    # Of the life before this one, which was killed.
    (run / "run.json").write_text('[\n  {\n    "attempt": 1\n  }\n]')
    os.utime(run / "run.json", (1.0, 1.0))
    python = PYTHON.format(python=sys.executable, driver=driver, code=code)
    for name, text in {**COMMANDS, "python": python}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    script = render(load_config(["cluster=slurm"]), run, str(commands / "python"))
    (tmp_path / "job").write_text(script)
    job = {"SLURM_JOB_ID": "37", "SLURM_JOB_NODELIST": "localhost", "SLURM_JOB_NUM_NODES": "1"}
    return subprocess.run(
        ["bash", str(tmp_path / "job")],
        env=os.environ | job | {"PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("driver", "code", "ends_with", "is_queued_again"),
    [
        pytest.param(BEGIN, 1, 86, True, id="Ray ended it, without a word"),
        pytest.param(END, 1, 1, False, id="an error of the program"),
        pytest.param("pass", 1, 1, False, id="an error before the life began"),
        pytest.param(BEGIN, 86, 86, True, id="a worker is lost"),
        pytest.param(BEGIN, 2, 2, False, id="a mistake of the user"),
    ],
)
def test_a_life_that_was_ended_from_outside_is_followed_by_another(
    tmp_path: Path, driver: str, code: int, ends_with: int, is_queued_again: bool
) -> None:
    done = run_script(tmp_path, driver, code)
    said = done.stdout + done.stderr
    assert done.returncode == ends_with, said
    assert f"the driver ended with {ends_with}" in said
    assert (tmp_path / "run" / "scontrol").exists() == is_queued_again, said


def test_a_range_of_ports_where_another_ray_answers_is_left_to_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 13700)):
        done = run_script(tmp_path, BEGIN, 2)
    assert "Ray at 127.0.0.1:13800" in done.stdout + done.stderr
    assert done.returncode == 2
