"""The command line: words to settings, mistakes to one line and exit code 2, and nothing heavy
imported before it is needed."""

from __future__ import annotations

import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import launch.driver
from launch.cli import as_overrides, main
from tests.run_folders import make_run

HEAVY = {"torch", "ray", "vllm", "deepspeed", "transformers", "wandb", "datasets"}


def loaded_after(arguments: list[str]) -> tuple[str, set[str]]:
    """Output of `launch ...` in a fresh process, and the top-level modules it has loaded."""
    program = f"""
import sys
from launch.cli import main
try:
    code = main({arguments!r})
except SystemExit as stop:
    code = stop.code
print()
print(code, *{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    output, _, last = done.stdout.rstrip().rpartition("\n")
    code, *modules = last.split()
    assert code == "0", done.stderr
    return output, set(modules)


def test_help_loads_neither_engines_nor_hydra() -> None:
    output, modules = loaded_after(["--help"])
    assert "report" in output
    assert not modules & (HEAVY | {"hydra", "pydantic", "yaml", "rich"})


def test_dry_run_prints_settings_and_plan_and_loads_no_engine(tmp_path: Path) -> None:
    output, modules = loaded_after(
        ["run", "r1_zero", "--dry-run", "seed=7", f"run_dir={tmp_path}/run"]
    )
    assert "seed: 7" in output
    assert "32 prompts x 16 samples = 512 completions" in output
    assert not modules & HEAVY
    assert list(tmp_path.iterdir()) == []


def test_report_loads_no_engine(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    output, modules = loaded_after(["report", str(run)])
    assert output.strip() == str(run / "report.html")
    assert not modules & HEAVY


def test_view_prints_its_address_and_ends_with_an_interrupt(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "launch.cli", "view", str(make_run(tmp_path / "run"))]
    process = subprocess.Popen(
        [*command, "--host", "0.0.0.0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = urlsplit(process.stdout.readline().strip())
    connection = HTTPConnection("127.0.0.1", address.port or 0, timeout=10)
    connection.request("GET", f"/?{address.query}")
    assert connection.getresponse().status == 303
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "stopped; the run goes on\n", "")


def test_a_reader_that_has_enough_ends_the_command_quietly() -> None:
    command = [sys.executable, "-m", "launch.cli", "run", "--dry-run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_bare_first_word_is_the_recipe() -> None:
    assert as_overrides(["r1_zero", "seed=1"]) == ["recipe=r1_zero", "seed=1"]
    assert as_overrides(["recipe=r1_zero"]) == ["recipe=r1_zero"]
    assert as_overrides([]) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "learner.learning_rat=1"], "error: unknown key 'learner.learning_rat'; did you"),
        (["run", "r1_zer"], "error: unknown option recipe=r1_zer; choose one of: distill,"),
        (["run", "learner.mini_batches=7", "--dry-run"], "error: learner.mini_batches=7: must"),
        (["run", "model=folder", "model.path=/nowhere"], "error: model.path=/nowhere: no such"),
        (["eval", "/nowhere", "benchmark=nano"], "error: /nowhere: no such folder; name a Hugging"),
        (["eval", "m", "benchmrk=nano"], "error: unknown key 'benchmrk'; did you mean 'benchmark'"),
        (["plan", "model=folder", "model.path=/nowhere"], "error: model.path=/nowhere: no config"),
        (["plan", "learner.rank=2"], "error: unknown key 'learner.rank'; did you mean"),
        (
            ["run", "cluster=4x8x80", "learner.dtype=bfloat16"],
            "error: cluster.nodes=4: cluster.kind=",
        ),
        (["report", "/nowhere"], "error: /nowhere: not a run folder (no config.yaml)"),
        (["view", "/nowhere"], "error: /nowhere: not a run folder (no config.yaml)"),
        (["bench", "gpt"], "error: unknown model 'gpt'; choose from: nano_v3, smollm2_135m"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith(expected)
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.parametrize("arguments", [["run", "--dry"], ["run", "-x"], ["report", "a", "b"], []])
def test_unknown_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--nonsense"])
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupt_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(config: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch.driver, "drive", interrupted)
    assert main(["run", f"run_dir={tmp_path}/run"]) == 130
    assert capsys.readouterr().err == "interrupted; run the same command again to continue\n"
