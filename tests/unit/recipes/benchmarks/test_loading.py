"""Where rows come from, and what is said when they do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.compose import load_eval_config
from configs.errors import UserError
from configs.evaluation import EvalDataSettings
from recipes.benchmarks.export import export
from recipes.benchmarks.loading import as_prompts, load_problems
from recipes.benchmarks.table import BENCHMARKS
from recipes.nano_tokenizer import build_tokenizer
from recipes.nano_world import draw_problems
from tests.unit.recipes.benchmarks.test_rows import ROWS


def write_jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_jsonl_and_parquet_give_the_same_problems(tmp_path: Path) -> None:
    rows = [ROWS["mmlu"], ROWS["mmlu"] | {"question": "What is hot?", "answer": 0}]
    jsonl = write_jsonl(tmp_path / "a.jsonl", *rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = load_problems("mmlu", EvalDataSettings(path=str(jsonl)))
    assert found == load_problems("mmlu", EvalDataSettings(path=str(tmp_path / "a.parquet")))
    assert [item_id for item_id, _ in found.items] == ["mmlu-0", "mmlu-1"]
    assert [item.answer for _, item in found.items] == ["B", "A"]


def test_the_folder_is_searched_for_the_benchmarks_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "gsm8k.jsonl", ROWS["gsm8k"], ROWS["gsm8k"], ROWS["gsm8k"])
    found = load_problems("gsm8k", EvalDataSettings(folder=str(tmp_path), problems=2))
    assert len(found.items) == 2


def test_rows_left_out_are_counted(tmp_path: Path) -> None:
    broken = ROWS["mmlu_redux"] | {"error_type": "no_correct_answer"}
    path = write_jsonl(tmp_path / "a.jsonl", broken, ROWS["mmlu_redux"], broken)
    found = load_problems("mmlu_redux", EvalDataSettings(path=str(path)))
    assert (len(found.items), found.left_out) == (1, 2)
    path = write_jsonl(tmp_path / "b.jsonl", broken)
    with pytest.raises(UserError, match=r"benchmark=mmlu_redux: its data has no usable row \(1 "):
        load_problems("mmlu_redux", EvalDataSettings(path=str(path)))


def test_the_digest_follows_questions_and_answers(tmp_path: Path) -> None:
    def digest(**changes: object) -> str:
        path = write_jsonl(tmp_path / "a.jsonl", ROWS["mmlu"] | changes)
        return load_problems("mmlu", EvalDataSettings(path=str(path))).digest

    assert digest() == digest()
    assert len({digest(), digest(answer=2), digest(question="Else?")}) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"question": "a"}\n{"questi', r"x\.jsonl:2: not JSON \(Unterminated string"),
        (b'\n\n["a"]\n', r"x\.jsonl:3: not a JSON object"),
        (b'{"question": "\xff\xfe"}\n', r"x\.jsonl:1: not UTF-8 \(byte 14\)"),
        (b"", r"its data has no usable row \(0 left out\)"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    if content.startswith(b'{"question": "a"}'):
        path.write_bytes(json.dumps(ROWS["gsm8k"]).encode() + b"\n" + content.splitlines()[1])
    with pytest.raises(UserError, match=said):
        load_problems("gsm8k", EvalDataSettings(path=str(path)))


def test_no_parquet_inside_and_other_endings(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(UserError, match=r"x\.parquet: cannot be read as Parquet"):
        load_problems("gsm8k", EvalDataSettings(path=str(tmp_path / "x.parquet")))
    (tmp_path / "x.csv").write_text("a,b")
    with pytest.raises(UserError, match=r"x\.csv: unknown kind of file; give a \.jsonl"):
        load_problems("gsm8k", EvalDataSettings(path=str(tmp_path / "x.csv")))


def test_a_missing_file_says_which_and_how_to_get_it(tmp_path: Path) -> None:
    missing = str(tmp_path / "x.jsonl")
    with pytest.raises(UserError) as error:
        load_problems("gsm8k", EvalDataSettings(path=missing))
    assert str(error.value).startswith(f"data.path={missing}: no such file; on a machine with int")
    assert "recipes.benchmarks.export gsm8k benchmarks" in str(error.value)
    with pytest.raises(UserError, match=r"benchmark=codeforces: no file .*codeforces\.jsonl or"):
        load_problems("codeforces", EvalDataSettings(folder=str(tmp_path)))


def test_without_internet_the_hub_is_one_line(tmp_path: Path) -> None:
    """In a process of its own, because the hub's library reads its variables when imported."""
    names = ("gsm8k", "livecodebench", "gpqa_diamond", "c_eval")
    program = f"""
from configs.errors import UserError
from configs.evaluation import EvalDataSettings
from recipes.benchmarks.loading import load_problems
for name in {names!r}:
    try:
        load_problems(name, EvalDataSettings(folder={str(tmp_path)!r}))
    except UserError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
    )
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        hub = BENCHMARKS[name].hub
        assert hub is not None
        assert f"{hub.name} cannot be read from the Hugging Face hub" in line
        assert ("log in" if name == "gpqa_diamond" else f"export {name}") in line


def test_gpqa_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gpqa_diamond: is not exported: its authors ask"):
        export("gpqa_diamond", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nano_problems_are_the_held_out_ones_of_training() -> None:
    found = load_problems("nano", EvalDataSettings(problems=20))
    config = load_eval_config("m", ["benchmark=nano", "template=r1_zero"])
    prompts = as_prompts("nano", found, config, build_tokenizer())
    problems = draw_problems(20, heldout=True, seed=0)
    assert [prompt.text for prompt in prompts] == [problem.prompt for problem in problems]
    assert [prompt.answer for prompt in prompts] == [problem.answer for problem in problems]


def test_the_chat_template_has_no_system_prompt_and_one_begin_token() -> None:
    found = load_problems("nano", EvalDataSettings(problems=1))
    tokenizer = build_tokenizer()
    (prompt,) = as_prompts("nano", found, load_eval_config("m", ["benchmark=nano"]), tokenizer)
    question = found.items[0][1].question
    assert prompt.text == f"<｜begin▁of▁sentence｜><｜User｜>{question}<｜Assistant｜>"
    assert prompt.token_ids.count(0) == 1


def test_a_tokenizer_without_chat_template_is_refused() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = None
    config = load_eval_config("some/model", ["benchmark=nano"])
    found = load_problems("nano", EvalDataSettings(problems=1))
    with pytest.raises(UserError, match="template=chat: the tokenizer in some/model has no chat"):
        as_prompts("nano", found, config, tokenizer)
