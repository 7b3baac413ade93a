"""Weight updates into a real vLLM engine, judged against transformers on the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from configs.schema import RolloutSettings
from rl.records import SamplingSettings
from rollout.canary import JUDGEMENTS, canary_gap
from rollout.weight_transfer import WeightTransferError, encode_chunk, encode_chunks
from tests.models import save_tiny_deepseek, save_tiny_llama
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

SEQUENCES = [list(prompt.token_ids) for prompt in prompts(6, length=80)]
SKIPPED = 1e-2
"""Every gap of weights that did not arrive is above this; they are in fact of the order of 1."""
CHUNK_BYTES = 200_000


@dataclass(frozen=True)
class Case:
    """A model, the sampler's dtype, and how far two correct engines may be apart in nats."""

    save: str
    dtype: str
    tolerance: float


SAVE = {"deepseek": save_tiny_deepseek, "llama": save_tiny_llama}
CASES = [
    Case("llama", "float32", 2e-5),
    Case("deepseek", "float32", 5e-5),
    Case("deepseek", "bfloat16", 0.1),
]


@dataclass(frozen=True)
class Bench:
    case: Case
    folder: Path
    sampler: VllmSampler

    def _gap(self, ours: list, his: list) -> float:
        summary, _ = JUDGEMENTS[self.case.dtype]
        return canary_gap(ours, his, summary)

    def gap(self, model: torch.nn.Module) -> float:
        """Over scored and over sampled tokens, in nats."""
        scored = self._gap(
            self.sampler.sequence_log_probs(SEQUENCES), model_log_probs(model, SEQUENCES)
        )
        of = prompts(6)
        sampling = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=16)
        found = list(self.sampler.generate(requests(of, 1), sampling))
        sequences = [[*of[int(c.prompt_id[1:])].token_ids, *c.token_ids] for c in found]
        learner = [row[40:] for row in model_log_probs(model, sequences)]
        return max(scored, self._gap([c.log_probs for c in found], learner))

    def send(self, tensors: dict[str, Tensor], version: int) -> None:
        self.sampler.begin_update()
        for chunk in encode_chunks(tensors.items(), CHUNK_BYTES):
            self.sampler.receive(chunk)
        self.sampler.finish_update(version)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.save}-{case.dtype}")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    case = request.param
    folder = save_tokenizer(SAVE[case.save](tmp_path_factory.mktemp(case.save)))
    with vllm_sampler(folder, dtype=case.dtype) as sampler:
        yield Bench(case, folder, sampler)


def test_updates_arrive_and_skipped_ones_show(bench: Bench, tmp_path: Path) -> None:
    dtype = getattr(torch, bench.case.dtype)
    model = load_model(bench.folder, dtype)
    assert bench.gap(model) <= bench.case.tolerance
    for version in (1, 2):
        perturb(model, seed=version)
        assert bench.gap(model) > max(SKIPPED, bench.case.tolerance), "negative control"
        bench.send(checkpoint_tensors(model, tmp_path), version)
        assert bench.gap(model) <= bench.case.tolerance
        assert bench.sampler.policy_version == version
    sampling = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=2)
    completions = bench.sampler.generate(requests(prompts(2), 1), sampling)
    assert {c.policy_version for c in completions} == {2}


def test_the_same_weights_give_the_same_bits_by_update_and_by_loading(
    bench: Bench, tmp_path: Path
) -> None:
    """A restarted sampler that is sent the weights equals one that had them all along."""
    model = load_model(bench.folder, getattr(torch, bench.case.dtype))
    original = checkpoint_tensors(model, tmp_path / "original")
    bench.send(original, 3)
    before = bench.sampler.sequence_log_probs(SEQUENCES)
    perturb(model, seed=5)
    bench.send(checkpoint_tensors(model, tmp_path / "other"), 4)
    assert bench.sampler.sequence_log_probs(SEQUENCES) != before
    bench.send(original, 5)
    assert bench.sampler.sequence_log_probs(SEQUENCES) == before


