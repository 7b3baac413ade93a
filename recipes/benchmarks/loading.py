"""The problems of a benchmark, from a local file, from the hub, or made here.

    data.path, else data.folder/NAME.jsonl or NAME.parquet, else the Hugging Face hub

A bad row stops the evaluation: a benchmark without some of its rows is another benchmark.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from configs.errors import UserError
from configs.evaluation import EvalConfig, EvalDataSettings
from recipes.benchmarks.items import Item, Row
from recipes.benchmarks.table import BENCHMARKS, Benchmark, Hub
from recipes.datasets import chat_prompt, nano_question
from recipes.nano_general import PreferenceSet, general_prompts
from recipes.nano_world import draw_problems
from rl.records import Prompt

NANO_PROBLEMS = 256
"""Problems of the nano benchmark when data.problems does not say: those that training evaluates on
by default."""


@dataclass(frozen=True, slots=True)
class Problems:
    """The problems of one benchmark: ids and items."""

    items: list[tuple[str, Item]]
    left_out: int
    """Rows that the benchmark itself marks as broken or out of its time window."""

    @property
    def digest(self) -> str:
        """Of everything that sampling and scoring see."""
        digest = hashlib.sha256()
        for _, item in self.items:
            digest.update(json.dumps([item.question, item.answer]).encode())
        return digest.hexdigest()


def load_problems(name: str, data: EvalDataSettings) -> Problems:
    """All problems, or the first data.problems of them, in the file's order."""
    items: list[Item | None]
    if name in NANO_ITEMS:
        items = [*NANO_ITEMS[name](data.problems or NANO_PROBLEMS)]
    else:
        items = [BENCHMARKS[name].read(row) for row in _rows(name, data)]
    kept = [item for item in items if item is not None]
    if not kept:
        raise UserError(f"benchmark={name}: its data has no usable row ({len(items)} left out)")
    count = data.problems or len(kept)
    return Problems(
        items=[(f"{name}-{index}", item) for index, item in enumerate(kept[:count])],
        left_out=len(items) - len(kept),
    )


def as_prompts(
    name: str, problems: Problems, config: EvalConfig, tokenizer: PreTrainedTokenizerBase
) -> list[Prompt]:
    """The problems as the sampler receives them."""
    if config.template == "chat" and not tokenizer.chat_template:
        raise UserError(
            f"template=chat: the tokenizer in {config.model} has no chat template; take "
            "template=r1_zero, which is for base models"
        )
    render = _chat if config.template == "chat" else _r1_zero
    return [
        _prompt(item_id, item, *render(BENCHMARKS[name], item, tokenizer))
        for item_id, item in problems.items
    ]


def _chat(
    _: Benchmark, item: Item, tokenizer: PreTrainedTokenizerBase
) -> tuple[str, Sequence[int]]:
    return chat_prompt(item.question, tokenizer)


def _r1_zero(
    benchmark: Benchmark, item: Item, tokenizer: PreTrainedTokenizerBase
) -> tuple[str, Sequence[int]]:
    text = benchmark.r1_zero_template.format(question=item.question)
    # The nano world's prompts begin without the begin-of-sentence token, as in its training.
    return text, tokenizer.encode(text, add_special_tokens=benchmark is not BENCHMARKS["nano"])


def _prompt(item_id: str, item: Item, text: str, token_ids: Sequence[int]) -> Prompt:
    return Prompt(item_id, text, tuple(token_ids), item.answer, item.metadata)


def _nano_items(count: int) -> Iterator[Item]:
    for problem in draw_problems(count, heldout=True, seed=0):
        question = nano_question(problem)
        kinds = {"kind": problem.kind, "language": problem.language}
        yield Item(question, problem.answer, (question,), kinds)


def _open_items(count: int, preference_set: PreferenceSet) -> Iterator[Item]:
    prompts = [each for each in general_prompts("heldout") if each.preference_set == preference_set]
    for prompt in prompts[:count]:
        yield Item(prompt.text, "", (prompt.text,), asdict(prompt))


NANO_ITEMS: dict[str, Callable[[int], Iterator[Item]]] = {
    "nano": _nano_items,
    "nano_helpful": partial(_open_items, preference_set="helpfulness"),
    "nano_safety": partial(_open_items, preference_set="safety"),
}
"""Benchmarks whose problems are made here: all held out."""


def _rows(name: str, data: EvalDataSettings) -> Iterator[Row]:
    if data.path:
        path = Path(data.path).expanduser()
        if not path.is_file():
            raise UserError(f"data.path={data.path}: no such file; {how_to_get(name, data.folder)}")
        return read_file(path)
    folder = Path(data.folder).expanduser()
    for suffix in (".jsonl", ".parquet"):
        if (folder / f"{name}{suffix}").is_file():
            return read_file(folder / f"{name}{suffix}")
    hub = BENCHMARKS[name].hub
    if hub is None:
        raise UserError(
            f"benchmark={name}: no file {folder / name}.jsonl or .parquet; "
            f"{how_to_get(name, data.folder)}"
        )
    return _named_rows(name, hub, folder)


def how_to_get(name: str, folder: str) -> str:
    """What a person does about a missing file, in half a sentence."""
    benchmark = BENCHMARKS[name]
    if benchmark.how_to_get or benchmark.hub is None:
        return benchmark.how_to_get
    return (
        f"on a machine with internet run `python -m recipes.benchmarks.export {name} {folder}` "
        "and bring the file here"
    )


def read_file(path: Path) -> Iterator[Row]:
    """The rows of a JSON-lines or Parquet file."""
    if path.suffix == ".parquet":
        try:
            table = pq.read_table(path)
        except pa.ArrowException as error:
            raise UserError(
                f"{path}: cannot be read as Parquet ({error}); export it again"
            ) from error
        for number, values in enumerate(table.to_pylist(), start=1):
            yield Row(values, f"{path}, row {number}")
        return
    if path.suffix != ".jsonl":
        raise UserError(f"{path}: unknown kind of file; give a .jsonl or a .parquet file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Row(_object(line, f"{path}:{number}"), f"{path}:{number}")


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: not UTF-8 (byte {error.start}); save the file as UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(values, dict):
        raise UserError(f"{where}: not a JSON object; every line must be one, {{...}}")
    return values


def _named_rows(name: str, hub: Hub, folder: Path) -> Iterator[Row]:
    try:
        for index, values in enumerate(hub_rows(hub)):
            yield Row(values, f"{hub.name}, row {index}")
    # The hub's libraries pass on what several HTTP clients raise; each of them ends here the same.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"benchmark={name}: no file {folder / name}.jsonl or .parquet, and {hub.name} cannot "
            f"be read from the Hugging Face hub ({reason}); {how_to_get(name, str(folder))}"
        ) from error


def hub_rows(hub: Hub) -> Iterator[dict[str, Any]]:
    """The rows of a data set on the hub; needs a network or its cache."""
    from datasets import get_dataset_config_names, load_dataset

    if hub.files:
        files = [f"hf://datasets/{hub.name}/{file}" for file in hub.files]
        yield from load_dataset("json", data_files=files, split="train", streaming=True)
    elif hub.config == "*":
        for config in get_dataset_config_names(hub.name):
            for values in load_dataset(hub.name, config, split=hub.split):
                yield {"subject": config, **cast(dict[str, Any], values)}
    else:
        yield from cast(Any, load_dataset(hub.name, hub.config or None, split=hub.split))
