"""`launch check`, `compare`, `metrics`, `dashboard`, `completion`: what helps beside a run."""

from __future__ import annotations

import argparse
from pathlib import Path

_COMPLETION_EXAMPLES = """examples:
  eval "$(launch completion bash)"                              in ~/.bashrc
  eval "$(launch completion zsh)"                               in ~/.zshrc, after compinit
  launch completion fish > ~/.config/fish/completions/launch.fish"""


def add_look_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Nothing heavy is imported before one of them is used."""
    look = commands.add_parser(
        "check",
        help="whether a run could work here: packages, devices, limits, folder, scheduler",
        description="Look at this machine, the run folder, the sandbox, W&B and the scheduler for "
        "what a run would need. Exit code 1 when there is a problem.",
    )
    look.add_argument(
        "words", nargs="*", metavar="RECIPE | key=value", help="the same as for launch run"
    )
    look.set_defaults(command=check)
    two = commands.add_parser(
        "compare",
        help="two runs side by side: settings that differ, evaluations, metrics",
        description="Two runs side by side: the settings that differ, evaluations, metrics. --json "
        "has every metric, with its curve.",
    )
    two.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the folder of a run")
    two.add_argument("other", type=Path, metavar="OTHER_RUN_DIR", help="the folder of another one")
    two.set_defaults(command=_compare)
    names = commands.add_parser(
        "metrics", help="what each metric means, and its name in verl and TRL"
    )
    names.set_defaults(command=_metrics)
    dashboard = commands.add_parser(
        "dashboard", help="save a view with the charts worth looking at in a W&B project"
    )
    dashboard.add_argument("place", metavar="ENTITY/PROJECT", help="as in my-team/r1-foundry")
    dashboard.set_defaults(command=_dashboard)
    shell = commands.add_parser(
        "completion",
        help="a script that completes commands and settings in a shell",
        description="Print a script that completes commands, options, groups and settings.",
        epilog=_COMPLETION_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shell.add_argument("shell", choices=["bash", "zsh", "fish"], help="which shell")
    shell.set_defaults(command=_completion)
    for parser in (look, two, names):
        parser.add_argument("--json", action="store_true", help="print JSON")


def check(options: argparse.Namespace) -> int:
    from configs.compose import load_config
    from configs.pipeline import PipelineConfig
    from launch.cli import as_overrides, as_training
    from launch.doctor.report import check
    from launch.stages import stage_runs

    config = load_config(as_overrides(options.words))
    if isinstance(config, PipelineConfig):  # its first stage asks for what the others do
        first = stage_runs(config)[0].config
        config = first.model_copy(update={"run_dir": config.run_dir})
    return check(as_training(config, "check"), as_json=options.json)


def _compare(options: argparse.Namespace) -> int:
    from launch.compare import compare

    return compare(options.run_dir, options.other, as_json=options.json)


def _metrics(options: argparse.Namespace) -> int:
    from launch.metric_names import print_metrics

    return print_metrics(as_json=options.json)


def _dashboard(options: argparse.Namespace) -> int:
    from launch.dashboard import create_dashboard

    return create_dashboard(options.place)


def _completion(options: argparse.Namespace) -> int:
    from launch.cli import make_parser
    from launch.completion import script

    print(script(options.shell, make_parser()), end="")
    return 0
