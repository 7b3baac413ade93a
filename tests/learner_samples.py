"""Random samples to train on, for tests of the learner."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rl.losses import AGGREGATIONS, token_weights
from rl.packing import pack
from rl.records import Row, Sample
from tests.models import VOCAB_SIZE


def random_samples(num_samples: int = 8, *, seed: int = 0) -> list[Sample]:
    """Prompts of 2-8 and completions of 3-20 random tokens, four to a prompt, with plausible
    log-probs."""
    generator = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def tokens(number: int) -> torch.Tensor:
        return torch.randint(3, VOCAB_SIZE, (number,), generator=generator)

    samples = []
    prompt_ids = tokens(0)
    for index in range(num_samples):
        if index % 4 == 0:
            prompt_ids = tokens(whole(2, 8))
        prompt, completion = len(prompt_ids), whole(3, 20)
        length = prompt + completion
        mask = torch.arange(length) >= prompt
        behaviour = -8.0 * torch.rand(length, generator=generator) * mask
        noise = torch.randn(2, length, generator=generator) * mask
        samples.append(
            Sample(
                prompt_id=str(index // 4),
                sample_index=index % 4,
                token_ids=torch.cat([prompt_ids, tokens(completion)]),
                loss_mask=mask,
                behaviour_log_probs=behaviour,
                advantage=float(torch.randn((), generator=generator)),
                policy_version=0,
                old_log_probs=behaviour + 0.1 * noise[0],
                reference_log_probs=behaviour + 0.3 * noise[1],
            )
        )
    return samples


def packed(
    samples: Sequence[Sample],
    *,
    loss: str,
    ranks: int = 1,
    row_tokens: int = 64,
    multiple: int = 1,
    share: bool = False,
) -> list[list[Row]]:
    """rows[rank] with the weights of the given loss; "sft" is that of fine-tuning."""
    counts = [int(sample.loss_mask.sum()) for sample in samples]
    aggregation = "token_mean" if loss == "sft" else AGGREGATIONS[loss]
    weights = token_weights(counts, aggregation=aggregation, max_tokens=32)
    return pack(
        samples,
        row_tokens=row_tokens,
        num_ranks=ranks,
        weights=weights,
        rows_multiple_of=multiple,
        share_prompts=share,
    )
