"""DeepSeek-V3's routing (arXiv 2412.19437, eq. 12 to 16) by hand, in both implementations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from deepspeed.moe.ep_router import TokenChoiceTopKRouter
from torch import Tensor, nn
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter

import model.router
from model.engine import route_in_float32
from model.router import BIAS, RouterBalance

EXPERTS, GROUPS, KEPT_GROUPS, TOP_K, SCALE = 12, 4, 2, 2, 2.5
SCORES = [0.9, 0.1, 0.05, 0.6, 0.58, 0.01, 0.7, 0.45, 0.02, 0.5, 0.49, 0.48]
"""Of the experts, three to a group. The two best of a group sum to 1, 1.18, 1.15 and 0.99: by its
best expert alone the first group would be kept, by all three the last one."""
Route = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Inputs [T, D], weight [E, D] and bias [E] to gates and experts, both [T, TOP_K]."""


def by_transformers(inputs: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    config = DeepseekV3Config(
        hidden_size=weight.shape[1],
        n_routed_experts=EXPERTS,
        n_group=GROUPS,
        topk_group=KEPT_GROUPS,
        num_experts_per_tok=TOP_K,
        routed_scaling_factor=SCALE,
        norm_topk_prob=True,
    )
    router = DeepseekV3TopkRouter(config)
    router.weight = nn.Parameter(weight)
    router.e_score_correction_bias = bias
    _, gates, experts = router(inputs)
    return gates, experts


def by_deepspeed(inputs: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    router = TokenChoiceTopKRouter(
        dim=weight.shape[1],
        num_experts=EXPERTS,
        num_expert_groups=GROUPS,
        num_limited_groups=KEPT_GROUPS,
        top_k=TOP_K,
        score_func="sigmoid",
        route_norm=True,
        route_scale=SCALE,
        gate_bias=False,
    )
    router.gate.weight = nn.Parameter(weight)
    router.e_score_correction_bias = bias
    route_in_float32(router)
    gates, experts, _ = router(inputs)
    return gates, experts


@pytest.mark.parametrize("route", [by_transformers, by_deepspeed])
@pytest.mark.parametrize(
    ("biases", "chosen"),
    [
        pytest.param({}, (6, 3), id="the two best of the two best groups"),
        pytest.param(dict.fromkeys(range(EXPERTS), -1.0), (6, 3), id="left out even if negative"),
        pytest.param({4: 0.5}, (4, 6), id="a bias chooses, and is in no gate"),
    ],
)
def test_experts_and_gates_by_hand(
    route: Route, biases: dict[int, float], chosen: tuple[int, int]
) -> None:
    bias = torch.zeros(EXPERTS)
    for expert, value in biases.items():
        bias[expert] = value
    bias.requires_grad_()
    gates, experts = route(torch.tensor([SCORES]).logit(), torch.eye(EXPERTS), bias)
    found = dict(zip(experts[0].tolist(), gates[0].tolist(), strict=True))
    total = sum(SCORES[expert] for expert in chosen)
    assert found == pytest.approx({e: SCALE * SCORES[e] / total for e in chosen}, abs=1e-6)
    (gradient,) = torch.autograd.grad(gates.sum(), bias, allow_unused=True)
    assert gradient is None


@pytest.mark.parametrize("route", [by_transformers, by_deepspeed])
def test_bfloat16_weights_are_multiplied_in_float32(route: Route) -> None:
    torch.manual_seed(0)
    inputs, weight = torch.randn(200, 256).bfloat16(), torch.randn(EXPERTS, 256).bfloat16() / 16
    gates, experts = route(inputs, weight, torch.zeros(EXPERTS))
    exact = (inputs.double() @ weight.double().T).sigmoid()
    wanted = exact.gather(1, experts)
    wanted = SCALE * wanted / wanted.sum(1, keepdim=True)
    torch.testing.assert_close(gates.double(), wanted, atol=1e-5, rtol=0)
    _, chosen = route(inputs.float(), weight.float(), torch.zeros(EXPERTS))
    assert torch.equal(experts.sort().values, chosen.sort().values)


class GivenExperts(nn.Module):
    """A router that chooses what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(BIAS, torch.zeros(4))

    def forward(self, experts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return experts, experts, experts


def test_the_bias_falls_where_too_many_tokens_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.router.distributed, "all_reduce", lambda loads: None)
    router = GivenExperts()
    balance = RouterBalance(router)
    experts = [0] * 9 + [1] * 1 + [2] * 5 + [3] * 5
    balance.counted_tokens = torch.arange(len(experts))
    router(torch.tensor(experts)[:, None])
    metrics = balance.finish_update(0.25)
    assert router.get_buffer(BIAS).tolist() == [-0.25, 0.25, 0.0, 0.0]
    assert metrics["expert/load_max_over_mean"] == pytest.approx(9 / 5)
    assert metrics["expert/load_cv"] == pytest.approx(32**0.5 / 2 / 5)
