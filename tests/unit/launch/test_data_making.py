"""The run that makes data, with solutions from the nano corpus in the place of sampled ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from configs.compose import load_config
from configs.data_sets import ChatData
from configs.errors import UserError
from configs.schema import SampledDataConfig
from launch import data_making
from launch.console import RunConsole
from launch.data_console import print_data_outcome
from launch.data_making import as_rl_config, make_data_in
from launch.run_folder import RunFolder
from launch.stop import StopAsked, ask_to_stop
from recipes.nano_corpus import wild_solution
from recipes.nano_tokenizer import EOS, build_tokenizer
from recipes.nano_world import draw_problems
from recipes.sft_data import load_sequences
from rewards.scoring import Scorer
from rl.records import Completion, Group, Prompt, SamplingSettings
from tests.unit.recipes.chat_server import Reply, chat_server, completion

PROBLEMS = 24
TOKENIZER = build_tokenizer()


class Corpus:
    """Solutions of every quality, as the base model has learnt them; the prompts are kept."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.asked: list[str] = []
        self.breaks_after = PROBLEMS
        problems = draw_problems(PROBLEMS, heldout=False, seed=0)
        self._problems = {f"nano-train-{i}": problem for i, problem in enumerate(problems)}

    def generate(
        self, prompts: Sequence[Prompt], sampling: SamplingSettings, samples: int, _: object
    ) -> list[Group]:
        self.asked += [prompt.id for prompt in prompts]
        if len(self.asked) > self.breaks_after:
            raise KeyboardInterrupt
        return [self._group(prompt, samples, sampling.max_tokens) for prompt in prompts]

    def _group(self, prompt: Prompt, samples: int, max_tokens: int) -> Group:
        rng = random.Random(prompt.id)
        texts = [wild_solution(self._problems[prompt.id], rng) for _ in range(samples)]
        completions = tuple(
            Completion(
                prompt.id, i, text.removesuffix(EOS), tuple(TOKENIZER.encode(text)), (), 0, "stop"
            )
            for i, text in enumerate(texts)
        )
        scores = tuple(self._scorer.score(prompt, each, max_tokens) for each in completions)
        return Group(prompt, completions, scores)


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Corpus]:
    with Scorer(config_of(Path("x"), Path("x")).reward) as scorer:
        made = Corpus(scorer)

        @contextmanager
        def engines(*_: object) -> Iterator[Corpus]:
            yield made

        monkeypatch.setattr(data_making, "_engines", engines)
        yield made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    TOKENIZER.save_pretrained(folder)
    (folder / "config.json").write_text('{"max_position_embeddings": 512}')
    return folder


def config_of(model: Path, run_dir: Path, *words: str) -> SampledDataConfig:
    nano = () if "data=problems" in words else (f"data.train_problems={PROBLEMS}",)
    config = load_config(
        [
            *("recipe=r1/cold_start_data", "model=folder", f"model.path={model}"),
            *("scale=r1/cold_start_data_nano_v3", "rollout.wave_prompts=8"),
            *("rollout.samples_per_prompt=8", "recipe.keep_per_prompt=2"),
            *(f"run_dir={run_dir}", *nano, *words),
        ]
    )
    assert isinstance(config, SampledDataConfig)
    return config


def make(model: Path, run_dir: Path, *words: str) -> Path:
    config = config_of(model, run_dir, *words)
    folder = RunFolder(config)
    folder.begin_attempt()
    with RunConsole("title", 0, curves={}) as console:
        make_data_in(folder, config, console)
    return folder.path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def status(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "status.json").read_text())


