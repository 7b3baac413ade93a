"""A trained reward model that only looks: scores of token sequences, batched into packed rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModel

from configs.errors import UserError
from model.attention import SEGMENT_ATTENTION
from model.host_memory import return_free
from model.loading import DTYPES, check_model_folder
from model.scorer import PackedScorer
from rl.packing import best_fit

HEAD = "score.weight"


class RewardInference:
    """The folder that DeepSpeedRewardLearner.save_model wrote, on one device."""

    def __init__(self, folder: Path, dtype: str, *, device: str, row_tokens: int) -> None:
        """row_tokens: most tokens of one forward pass; a longer sequence has a pass of its own."""
        check_model_folder(folder)
        attention = "flash_attention_2" if device == "cuda" else SEGMENT_ATTENTION
        backbone = AutoModel.from_pretrained(
            folder, dtype=DTYPES[dtype], attn_implementation=attention
        )
        weight = _head_weight(folder).to(DTYPES[dtype])
        head = nn.Linear(weight.shape[1], 1, bias=False)
        head.weight = nn.Parameter(weight, requires_grad=False)
        self._device = torch.device(device)
        self._row_tokens = row_tokens
        self._scorer = PackedScorer(backbone, head).eval().to(self._device)

    @torch.no_grad()
    def scores(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        """One score per sequence, in order; the same bits for the same list."""
        lengths = [len(each) for each in sequences]
        longest_first = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
        found = [0.0] * len(lengths)
        room = max([self._row_tokens, *lengths])
        for row in best_fit(longest_first, lengths, room):
            tokens = torch.tensor([token for i in row for token in sequences[i]])
            scores_S = self._scorer(tokens.to(self._device), [lengths[i] for i in row])
            for index, score in zip(row, scores_S.tolist(), strict=True):
                found[index] = score
        if self._device.type == "cpu":
            return_free()
        return found

    def offload(self) -> None:
        """To host memory, so that others can use the device."""
        self._scorer.to("cpu")
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def reload(self) -> None:
        self._scorer.to(self._device)


def _head_weight(folder: Path) -> Tensor:
    """[1, D]."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            if HEAD in file.keys():  # noqa: SIM118 (not a mapping)
                return file.get_tensor(HEAD)
    raise UserError(f"{folder}: no {HEAD} in it; it is no reward model")