def test_incomplete_updates_name_the_tensors_and_stop_the_sampler(
    bench: Bench, tmp_path: Path
) -> None:
    """One walk through the faults, because a half-updated engine is of no further use."""
    tensors = checkpoint_tensors(load_model(bench.folder), tmp_path)
    left_out = sorted(tensors)[3]
    rest = {name: tensor for name, tensor in tensors.items() if name != left_out}
    sampler = bench.sampler
    with pytest.raises(WeightTransferError, match="not begun"):
        sampler.receive(encode_chunk(rest.items()))
    sampler.begin_update()
    with pytest.raises(WeightTransferError, match="begun but never finished"):
        sampler.begin_update()
    with pytest.raises(WeightTransferError, match=r"1 tensor \(model\.fused\) not in the model"):
        sampler.receive(encode_chunk([("model.fused", tensors[left_out])]))
    sampler.receive(encode_chunk(rest.items()))
    with pytest.raises(WeightTransferError, match="sent twice"):
        sampler.receive(encode_chunk([next(iter(rest.items()))]))
    with pytest.raises(WeightTransferError, match=f"{left_out}.*never arrived"):
        sampler.finish_update(9)
    with pytest.raises(WeightTransferError, match="neither old nor new"):
        sampler.sequence_log_probs(SEQUENCES)
    with pytest.raises(WeightTransferError, match="neither old nor new"):
        next(sampler.generate(requests(prompts(1), 1), SamplingSettings(1.0, 1.0, 1)))


def test_what_vllms_nccl_trainer_sends_is_what_its_workers_take() -> None:
    """Contract of the GPU path, by vLLM's own types: no GPU is needed to build and parse."""
    from vllm.config import WeightTransferConfig
    from vllm.distributed.weight_transfer import VLLMWeightSyncClient, WeightTransferEngineFactory
    from vllm.distributed.weight_transfer.nccl_common import worker_init_payload
    from vllm.distributed.weight_transfer.nccl_engine import (
        NCCLWeightTransferEngine,
        NCCLWeightTransferInitInfo,
        NCCLWeightTransferUpdateInfo,
    )

    from rollout.gpu_transfer import ExportSource, SamplerClient

    calls: list[tuple[str, list[object]]] = []
    client = SamplerClient(lambda name, args: calls.append((name, list(args))), 2, 4)
    assert isinstance(client, VLLMWeightSyncClient)
    info = NCCLWeightTransferInitInfo(
        master_address="localhost", master_port=1, rank_offset=1, world_size=9
    )
    client.version = 7
    client.init_weight_transfer_engine(worker_init_payload(info))
    client.start_weight_update()
    tensors = {"a": torch.zeros(2, 3, dtype=torch.bfloat16), "b": torch.ones(4)}
    source = ExportSource(lambda: iter(tensors.items()))
    meta = source.metadata()
    update = {
        "names": [m.name for m in meta],
        "dtype_names": [str(m.dtype).split(".")[-1] for m in meta],
        "shapes": [list(m.shape) for m in meta],
    }
    client.update_weights(update)
    client.finish_weight_update()
    assert [name for name, _ in calls] == [
        "init_transfer",
        "begin_update",
        "receive",
        "finish_update",
    ]
    assert [args["rank_offset"] for args in calls[0][1]] == [1, 5]
    assert calls[3][1] == [7, 7]
    engine = NCCLWeightTransferEngine
    assert engine.init_info_cls(**calls[0][1][1]).rank_offset == 5
    assert engine.update_info_cls(**calls[2][1][0]) == NCCLWeightTransferUpdateInfo(
        ["a", "b"], ["bfloat16", "float32"], [[2, 3], [4]]
    )
    assert list(source) == list(tensors.items()), "a fresh pass each time"
    assert {"nccl", "ipc"} <= set(WeightTransferEngineFactory._registry)
    assert WeightTransferConfig(backend="ipc").backend == "ipc"


def test_engine_arguments_for_gpus_are_vllms() -> None:
    from transformers import DeepseekV3Config
    from vllm.model_executor.models.deepseek_v2 import _get_moe_router_dtype

    from rollout.vllm_settings import engine_args

    settings = RolloutSettings(transfer="nccl", tensor_parallel=4)
    args = engine_args(Path("model"), settings, device="cuda", max_model_len=64, seed=0)
    assert args.tensor_parallel_size == 4 and args.distributed_executor_backend == "mp"
    assert args.weight_transfer_config.backend == "nccl"
    config = DeepseekV3Config()
    config.update(args.hf_overrides)
    assert _get_moe_router_dtype(config) is torch.float32
    assert args.enable_sleep_mode and args.kv_cache_memory_bytes is None
