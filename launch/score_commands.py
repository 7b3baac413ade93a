"""`launch eval`, `score`, `sandbox`: scores of stored models and of completions in files."""

from __future__ import annotations

import argparse
from pathlib import Path

_EVAL_EXAMPLES = """examples:
  launch eval runs/r1_zero-nano_v3/final benchmark=nano template=r1_zero max_tokens=64
  launch eval models/r1-distill-1.5b benchmark=aime_2024,math_500 cluster.device=cuda
  launch eval models/r1-distill-1.5b benchmark=gsm8k data.path=gsm8k_test.jsonl samples=8

The same command continues where it stopped. All settings, with their meaning, are in
configs/evaluation.py; all benchmarks in recipes/benchmarks/table.py."""

_SCORE_EPILOG = """kinds, and the fields a row needs (further fields are kept as they are):
  math       prediction, gold, is_answer: true when the prediction is the answer alone, false for
             a whole completion
  code       code, tests: [{"stdin", "stdout"}], or [{"args", "kwargs", "expected"}] with
             entry_point, or ["assert ..."]; optional: language (python, c or cpp), time_limit_s
             and memory_limit_mb of a test, compare (tokens, exact or float:1e-6)
  format     completion, prompt_suffix: what the prompt ends in, "<think>" when it opens the
             thinking, else ""; optional: form (answer_tags, think_tags or soft; answer_tags
             without) and finish_reason (stop or length; stop without)
  language   completion, target: en, zh, ...

Each row comes back with outcome, reward (null: no verdict) and seconds, and with extracted and
detail where there are any. Rows go to standard output in the order of the file, or to --out, which
is replaced only when everything is done; the summary and the progress bar go to standard error.
Bad lines are named there and left out. Exit code: 0; 1 when there were bad lines; 2 a mistake in
the command.

examples:
  launch score language completions.jsonl --out scored.jsonl
  launch score format completions.jsonl | jq .reward"""


def add_score_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Nothing heavy is imported before one of them is used."""
    _add_eval(commands)
    _add_score(commands)
    _add_sandbox(commands)


def _add_eval(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluation = commands.add_parser(
        "eval",
        help="score a stored model on benchmarks, or continue doing so",
        description="Score a stored model on benchmarks, or continue doing so.",
        epilog=_EVAL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluation.add_argument("model", metavar="MODEL", help="the model's folder")
    evaluation.add_argument(
        "words", nargs="*", metavar="key=value", help="benchmark=NAME[,NAME...] and settings"
    )
    evaluation.set_defaults(command=_eval)


def _add_score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    score = commands.add_parser(
        "score",
        help="score the completions in a file",
        description="Score the completions in a file of JSON lines.",
        epilog=_SCORE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    score.add_argument("kind", metavar="KIND", help="math, code, format or language")
    score.add_argument("file", type=Path, metavar="FILE", help="a file of JSON lines")
    score.add_argument("--out", type=Path, metavar="FILE", help="where to; without: to stdout")
    score.add_argument("--strict", action="store_true", help="stop at the first bad line")
    score.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="rows to score at the same time; 1 without",
    )
    score.set_defaults(command=_score)


def _add_sandbox(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sandbox = commands.add_parser("sandbox", help="run untrusted programs for other machines")
    actions = sandbox.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser(
        "serve",
        help="offer this machine's sandbox under SandboxFusion's /run_code",
        description="Offer this machine's sandbox under SandboxFusion's /run_code interface. "
        "Elsewhere: reward.code.backend=remote reward.code.url=http://HOST:PORT",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8080, help="%(default)s; 0: any free one")
    serve.add_argument("--workers", type=int, metavar="N", help="programs at the same time")
    serve.add_argument("--tier", metavar="TIER", help="auto, namespaces, landlock or none")
    serve.add_argument(
        "--token-file", default="", metavar="FILE", help="requests must bear the token in FILE"
    )
    serve.set_defaults(command=_serve_sandbox)


def _eval(options: argparse.Namespace) -> int:
    from configs.compose import load_eval_config
    from configs.errors import UserError
    from configs.evaluation import check_eval

    config = load_eval_config(options.model, options.words)
    if config.cluster.kind != "local":
        raise UserError(
            f"cluster.kind={config.cluster.kind}: launch eval runs on this machine; in a job, "
            f"`launch run r1/evaluation models.NAME.path={options.model} ...` scores models"
        )
    check_eval(config)
    from launch.evaluate import evaluate

    return evaluate(config)


def _score(options: argparse.Namespace) -> int:
    from launch.score import score_file

    return score_file(
        options.kind, options.file, options.out, strict=options.strict, workers=options.workers
    )


def _serve_sandbox(options: argparse.Namespace) -> int:
    from launch.sandbox_server import serve

    given = {"workers": options.workers, "tier": options.tier}
    return serve(
        options.host,
        options.port,
        {name: value for name, value in given.items() if value is not None},
        options.token_file,
    )
