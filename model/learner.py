"""One rank of the learner: log-probs, updates, the reference policy, export and checkpoints.

Every method is collective: all ranks call it in the same order. Nothing here knows Ray; a rank
needs only the address of rank 0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Generic

import torch
from torch import Tensor, distributed, nn

from configs.errors import UserError
from configs.schema import AlgorithmSettings, LearnerSettings
from model.attention import SEGMENT_ATTENTION
from model.checkpoint import load_state, save_state
from model.engine import build_engine, start_process_group
from model.exporter import export_weights
from model.gradients import clip_global_norm, gradient_shards, undo_averaging
from model.host_memory import return_free
from model.loading import DTYPES, check_model_folder, load_model, save_model_folder
from model.micro_batches import RowType, micro_batches
from model.offload import Offload
from model.policy import PackedPolicy, predicted_positions
from model.prefixes import Computed, distinct_tokens, every_token
from model.reference import ReferencePolicy
from model.router import RouterBalance
from rl.judged import JudgedRow
from rl.losses import LossOutputs, row_loss
from rl.metrics import update_metrics
from rl.packing import PADDING_INDEX
from rl.protocols import Policy
from rl.records import Row

log = logging.getLogger(__name__)


class DeepSpeedLearner(Generic[RowType]):
    """A DeepSpeed engine around a packed policy (see rl.protocols.Learner for the meaning)."""

    def __init__(
        self,
        model_path: str | Path,
        learner: LearnerSettings,
        algorithm: AlgorithmSettings | None,
        *,
        rank: int = 0,
        local_rank: int = 0,
        address: str = "127.0.0.1:29500",
        device: str = "cpu",
        threads: int = 0,
        deterministic: bool = True,
        temperature: float = 1.0,
        max_tokens: int | None = None,
    ) -> None:
        """algorithm: of the policy gradient; None: supervised fine-tuning, without a reference.
        local_rank: index among the devices that this process sees. address: host:port where
        rank 0 listens. threads: CPU threads of this rank, 0 leaves torch's choice. temperature:
        that of sampling, so that log-probs are those of the distribution sampled from.
        max_tokens: longest sample to expect, prompt and completion; checked against the model."""
        self._folder = Path(model_path)
        _check(self._folder, max_tokens)
        if threads > 0:
            torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        # A debugging aid that comes with the line above and costs a tenth of the time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
        self._settings = learner
        self._algorithm = algorithm
        start_process_group(
            rank=rank,
            world_size=learner.ranks,
            local_rank=local_rank,
            address=address,
            device=device,
        )
        self._device = torch.device(device, local_rank) if device == "cuda" else torch.device("cpu")
        self._causal_lm = load_model(
            self._folder,
            DTYPES[learner.dtype],
            attention="flash_attention_2" if device == "cuda" else SEGMENT_ATTENTION,
        )
        if learner.gradient_checkpointing:
            self._causal_lm.gradient_checkpointing_enable({"use_reentrant": False})
        # Training mode switches gradient checkpointing on; attention refuses dropout.
        self._engine = build_engine(self._module(temperature).train(), learner)
        self._balance = RouterBalance(self._engine.module)
        self._offload = Offload(self._engine)
        needs_reference = algorithm is not None and algorithm.kl_coef > 0.0
        self._reference = ReferencePolicy(self._engine) if needs_reference else None

    @torch.no_grad()
    def log_probs(
        self, rows: Sequence[Row], policy: Policy, temperature: float | None = None
    ) -> list[Tensor]:
        """[T] float32 on the CPU for each of this rank's rows; 0 outside the loss mask and where
        a segment begins. temperature: None for that of sampling."""
        head = self._engine.module.lm_head
        usual = head.temperature
        head.temperature = usual if temperature is None else temperature
        try:
            return self._log_probs(rows, policy)
        finally:
            head.temperature = usual

    def _log_probs(self, rows: Sequence[Row], policy: Policy) -> list[Tensor]:
        results: list[Tensor] = []
        with self._as(policy):
            for row in micro_batches(rows, self._settings.rows_per_micro_batch, self._device):
                positions = _loss_positions(row)
                log_probs, _ = self._engine(
                    row.token_ids, positions, row.segment_lengths, self._computed(row)
                )
                results.append(log_probs.cpu())
        lengths = [len(row.token_ids) for row in rows]
        return list(torch.cat(results).split(lengths)) if results else []

    def update(self, rows: Sequence[RowType], learning_rate: float) -> dict[str, float]:
        """One optimiser step on this rank's rows of one mini-batch; metrics are those of
        the whole mini-batch (rl.metrics.update_metrics), the same on each rank."""
        sums = self._accumulate(rows)
        shards = gradient_shards(self._engine.optimizer)
        norm = clip_global_norm(shards, self._settings.gradient_clip)
        if not torch.isfinite(torch.tensor(norm)):
            raise FloatingPointError(
                f"gradient norm is {norm}; loss sums of this mini-batch: {sums}. The weights are "
                "those before this update"
            )
        self._set_learning_rate(learning_rate)
        self._engine.step()
        balance = self._balance.finish_update(self._settings.router_bias_rate)
        rate = {"actor/lr": learning_rate}
        return {**update_metrics(sums), "actor/grad_norm": norm, **rate, **balance}

    def return_memory(self) -> None:
        """Leave to the samplers of this machine what memory the updates no longer need."""
        if self._device.type == "cpu":
            return_free()

    def _set_learning_rate(self, learning_rate: float) -> None:
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate

    def _accumulate(self, rows: Sequence[RowType]) -> dict[str, float]:
        """The whole gradient of the mini-batch into the engine; metrics summed over ranks."""
        batches = list(micro_batches(rows, self._settings.rows_per_micro_batch, self._device))
        assert batches, "every rank needs at least one row: fill up with padding rows"
        totals: dict[str, Tensor] = {}
        for number, row in enumerate(batches):
            self._engine.set_gradient_accumulation_boundary(number == len(batches) - 1)
            self._balance.counted_tokens = _real_tokens(row, self._computed(row))
            outputs = self._loss(row)
            self._engine.backward(undo_averaging(outputs.loss, self._settings.ranks))
            for name, value in outputs.metrics.items():
                totals[name] = totals.get(name, torch.zeros(())) + value.double().cpu()
        return _sum_over_ranks(totals, self._device)

    def _module(self, temperature: float) -> nn.Module:
        """What the engine is built around."""
        return PackedPolicy(
            self._causal_lm,
            chunk_tokens=self._settings.log_prob_chunk_tokens,
            temperature=temperature,
        )

    def _loss(self, row: RowType) -> LossOutputs:
        """The part of one row in the loss of the mini-batch."""
        assert isinstance(row, Row)
        positions = _loss_positions(row)
        log_probs, entropy = self._engine(
            row.token_ids, positions, row.segment_lengths, self._computed(row)
        )
        return row_loss(row, log_probs, entropy, self._algorithm)

    def _computed(self, row: Row | JudgedRow) -> Computed:
        """Which tokens of the row are computed."""
        if self._settings.share_prefixes and isinstance(row, Row):
            return distinct_tokens(row.token_ids, row.segment_lengths)
        return every_token(len(row.token_ids))

    def refresh_reference(self) -> None:
        """Make the current policy the reference."""
        assert self._reference is not None, "no reference policy: algorithm.kl_coef is 0"
        self._reference.refresh()

    def export(self, *, everywhere: bool = False) -> Iterator[tuple[str, Tensor]]:
        """Weights under Hugging Face names, in layer order: on rank 0, nothing on the others unless
        everywhere. Every rank iterates to the end."""
        return export_weights(self._engine, self._causal_lm, everywhere=everywhere)

    def save_model(self, folder: str | Path) -> None:
        """Write the policy as a Hugging Face folder like the one it came from."""
        self._save_folder(Path(folder))

    def _save_folder(self, folder: Path, **entries: object) -> None:
        """entries: of config.json, that are not those of the folder this learner came from."""
        tensors = self.export()
        if distributed.get_rank() == 0:
            dtype = DTYPES[self._settings.dtype]
            save_model_folder(folder, self._folder, tensors, dtype, entries)
        else:
            for _ in tensors:
                pass
        distributed.barrier()

    def save(self, folder: str | Path) -> None:
        """Write this rank's state into the folder, which is the same for all ranks."""
        save_state(Path(folder), self._engine, self._reference)

    def load(self, folder: str | Path) -> None:
        """Continue from what save wrote, with the same bits. Same number of ranks and settings."""
        load_state(Path(folder), self._engine, self._reference)

    def offload(self) -> None:
        """Move weights, optimiser state and gradient buffers to host memory (GPUs)."""
        self._offload.to_host()

    def reload(self) -> None:
        """Bring back what offload moved; before any other call."""
        self._offload.to_device()

    def close(self) -> None:
        """Leave the process group."""
        distributed.destroy_process_group()

    def _as(self, policy: Policy):
        if policy == "policy":
            return nullcontext()
        assert self._reference is not None, "no reference policy: algorithm.kl_coef is 0"
        return self._reference.in_place_of_policy()