def test_every_sample_is_kept_or_listed(
    corpus: Corpus, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = make(model, tmp_path / "run")
    rows, rejected = lines(run_dir / "data.jsonl"), lines(run_dir / "rejected.jsonl")
    counts = json.loads((run_dir / "counts.json").read_text())
    assert len(rows) + len(rejected) == counts["samples"] == 8 * PROBLEMS
    assert 10 <= len(rows) == counts["kept"] == status(run_dir)["rows"]
    reasons = {line["filter"]: line["dropped"] for line in counts["filters"]}
    for reason in ("not well formed", "the answer is not right", "mixed languages"):
        assert reasons[reason] == sum(row["reason"] == reason for row in rejected) > 0
    per_prompt = [row["id"].rpartition("-")[0] for row in rows]
    assert max(map(per_prompt.count, per_prompt)) == 2
    sets = load_sequences(ChatData(path=str(run_dir / "data.jsonl")), TOKENIZER, (1,))
    assert (len(sets.train) + len(sets.heldout), sets.counts()) == (len(rows), {})
    print_data_outcome(run_dir)
    shown = capsys.readouterr().out
    assert "the answer is not right" in shown and f"{len(rows)} rows" in shown


def test_interrupted_it_ends_with_the_same_bytes(
    corpus: Corpus, model: Path, tmp_path: Path
) -> None:
    whole = make(model, tmp_path / "whole")
    corpus.asked, corpus.breaks_after = [], 8
    with pytest.raises(KeyboardInterrupt):
        make(model, tmp_path / "broken")
    assert not (tmp_path / "broken" / "data.jsonl").exists()
    corpus.asked, corpus.breaks_after = [], PROBLEMS
    broken = make(model, tmp_path / "broken")
    assert corpus.asked == [f"nano-train-{i}" for i in range(8, PROBLEMS)]
    for name in ("data.jsonl", "rejected.jsonl", "counts.json"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_it_stops_between_waves_when_asked(corpus: Corpus, model: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    ask_to_stop(tmp_path / "run")
    with pytest.raises(StopAsked, match="stopped after step 1"):
        make(model, tmp_path / "run")
    assert len(corpus.asked) == 8


def test_another_model_or_other_prompts_are_refused(
    corpus: Corpus, model: Path, tmp_path: Path
) -> None:
    make(model, tmp_path / "run")
    (model / "config.json").write_text('{"max_position_embeddings": 511}')
    with pytest.raises(UserError, match=r"another model or other prompts .*model_sha256\)"):
        make(model, tmp_path / "run")


def test_more_tokens_than_positions_are_refused(
    corpus: Corpus, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"rollout\.max_tokens=510: .*model's 512 positions"):
        make(model, tmp_path / "run", "rollout.max_tokens=510")
    assert corpus.asked == []


def test_bad_rows_are_listed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"problem": f"{i}?", "answer": str(i)} for i in range(3)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "{", '{"problem": "a"}']))
    words = [
        *("data=problems", f"data.path={path}", "data.heldout_problems=1"),
        *("data.max_prompt_tokens=5000", "recipe.rewriter.by=none", "rollout.max_tokens=500"),
    ]
    # More than the model's positions, which ends the run before it samples.
    with pytest.raises(UserError, match=r"more than the model's 512 positions"):
        make(model, tmp_path / "run", *words)
    listed = lines(tmp_path / "run" / "rejected_problems.jsonl")
    assert [(row["row"], row["reason"]) for row in listed] == [(4, "not JSON"), (5, "no answer")]
    said = capsys.readouterr().out
    assert "1 rows left out: not JSON" in said
    assert "recipe.rewriter.by=none: rows stay as the model writes them" in said


def test_sampler_actors_get_settings_in_their_shape() -> None:
    config = config_of(Path("m"), Path("r"), "rollout.samples_per_prompt=1", "reward.language=0.5")
    run = as_rl_config(config)
    assert (run.rollout.transfer, run.rollout.max_tokens, run.rollout.samplers) == ("ray", 48, 2)
    assert (run.rollout.dtype, run.cluster.threads, run.seed) == ("float32", 2, config.seed)
    assert run.reward == config.reward


