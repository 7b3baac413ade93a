"""A slow sampler on plain transformers: the twin that the vLLM sampler is tested against.

One sequence at a time, no cache: every token is a forward pass over everything before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from rl.records import Completion, FinishReason, GenerationRequest, SamplingSettings
from rollout.tokens import completion_text, end_token_ids, load_tokenizer


class ReferenceSampler:
    """Same interface as VllmSampler's; its own random numbers, drawn from the request's seed."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        self.policy_version = 0
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
        self._tokenizer = load_tokenizer(folder)
        self._end_ids = end_token_ids(folder)

    def generate(
        self,
        requests: Sequence[GenerationRequest],
        sampling: SamplingSettings,
        *,
        keep_prefix_cache: bool = False,
    ) -> Iterator[Completion]:
        """keep_prefix_cache changes nothing: there is no cache."""
        for request in requests:
            yield self._complete(request, sampling)

    def sequence_log_probs(self, token_ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-prob of each token given those before it, at temperature 1; 0 at the first."""
        return [self._score(ids) for ids in token_ids]

    def load(self, tensors: Mapping[str, Tensor], version: int) -> None:
        """Take over the values of some parameters and buffers, under this model's own names."""
        self._model.load_state_dict(tensors, strict=False)
        self.policy_version = version

    def _complete(self, request: GenerationRequest, sampling: SamplingSettings) -> Completion:
        generator = torch.Generator().manual_seed(request.seed)
        ids = list(request.prompt.token_ids)
        log_probs: list[float] = []
        finish_reason: FinishReason = "length"
        while len(log_probs) < sampling.max_tokens and finish_reason == "length":
            distribution = processed_log_probs(self._logits(ids)[-1], sampling)
            if sampling.temperature == 0.0:
                token = int(distribution.argmax())
            else:
                token = int(torch.multinomial(distribution.exp(), 1, generator=generator))
            ids.append(token)
            log_probs.append(distribution[token].item())
            if token in self._end_ids:
                finish_reason = "stop"
        completion = tuple(ids[len(request.prompt.token_ids) :])
        return Completion(
            prompt_id=request.prompt.id,
            sample_index=request.sample_index,
            text=completion_text(self._tokenizer, completion, self._end_ids),
            token_ids=completion,
            log_probs=tuple(log_probs),
            policy_version=self.policy_version,
            finish_reason=finish_reason,
        )

    def _score(self, ids: Sequence[int]) -> list[float]:
        log_probs = self._logits(ids)[:-1].log_softmax(-1)
        return [0.0, *log_probs.gather(1, torch.tensor(ids[1:])[:, None]).flatten().tolist()]

    @torch.no_grad()
    def _logits(self, ids: Sequence[int]) -> Tensor:
        """[L, vocabulary] float32."""
        return self._model(torch.tensor([list(ids)]), use_cache=False).logits[0].float()


def processed_log_probs(logits: Tensor, sampling: SamplingSettings) -> Tensor:
    """The distribution that is sampled from: temperature first, then the smallest set of most
    likely tokens whose probability reaches top_p; temperature 0 leaves the logits as they are.

    logits: [vocabulary]. Returns [vocabulary], -inf for tokens outside the set.
    """
    log_probs = (logits / (sampling.temperature or 1.0)).log_softmax(-1)
    ordered, order = log_probs.sort(descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    outside = order[before >= sampling.top_p]
    return log_probs.index_fill(0, outside, float("-inf")).log_softmax(-1)
