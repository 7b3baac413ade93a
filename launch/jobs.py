"""What the commands for started runs do, over the backend of each run."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.compose import from_yaml
from configs.errors import UserError
from configs.pipeline import AnyConfig
from launch.alarms import silence
from launch.backends.base import Backend, Job, JobState
from launch.backends.job import backend_of, read_job, submit
from launch.console import clock
from launch.manifest import read_manifest
from launch.stop import ask_to_stop, stop_asked
from recipes.r1 import STAGES


def describe_run(run_dir: Path) -> dict[str, Any]:
    """What the scheduler and the driver say about a run, as plain data."""
    job = read_job(run_dir)
    backend = backend_of(job.backend)
    state = backend.poll(job)
    backend.fetch(run_dir, job)
    status = _read(run_dir / "status.json", {})
    keys = ("attempt", "started", "ended", "exit_code", "host")
    return {
        "run_dir": str(run_dir),
        "job": asdict(job),
        **asdict(state),
        "phase": status.get("phase"),
        "message": status.get("message"),
        "step": status.get("step", 0),
        "steps": status.get("steps"),
        "updated": status.get("updated"),
        "stop": stop_asked(run_dir) if state.alive else None,
        "alarms": _alarms(status, alive=state.alive),
        "stages": _stages(run_dir),
        "lives": [
            {key: life[key] for key in keys if key in life}
            for life in _read(run_dir / "run.json", [])
        ],
    }


def status(run_dir: Path, *, as_json: bool) -> int:
    run = describe_run(run_dir)
    if as_json:
        print(json.dumps(run, indent=2))
        return 0
    asked = f"; asked to save and end ({run['stop']})" if run["stop"] else ""
    source = f" ({run['source']})" if run["source"] else ""
    print(f"job     {run['job']['backend']} {run['job']['id']}: {run['detail']}{source}{asked}")
    print(f"run     {_progress(run)}")
    if run["message"]:
        print(f"        {run['message']}")
    for alarm in run["alarms"]:
        print(f"alarm   {alarm}")
    for stage in run["stages"]:
        print(f"stage   {stage['name']}: {_of_stage(stage)}")
    for life in run["lives"]:
        state = run["state"] if life is run["lives"][-1] else "ended"
        print(f"life    {life['attempt']} on {life['host']}: {_ending(life, state)}")
    return 0


def ls(folder: Path, *, as_json: bool) -> int:
    found = sorted(path.parent for path in folder.glob("*/job.json"))
    runs = [describe_run(run_dir) for run_dir in found]
    if as_json:
        print(json.dumps(runs, indent=2))
        return 0
    width = max((len(str(run_dir)) for run_dir in found), default=0)
    for run in runs:
        backend, job_id = run["job"]["backend"], run["job"]["id"]
        print(
            f"{run['run_dir']:<{width}}  {backend + ' ' + job_id:<16} {run['state']:<8} "
            f"{_progress(run)}"
        )
    return 0


def logs(run_dir: Path, role: str, *, follow: bool) -> int:
    job = read_job(run_dir)
    for line in backend_of(job.backend).logs(run_dir, job, role, follow=follow):
        print(line, end="", flush=follow)
    return 0


def stop(run_dir: Path) -> int:
    job, backend, _ = _living(run_dir)
    ask_to_stop(run_dir)
    print(backend.signal(run_dir, job))
    return 0


def cancel(run_dir: Path) -> int:
    job, backend, _ = _living(run_dir)
    backend.cancel(run_dir, job)
    print(f"cancelled {job.backend} job {job.id}; `launch resume {run_dir}` continues it")
    return 0


def resume(run_dir: Path) -> int:
    config = _config(run_dir)
    return submit(config.model_copy(update={"run_dir": str(run_dir.resolve())}))


def _config(run_dir: Path) -> AnyConfig:
    path = run_dir / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run_dir}: no run (no config.yaml); name a folder of runs/")
    return from_yaml(path.read_text())


def _living(run_dir: Path) -> tuple[Job, Backend, JobState]:
    job = read_job(run_dir)
    backend = backend_of(job.backend)
    state = backend.poll(job)
    if not state.alive:
        raise UserError(f"{run_dir}: is not running ({state.detail})")
    return job, backend, state


def _progress(run: dict[str, Any]) -> str:
    """training, step 3/40, 12 s ago"""
    if run["phase"] is None:
        return "not started"
    ago = clock(time.time() - run["updated"])
    return f"{run['phase']}, step {run['step'] or 0}/{run['steps'] or '?'}, {ago} ago"


def _alarms(status: dict[str, Any], *, alive: bool) -> list[str]:
    """What the run says, and that it says nothing any more."""
    told = [alarm["text"] for alarm in status.get("alarms", [])]
    silent = silence(status, time.time()) if alive else None
    return [*told, silent.text] if silent else told


def _stages(run_dir: Path) -> list[dict[str, Any]]:
    """Of a pipeline, those that have begun, in the order in which they run."""
    found = []
    for stage in STAGES:
        manifest = read_manifest(run_dir / "stages" / stage.name)
        if manifest is not None:
            state = "made" if manifest.complete else "begun"
            status = _read(run_dir / "stages" / stage.name / "status.json", {})
            progress = {key: status.get(key) for key in ("phase", "step", "steps", "updated")}
            about = {"name": stage.name, "state": state, "seconds": manifest.seconds}
            found.append(about | progress)
    return found


def _of_stage(stage: dict[str, Any]) -> str:
    if stage["state"] == "made":
        return f"made in {clock(stage['seconds'])}"
    return f"begun; {_progress(stage)}"


def _ending(life: dict[str, Any], state: str) -> str:
    """state: of the job, for its last life."""
    if "ended" not in life:
        ago = clock(time.time() - life["started"])
        if state == "running":
            return f"running for {ago}"
        return f"began {ago} ago, " + ("may be running" if state == "unknown" else "was killed")
    lasted = clock(life["ended"] - life["started"])
    return f"exit code {life['exit_code']} after {lasted}"


def _read(path: Path, missing: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else missing