def test_a_review_is_waited_for_and_brought_back(
    corpus: Corpus, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    general = tmp_path / "general.jsonl"
    general.write_text(json.dumps({"messages": turns, "domain": "writing"}))
    words = ["recipe.review=true", f"recipe.general={general}"]
    run_dir = make(model, tmp_path / "run", *words)
    assert status(run_dir)["phase"] == "waiting for the review"
    assert not (run_dir / "data.jsonl").exists()
    print_data_outcome(run_dir, waits=True)
    assert "with recipe.reviewed=FILE" in capsys.readouterr().out
    first, second, third, *rest = lines(run_dir / "review.jsonl")
    second["messages"][1]["content"] += "."
    third["messages"][1]["content"] = "<think>x</think> the answer is 1234"
    rest[-1]["messages"][1]["content"] = "hello there"
    edited = tmp_path / "edited.jsonl"
    edited.write_text("".join(json.dumps(row) + "\n" for row in [second, third, *rest]))
    make(model, run_dir, *words, f"recipe.reviewed={edited}")
    assert status(run_dir)["phase"] == "finished"
    rows = lines(run_dir / "data.jsonl")
    assert [row["id"] for row in rows] == [second["id"], *(row["id"] for row in rest)]
    assert rows[0]["messages"][1]["content"].endswith(".")
    assert (rows[-1]["domain"], rows[-1]["messages"][1]["content"]) == ("writing", "hello there")
    dropped = {row["name"]: row["reason"] for row in lines(run_dir / "rejected.jsonl")}
    assert dropped[first["id"]] == "taken out in the review"
    assert dropped[third["id"]] == "the answer is not right any more after the review"


def test_a_rewriter_that_is_down_loses_nothing(
    corpus: Corpus, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.text_models.RETRIES_S", ())
    words = [
        *("recipe.rewriter.by=endpoint", "recipe.rewriter.model=m"),
        "recipe.rewriter.url=http://127.0.0.1:9/v1",
    ]
    with pytest.raises(UserError, match=r"recipe\.rewriter\.url=http://127\.0\.0\.1:9/v1: no ans"):
        make(model, tmp_path / "run", *words)
    assert len(corpus.asked) == PROBLEMS
    with pytest.raises(UserError, match="run the same command again"):
        make(model, tmp_path / "run", *words)
    assert len(corpus.asked) == PROBLEMS


def test_what_a_rewriter_has_answered_is_not_asked_again(
    corpus: Corpus, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.text_models.RETRIES_S", ())
    corpus.breaks_after = 2 * PROBLEMS
    answered: list[str] = []
    lives_for = 0

    def answer(request: dict[str, Any], _: dict[str, str]) -> Reply:
        if len(answered) == lives_for:
            return 503, b"down"
        question = request["messages"][0]["content"]
        answered.append(question)
        return completion(f"reply {len(question)}")

    def rewritten(run_dir: Path) -> bytes:
        words = ["recipe.rewriter.by=endpoint", "recipe.rewriter.model=m"]
        one_wave = ["rollout.wave_prompts=0", "recipe.rewriter.connections=1"]
        make(model, run_dir, *words, *one_wave, f"recipe.rewriter.url={url}")
        return (run_dir / "rejected.jsonl").read_bytes()

    with chat_server(answer) as url:
        lives_for = 10_000
        whole = rewritten(tmp_path / "whole")
        questions, answered = answered, []
        # It goes down among the questions for the thinking, then among those for the summaries.
        for lives_for in (len(questions) // 4, 3 * len(questions) // 4):
            with pytest.raises(UserError, match="nothing is lost"):
                rewritten(tmp_path / "run")
            assert len(answered) == lives_for
        lives_for = 10_000
        assert rewritten(tmp_path / "run") == whole
    assert answered == questions


def test_a_disk_that_fills_leaves_no_half_file(
    corpus: Corpus, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("launch.data_folder.write_line", full)
        with pytest.raises(OSError, match="No space left"):
            make(model, tmp_path / "run")
    assert not list((tmp_path / "run" / "rows").glob("[0-9]*"))
    corpus.asked = []
    assert len(lines(make(model, tmp_path / "run") / "data.jsonl")) > 0
    assert corpus.asked == []
