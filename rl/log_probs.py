"""Log-probs of given tokens without ever holding [T, vocabulary] in memory.

Legend: T tokens, D width of the hidden states, C tokens of one chunk, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def chunked_log_probs(
    hidden_TxD: Tensor,
    project: Callable[[Tensor], Tensor],
    targets_T: Tensor,
    *,
    temperature: float = 1.0,
    chunk_tokens: int,
) -> tuple[Tensor, Tensor]:
    """([T] float32 log-prob of each target, [T] float32 entropy in nats, detached).

    hidden_TxD[t] is the state that predicts targets_T[t]: shifting is the caller's. project is
    the vocabulary projection, [C, D] -> [C, V]. Logits exist for one chunk at a time, also in the
    backward pass, which computes them again; a single chunk keeps them.
    """
    chunks = list(zip(hidden_TxD.split(chunk_tokens), targets_T.split(chunk_tokens), strict=True))
    recompute = torch.is_grad_enabled() and len(chunks) > 1
    results = []
    for hidden_CxD, targets_C in chunks:
        arguments = (hidden_CxD, project, targets_C, temperature)
        if recompute:
            results.append(checkpoint(_chunk, *arguments, use_reentrant=False))
        else:
            results.append(_chunk(*arguments))
    log_probs, entropies = zip(*results, strict=True)
    return torch.cat(log_probs), torch.cat(entropies)


def _chunk(
    hidden_CxD: Tensor,
    project: Callable[[Tensor], Tensor],
    targets_C: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    logits_CxV = project(hidden_CxD).float() / temperature
    log_norm_C = logits_CxV.logsumexp(dim=-1)
    target_logits_C = logits_CxV.gather(-1, targets_C.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        probs_CxV = (logits_CxV - log_norm_C.unsqueeze(-1)).exp()
        entropy_C = log_norm_C - (probs_CxV * logits_CxV).sum(dim=-1)
    return target_logits_C - log_norm_C, entropy_C
