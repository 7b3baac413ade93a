"""The canary on a real engine: silent on true updates, loud on each fault it exists for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from configs.schema import RolloutSettings
from rl.records import SamplingSettings
from rollout.canary import Canary, CanaryError
from rollout.weight_transfer import encode_chunks
from tests.models import save_tiny_deepseek
from tests.unit.rollout.tiny import (
    checkpoint_tensors,
    load_model,
    model_log_probs,
    perturb,
    prompts,
    requests,
    save_tokenizer,
    vllm_sampler,
)

if TYPE_CHECKING:
    from rollout.vllm_sampler import VllmSampler

pytestmark = pytest.mark.integration

SETTINGS = RolloutSettings(dtype="float32", canary_prompts=4)
TEXTS = [prompt.token_ids for prompt in prompts(16)]


@dataclass
class Run:
    """A learner (plain transformers) and a sampler that publish to each other."""

    sampler: VllmSampler
    model: PreTrainedModel
    canary: Canary
    scratch: Path
    version: int = 0

    def tensors(self) -> dict[str, Tensor]:
        return checkpoint_tensors(self.model, self.scratch)

    def step(self, size: float = 0.02) -> dict[str, Tensor]:
        """The learner moves by an update about as large as one of training; its new weights."""
        self.version += 1
        perturb(self.model, seed=self.version, size=size)
        return self.tensors()

    def publish(self, tensors: dict[str, Tensor]) -> float:
        self.canary.prime(self.sampler)
        self.sampler.begin_update()
        for chunk in encode_chunks(tensors.items(), 2**20):
            self.sampler.receive(chunk)
        self.sampler.finish_update(self.version)
        return self.check()

    def check(self) -> float:
        reading = self.canary.read(self.sampler)
        return self.canary.check(
            reading, self.version, lambda ids: model_log_probs(self.model, [list(i) for i in ids])
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = save_tokenizer(save_tiny_deepseek(tmp_path_factory.mktemp("deepseek")))
    with vllm_sampler(folder) as sampler:
        yield Run(
            sampler=sampler,
            model=load_model(folder),
            canary=Canary.build(SETTINGS, "float32", TEXTS, max_model_len=256),
            scratch=tmp_path_factory.mktemp("scratch"),
        )


def test_true_updates_pass_while_the_policy_samples_in_between(run: Run) -> None:
    for _ in range(3):
        assert run.publish(run.step()) <= 1e-4
        list(run.sampler.generate(requests(prompts(4), 2), SamplingSettings(1.0, 1.0, 8)))


def test_canary_tokens_reach_every_expert_in_use(run: Run) -> None:
    """An expert that gets at least 1 % of the choices on a large corpus is in the canary too."""
    canary = _chosen_experts(run.model, run.canary.read(run.sampler).token_ids)
    generator = torch.Generator().manual_seed(0)
    corpus = _chosen_experts(
        run.model, torch.randint(5, 300, (64, 128), generator=generator).tolist()
    )
    assert len(canary) == 2
    for layer, counts in corpus.items():
        in_use = counts >= 0.01 * counts.sum()
        assert in_use.sum() >= 6
        assert (canary[layer][in_use] >= 3).all(), (layer, canary[layer], counts)


def _chosen_experts(
    model: PreTrainedModel, sequences: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """Per mixture layer, how often each of the 8 experts is chosen, [8]."""
    counts: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, output: tuple[Tensor, Tensor, Tensor]) -> None:
            # Logits, weights and indices of the chosen experts.
            seen = output[2].flatten().bincount(minlength=8)
            counts[name] = counts.get(name, torch.zeros_like(seen)) + seen

        return hook

    hooks = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if name.endswith("mlp.gate")
    ]
    model_log_probs(model, [list(ids) for ids in sequences])
    for hook in hooks:
        hook.remove()
    return counts


def test_a_skipped_transfer_is_caught(run: Run) -> None:
    run.step()
    with pytest.raises(CanaryError, match=f"weights of version {run.version - 1}"):
        run.check()
    # The same when the sampler believes that it has been updated.
    old = run.tensors()
    run.step()
    with pytest.raises(CanaryError, match=r"rollout\.canary_threshold.*skipped"):
        run.publish(old)
    assert run.publish(run.tensors()) <= 1e-4


def test_one_expert_left_behind_is_caught(run: Run) -> None:
    name = "model.layers.2.mlp.experts.3.down_proj.weight"
    old = run.tensors()[name].clone()
    new = run.step()
    with pytest.raises(CanaryError, match="experts"):
        run.publish(new | {name: old})
    assert run.publish(new) <= 1e-4


def test_a_stale_prefix_cache_is_caught(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    new = run.step()
    with monkeypatch.context() as patch:
        patch.setattr(run.sampler, "reset_prefix_cache", lambda: None)
        with pytest.raises(CanaryError, match="cache was not reset"):
            run.publish(new)
    run.sampler.reset_prefix_cache()
    assert run.check() <= 1e-4


def test_a_wrong_router_bias_is_caught(run: Run) -> None:
    name = "model.layers.1.mlp.gate.e_score_correction_bias"
    new = run.step()
    with pytest.raises(CanaryError, match="router bias"):
        run.publish(new | {name: torch.zeros_like(new[name])})
    assert run.publish(new) <= 1e-4