def _check(folder: Path, max_tokens: int | None) -> None:
    config = check_model_folder(folder)
    longest = config.get("max_position_embeddings")
    if longest is not None and max_tokens is not None and max_tokens > longest:
        raise UserError(
            f"{folder / 'config.json'}: max_position_embeddings is {longest}, but a sequence may "
            f"take {max_tokens} tokens; lower rollout.max_tokens or data.max_tokens"
        )


def _loss_positions(row: Row) -> Tensor:
    """[n] positions whose log-probs enter the loss: the projection is computed for these alone."""
    predicted = predicted_positions(row.segment_lengths).to(row.loss_mask.device)
    return predicted[row.loss_mask[predicted]]


def _real_tokens(row: Row | JudgedRow, computed: Computed) -> Tensor:
    """The computed token of each token of the row, without those of padding segments."""
    real_S = torch.tensor([index != PADDING_INDEX for index in row.sample_indices])
    real_T = real_S.repeat_interleave(torch.tensor(row.segment_lengths))
    return computed.index_T[real_T].to(row.token_ids.device)


def _sum_over_ranks(totals: dict[str, Tensor], device: torch.device) -> dict[str, float]:
    names = sorted(totals)
    values = torch.stack([totals[name] for name in names]).double().to(device)
    distributed.all_reduce(values)
    return dict(zip(names, values.tolist(), strict=True))
