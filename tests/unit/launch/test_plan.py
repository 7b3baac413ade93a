"""`launch plan` as a person and as a program sees it."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from configs.compose import load_config
from configs.plan import make_plan
from launch.cli import main
from launch.plan import model_shape, plan_json, print_plan
from tests.unit.configs.plans import DEEPSEEK_V3, QWEN_7B
from tests.unit.launch.test_cli import HEAVY, loaded_after


def printed(words: list[str], width: int) -> list[str]:
    config = load_config(words)
    made = make_plan(config, model_shape(config.model), host_gib=16.0, cores=2)
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    print_plan(made, console)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("words", [[], DEEPSEEK_V3])
def test_it_fits_the_terminal(words: list[str], width: int) -> None:
    lines = printed(words, width)
    assert max(len(line.rstrip()) for line in lines) <= width
    assert not any("…" in line for line in lines)


def test_it_says_what_one_wants_to_know() -> None:
    text = " ".join(" ".join(printed(DEEPSEEK_V3, 200)).split())
    assert "671B parameters (671,026,404,352), 37.6B active per token" in text
    assert "8,192 completions" in text
    assert "GPUs of machines 0-63 8 each; learner ranks 0-511, one per GPU; samplers 0-15" in text
    assert "each GPU, training" in text
    assert "GPU hours" in text


def test_json_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--json", *QWEN_7B]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["shape"]["parameters"] == found["shape"]["active"] == 7_615_616_512
    for process in found["memory"]:
        for phase in ("train", "generate"):
            for where in ("device", "host"):
                parts = [part[phase] for part in process["parts"] if part["where"] == where]
                assert process["totals"][f"{phase}_{where}"] == sum(parts)
    step = found["step"]
    assert step["total"] == pytest.approx(
        step["generate"] + step["log_probs"] + step["update"] + step["sync"]
    )
    assert found["gpu_hours"] == pytest.approx(8 * found["hours"])
    assert found["refusals"] == []


def test_keys_of_the_json() -> None:
    config = load_config([])
    found = plan_json(make_plan(config, model_shape(config.model), host_gib=16.0, cores=2))
    assert sorted(found) == [
        "batch",
        "cautions",
        "demands",
        "gpu_hours",
        "hours",
        "memory",
        "placement",
        "processes",
        "refusals",
        "shape",
        "step",
        "steps",
    ]
    assert sorted(found["memory"][0]) == ["count", "name", "parts", "totals"]


def test_a_refusal_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", *QWEN_7B, "learner.gradient_checkpointing=false"]
    assert main(words) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: does not fit: each GPU while training: ")
    assert output.err.endswith(". Set learner.gradient_checkpointing=true\n")
    assert output.err.count("\n") == 1
    assert "Memory of each process" in output.out
    assert main([*words, "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["refusals"]) == 1


def test_planning_loads_no_engine() -> None:
    output, modules = loaded_after(["plan", *DEEPSEEK_V3, "--json"])
    assert json.loads(output)["shape"]["family"] == "deepseek_v3"
    assert not modules & HEAVY
