"""status, ls, logs, stop and cancel of runs on this machine."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.compose import load_config
from configs.errors import UserError
from launch import jobs
from launch.backends.base import Job
from launch.backends.job import submit, write_job
from launch.backends.local import LocalBackend, _begin
from launch.backends.log_files import follow_log, log_file
from launch.cli import main
from launch.run_folder import RunFolder
from launch.stop import ask_to_stop, stop_asked, withdraw_stop


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Something that runs."""
    running = subprocess.Popen(["sleep", "60"])
    yield running
    running.kill()
    running.wait()


def make_run(run_dir: Path, pid: int) -> RunFolder:
    """The folder of a run in its second life, which the process is said to run."""
    folder = RunFolder(load_config([f"run_dir={run_dir}"]))
    folder.begin_attempt()
    folder.write_status(phase="training", step=2, steps=4)
    folder.end_attempt(86)
    folder.begin_attempt()
    folder.write_status(phase="starting")
    write_job(folder.path, Job("local", str(pid), platform.node(), time.time(), _begin(pid)))
    return folder


def test_status_of_a_running_and_of_a_dead_run(
    tmp_path: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", process.pid)
    assert main(["status", str(folder.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"job     local {process.pid}: process {process.pid} (/proc)"
    # Where it stands stays known while the second life starts.
    assert lines[1].startswith("run     starting, step 2/4, 0:0")
    assert lines[2].startswith("life    1 on") and "exit code 86 after 0:0" in lines[2]
    assert lines[3].startswith("life    2 on") and "running for 0:0" in lines[3]
    process.kill()  # a zombie from here on: nobody has waited for it
    while _begin(process.pid):
        time.sleep(0.01)
    assert main(["status", str(folder.path)]) == 0
    killed = capsys.readouterr().out.splitlines()[3]
    assert re.search(r"life    2 on .*: began 0:0\d ago, was killed", killed)
    assert main(["status", str(folder.path), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["state"], status["phase"], status["step"]) == ("ended", "starting", 2)
    assert [life.get("exit_code") for life in status["lives"]] == [86, None]


def test_another_process_with_the_same_id_is_not_the_run(process: subprocess.Popen[bytes]) -> None:
    job = Job("local", str(process.pid), platform.node(), 0.0, "before this boot")
    assert LocalBackend().poll(job).state == "ended"
    elsewhere = Job("local", str(process.pid), "another-host", 0.0, _begin(process.pid))
    assert LocalBackend().poll(elsewhere).state == "unknown"


def test_ls_names_every_run(
    tmp_path: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "b", process.pid)
    make_run(tmp_path / "a", process.pid)
    (tmp_path / "no-run").mkdir()
    assert jobs.ls(tmp_path, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert all("running" in line and "step 2/4" in line for line in lines)


def test_a_run_in_use_is_not_started_again(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    folder = make_run(tmp_path / "run", process.pid)
    with pytest.raises(UserError, match=f"is in use by local job {process.pid}"):
        submit(load_config([f"run_dir={folder.path}"]))


def test_stop_asks_and_cancel_ends(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    folder = make_run(tmp_path / "run", process.pid)
    assert jobs.stop(folder.path) == 0
    assert stop_asked(folder.path) == "final"
    assert jobs.cancel(folder.path) == 0
    assert process.wait(timeout=10) == -15
    with pytest.raises(UserError, match="is not running"):
        jobs.stop(folder.path)
    with pytest.raises(UserError, match=r"no started run \(no job.json\)"):
        jobs.stop(tmp_path)


def test_who_asked_is_told_apart(tmp_path: Path) -> None:
    assert stop_asked(tmp_path) is None
    (tmp_path / "STOP").write_text("break\n")
    assert stop_asked(tmp_path) == "break"
    ask_to_stop(tmp_path)
    assert stop_asked(tmp_path) == "final"
    withdraw_stop(tmp_path)
    assert stop_asked(tmp_path) is None


def test_logs_name_what_there_is_and_follow_from_life_to_life(tmp_path: Path) -> None:
    folder = RunFolder(load_config([f"run_dir={tmp_path}/run"]))
    folder.begin_attempt()
    (folder.log_dir / "driver.log").write_text("first\n")
    with pytest.raises(UserError, match=r"--role=head: no such log in .*; there are: driver"):
        log_file(folder.path, "head")
    seen: list[str] = []
    ended = threading.Event()
    reader = threading.Thread(
        target=lambda: seen.extend(follow_log(folder.path, "driver", lambda: not ended.is_set()))
    )
    reader.start()
    while not seen:
        time.sleep(0.01)
    folder.begin_attempt()
    (folder.log_dir / "driver.log").write_text("second\n")
    ended.set()
    reader.join(timeout=20)
    assert seen == ["first\n", "second\n"]


def test_alarms_and_silence_are_told(
    tmp_path: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", process.pid)
    told = {"name": "dead_groups", "text": "nothing to learn from"}
    folder.write_status(phase="training", alarms=[told], late_after_s=60.0)
    assert main(["status", str(folder.path)]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "alarm" in line] == [
        "alarm   nothing to learn from"
    ]
    status = json.loads((folder.path / "status.json").read_text())
    status["updated"] = time.time() - 61
    (folder.path / "status.json").write_text(json.dumps(status))
    assert main(["status", str(folder.path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["alarms"]) == 2
    process.kill()  # who has ended is not silent
    while _begin(process.pid):
        time.sleep(0.01)
    assert main(["status", str(folder.path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["alarms"]) == 1
