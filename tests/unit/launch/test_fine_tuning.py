"""What a fine-tuning run writes down, and what a person sees of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from configs.compose import load_config
from configs.data_sets import ChatData
from configs.errors import UserError
from configs.plan import describe_plan, process_plan, sft_batch_plan
from configs.schema import SftConfig
from launch.console import SFT_CURVES, RunConsole
from launch.fine_tuning import check_same_data
from launch.outcome import print_sft_outcome
from launch.report import write_report
from launch.workers import samplers_and_scorers
from recipes.nano_tokenizer import build_tokenizer
from recipes.sft_data import SequenceSets, load_sequences


def sft_config(*overrides: str) -> SftConfig:
    config = load_config(["recipe=sft", *overrides])
    assert isinstance(config, SftConfig)
    return config


def read(folder: Path, answers: str) -> SequenceSets:
    rows = [{"prompt": "User:1 Assistant:", "completion": answer} for answer in answers]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {}]))
    return load_sequences(ChatData(path=str(path), heldout_rows=0), build_tokenizer(), (1,))


def test_a_restart_must_find_the_same_data(tmp_path: Path) -> None:
    check_same_data(tmp_path, read(tmp_path, "123").summary())
    (tmp_path / "data.json").write_text(json.dumps(read(tmp_path, "123").summary()))
    check_same_data(tmp_path, read(tmp_path, "123").summary())
    with pytest.raises(UserError, match=r"not what the run in .* began with") as caught:
        check_same_data(tmp_path, read(tmp_path, "124").summary())
    assert "\n" not in str(caught.value)


def run_folder(folder: Path) -> Path:
    """As a run of two updates leaves it."""
    (folder / "data.json").write_text(json.dumps(read(folder, "123").summary()))
    (folder / "config.yaml").write_text(yaml.safe_dump({"recipe": {"kind": "sft"}, "seed": 0}))
    (folder / "run.json").write_text(json.dumps([{"attempt": 1, "started": 1.8e9}]))
    lines = [
        {"step": i, "actor/loss": 1.5 / i, "timing_s/step": 1.0, "perf/total_num_tokens": 7.0}
        for i in (1, 2)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "eval").mkdir()
    for version, loss in ((0, 2.0), (2, 0.5)):
        result = {"version": version, "sequences": 4, "loss_tokens": 9, "loss": loss}
        (folder / "eval" / f"loss-{version:06d}.json").write_text(json.dumps(result))
    return folder


def test_report_and_outcome(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    page = write_report(folder).read_text()
    for fact in ('["Recipe","sft"]', '["Steps","2 of 2"]', '["Tokens","14"]'):
        assert fact in page
    assert "2.0000 → 0.5000" in page
    assert "3 sequences to train on" in page and "1 neither messages nor" in page
    out = io.StringIO()
    print_sft_outcome(folder, folder / "report.html", Console(file=out, width=200))
    assert "0.5000" in out.getvalue() and "4 held-out sequences" in out.getvalue()
    assert "listed in rejected.jsonl" in out.getvalue()


def test_console_shows_the_loss() -> None:
    out = io.StringIO()
    metrics = {"actor/loss": 0.25, "heldout/loss": 0.5, "perf/throughput": 10.0}
    with RunConsole("title", 0, Console(file=out, width=200), curves=SFT_CURVES) as console:
        console.total_steps = 8
        console.steps_begin(0)
        console.step(1, metrics)
    assert "step    1/8  loss 0.250  held-out loss 0.500  10 tok/s" in out.getvalue()


def test_only_the_learner_is_started() -> None:
    assert samplers_and_scorers(sft_config("data=nano_solutions")) == (0, 0)
    assert samplers_and_scorers(load_config(["rollout.samplers=3"])) == (3, 1)


def test_the_plan_of_the_paper(tmp_path: Path) -> None:
    config = sft_config("model=folder", "model.path=m", "data.path=x")
    plan = sft_batch_plan(config)
    assert plan["each update"].startswith("128 sequences of at most 32,768 tokens")
    assert plan["learning rate"] == "5e-05 on a cosine to 5e-06, no warm-up"
    assert set(process_plan(config)) == {"driver", "learner ranks", "threads", "device"}


def test_the_plan_of_the_nano_model() -> None:
    config = sft_config("data=nano_solutions", "recipe.batch_size=100", "recipe.epochs=3")
    assert sft_batch_plan(config)["whole run"] == "3 epochs over 4,096 problems = 120 updates"
    assert "each sampler" not in describe_plan(config)
    assert all(line.startswith("#") for line in describe_plan(config).splitlines())
