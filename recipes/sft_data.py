"""Sequences to imitate: train and held-out, with every row that was left out and why."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import overload

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from configs.data_sets import ChatData, NanoSolutions
from configs.errors import UserError
from configs.schema import SftConfig
from recipes.chat_rows import Conversation, Turn, conversations
from recipes.chat_tokens import ChatEncoder, TokenSequence
from recipes.nano_corpus import textbook_solution
from recipes.nano_world import draw_problems
from recipes.row_files import BadRow, Rejected
from rl.records import Sample
from rl.sft import num_updates, sequence


class SequenceStore(Sequence[Sample]):
    """Sequences in 5 bytes per token, made into samples when they are asked for."""

    def __init__(self) -> None:
        self._stored: list[tuple[str, Tensor, Tensor]] = []

    def add(self, name: str, tokens: TokenSequence) -> None:
        ids = torch.tensor(tokens.token_ids, dtype=torch.int32)
        self._stored.append((name, ids, torch.tensor(tokens.is_learnt)))

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        name, token_ids, is_learnt = self._stored[index]
        return sequence(name, token_ids.long(), is_learnt)

    def longest(self) -> int:
        """Tokens of the longest sequence; 0 when there is none."""
        return max((len(token_ids) for _, token_ids, _ in self._stored), default=0)

    def digest_into(self, digest: hashlib._Hash) -> None:
        for _, token_ids, is_learnt in self._stored:
            digest.update(token_ids.numpy().tobytes())
            digest.update(is_learnt.numpy().tobytes())


@dataclass(frozen=True, slots=True)
class SequenceSets:
    """The sequences of a run. No question is in both sets."""

    train: SequenceStore
    heldout: SequenceStore
    rejected: Sequence[Rejected]

    def counts(self) -> dict[str, int]:
        """Reason -> number of rows left out."""
        return dict(Counter(each.reason for each in self.rejected))

    def summary(self) -> Mapping[str, object]:
        """Sizes and a hash of all tokens: what a restart must find again."""
        digest = hashlib.sha256()
        self.train.digest_into(digest)
        self.heldout.digest_into(digest)
        return {
            "train_sequences": len(self.train),
            "heldout_sequences": len(self.heldout),
            "rejected": self.counts(),
            "tokens_sha256": digest.hexdigest(),
        }

    def rejected_json(self) -> str:
        """One line per row that was left out."""
        lines = [json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in self.rejected]
        return "".join(lines)


def load_sequences(
    data: ChatData | NanoSolutions, tokenizer: PreTrainedTokenizerBase, end_ids: Sequence[int]
) -> SequenceSets:
    """All rows, tokenized once and for all, in the order of the data. No good row is no error here;
    `check_enough` says what is too little."""
    encoder = ChatEncoder(tokenizer, end_ids)
    rejected: list[Rejected] = []
    good: list[tuple[Conversation, list[TokenSequence]]] = []
    for row in _rows(data):
        if isinstance(row, Rejected):
            rejected.append(row)
            continue
        try:
            good.append((row, _encode(encoder, row, data.max_tokens)))
        except BadRow as bad:
            rejected.append(Rejected(row.row, bad.reason, bad.detail))
    heldout = _heldout_questions([row for row, _ in good], data)
    train_set, heldout_set = SequenceStore(), SequenceStore()
    for row, sequences in good:
        for each in sequences:
            (heldout_set if row.question in heldout else train_set).add(row.name, each)
    return SequenceSets(train_set, heldout_set, rejected)


def check_enough(sets: SequenceSets, config: SftConfig) -> None:
    """Raises UserError when the run cannot be made with these sequences."""
    num, batch_size = len(sets.train), config.recipe.batch_size
    where = f"data.path={config.data.path}" if isinstance(config.data, ChatData) else "data"
    if not num and not len(sets.heldout):
        reasons = "; ".join(f"{count} {reason}" for reason, count in sets.counts().items())
        raise UserError(f"{where}: no row that can be used ({reasons or 'it is empty'})")
    if num < batch_size:
        raise UserError(
            f"recipe.batch_size={batch_size}: {where} has only {num} sequences to train on beside "
            f"{len(sets.heldout)} held out; lower recipe.batch_size or data.heldout_rows"
        )
    updates, warmup = num_updates(num, config), config.learner.warmup_updates
    if warmup >= updates:
        raise UserError(
            f"learner.warmup_updates={warmup}: must be below the run's {updates} updates"
        )


def _encode(encoder: ChatEncoder, row: Conversation, max_tokens: int) -> list[TokenSequence]:
    sequences = encoder.encode(row)
    longest = max(len(each.token_ids) for each in sequences)
    if longest > max_tokens:
        raise BadRow("longer than data.max_tokens", f"{longest} tokens, at most {max_tokens}")
    return sequences


def _rows(data: ChatData | NanoSolutions) -> Iterator[Conversation | Rejected]:
    if isinstance(data, ChatData):
        return conversations(data)
    return _nano_solutions(data)


def _nano_solutions(data: NanoSolutions) -> Iterator[Conversation]:
    for count, split in ((data.train_problems, "train"), (data.heldout_rows, "heldout")):
        problems = draw_problems(count, heldout=split == "heldout", seed=data.seed)
        for number, problem in enumerate(problems):
            turns = Turn("user", problem.prompt), Turn("assistant", textbook_solution(problem))
            yield Conversation(f"nano-{split}-{number}", turns, plain=True, row=number + 1)


def _heldout_questions(rows: Sequence[Conversation], data: ChatData | NanoSolutions) -> set[str]:
    """Questions whose rows are held out: at least data.heldout_rows rows, if there are."""
    if isinstance(data, NanoSolutions):
        return {row.question for row in rows if row.name.startswith("nano-heldout-")}
    num_rows = Counter(row.question for row in rows)
    chosen: set[str] = set()
    missing = data.heldout_rows
    # The same whatever the order of the rows.
    for question in sorted(num_rows, key=lambda q: hashlib.blake2b(q.encode()).digest()):
        if missing <= 0:
            break
        chosen.add(question)
        missing -= num_rows[question]
    return chosen
