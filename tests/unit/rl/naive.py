"""The losses once more, slowly: lists of one-dimensional tensors, one formula per branch.

Nothing is shared with rl/: no packing, no weights, no masks, no guards.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Answer:
    """The loss tokens of one sample: [C] log-probs and its advantage."""

    new: Tensor
    old: Tensor
    behaviour: Tensor
    reference: Tensor
    advantage: float


def naive_loss(
    answers: list[Answer],
    *,
    loss: str,
    low: float,
    high: float,
    kl: float = 0.0,
    max_tokens: int = 100,
    correction: str = "none",
    cap: float = 2.0,
) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    all_tokens = sum(len(answer.new) for answer in answers)
    for answer in answers:
        size, advantage = len(answer.new), answer.advantage
        for t in range(size):
            if loss == "gspo":
                ratio = torch.exp(sum(answer.new - answer.old) / size)
            else:
                ratio = torch.exp(answer.new[t] - answer.old[t])
            clipped = ratio.clamp(1 - low, 1 + high)
            if loss == "rloo":
                objective = advantage * answer.new[t]
            elif loss == "cispo":
                objective = clipped.detach() * advantage * answer.new[t]
            else:
                objective = min(ratio * advantage, clipped * advantage)
            gap = answer.old - answer.behaviour
            trust = {"none": 1.0, "token": float(gap[t].exp()), "sequence": float(sum(gap).exp())}
            objective = min(trust[correction], cap if correction != "none" else 1.0) * objective
            q = torch.exp(answer.reference[t] - answer.new[t])
            objective = objective - kl * (q - torch.log(q) - 1)
            share = {
                "grpo": 1 / len(answers) / size,
                "gspo": 1 / len(answers) / size,
                "rloo": 1 / len(answers),
                "dr_grpo": 1 / len(answers) / max_tokens,
                "dapo": 1 / all_tokens,
                "cispo": 1 / all_tokens,
                "reinforce_pp": 1 / all_tokens,
            }
            total = total - share[loss] * objective
    return total
