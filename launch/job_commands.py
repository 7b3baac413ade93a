"""`launch status`, `ls`, `logs`, `stop`, `cancel`, `resume`: what one does with a started run."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_job_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Nothing heavy is imported before one of them is used."""
    status = _of_a_run(commands, "status", _status, "where a run stands, and its job")
    status.add_argument("--json", action="store_true", help="print JSON")
    logs = _of_a_run(commands, "logs", _logs, "print a log of a run's newest life")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    logs.add_argument(
        "--role", default="", metavar="NAME", help="driver, sampler-0, learner-0 ...; on SLURM also"
        " console (the default), head, worker-1, batch"
    )  # fmt: skip
    _of_a_run(commands, "stop", _stop, "save and end a run after the step that is running")
    _of_a_run(commands, "cancel", _cancel, "end a run now; it continues from its last checkpoint")
    _of_a_run(commands, "resume", _resume, "continue a run with the settings of its folder")
    ls = commands.add_parser("ls", help="list the runs of a folder")
    ls.add_argument("folder", type=Path, nargs="?", default=Path("runs"), metavar="FOLDER")
    ls.add_argument("--json", action="store_true", help="print JSON")
    ls.set_defaults(command=_ls)


def _of_a_run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: object,
    description: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=description)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    parser.set_defaults(command=command)
    return parser


def _status(options: argparse.Namespace) -> int:
    from launch.jobs import status

    return status(options.run_dir, as_json=options.json)


def _ls(options: argparse.Namespace) -> int:
    from launch.jobs import ls

    return ls(options.folder, as_json=options.json)


def _logs(options: argparse.Namespace) -> int:
    from launch.jobs import logs

    return logs(options.run_dir, options.role, follow=options.follow)


def _stop(options: argparse.Namespace) -> int:
    from launch.jobs import stop

    return stop(options.run_dir)


def _cancel(options: argparse.Namespace) -> int:
    from launch.jobs import cancel

    return cancel(options.run_dir)


def _resume(options: argparse.Namespace) -> int:
    from launch.jobs import resume

    return resume(options.run_dir)
