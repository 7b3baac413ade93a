"""The sampler: a vLLM engine that turns prompt token ids into completion token ids.

One engine per process. On the CPU it runs inside the calling process; on GPUs it may spread over
several (tensor parallel) with vLLM's own workers. Tokens go in and tokens come out; nothing is
ever tokenised again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from vllm import SamplingParams
from vllm.distributed import cleanup_dist_env_and_memory
from vllm.inputs.engine import tokens_input
from vllm.logprobs import FlatLogprobs
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine.core_client import InprocClient
from vllm.v1.engine.llm_engine import LLMEngine
from vllm.v1.request import RequestStatus

from configs.errors import UserError
from configs.schema import RolloutSettings
from rl.records import Completion, FinishReason, GenerationRequest, SamplingSettings
from rollout.engine_load import EngineLoad
from rollout.tokens import completion_text, end_token_ids, load_tokenizer
from rollout.vllm_settings import (
    TRANSFERS,
    Device,
    engine_args,
    refuse_head_size,
    set_environment,
)
from rollout.weight_transfer import (
    UpdateLedger,
    WeightChunk,
    WeightTransferError,
    checkpoint_shapes,
)


class VllmSampler:
    """Generates, scores, and takes over new weights. Not safe for several threads at once.

    The same requests on the same weights give the same bits, whatever the engine did before:
    requests are scheduled in the order given, each draws from its own seed, and with
    deterministic=True generate starts from an empty prefix cache.
    """

    def __init__(
        self,
        folder: Path,
        settings: RolloutSettings,
        *,
        device: Device,
        max_model_len: int,
        threads: int,
        seed: int,
        deterministic: bool = True,
    ) -> None:
        """folder: config.json, safetensors weights and tokenizer. max_model_len: most tokens of
        prompt and completion together. threads: CPU threads of the engine, 0 for all cores.
        deterministic: start each generate call from an empty prefix cache."""
        assert settings.transfer in TRANSFERS[device], (settings.transfer, device)
        self.policy_version = 0
        """Updates in the weights now loaded."""
        self._device = device
        self._deterministic = deterministic
        self._max_model_len = max_model_len
        self._end_ids = end_token_ids(folder)
        self._tokenizer = load_tokenizer(folder)
        self._shapes = checkpoint_shapes(folder)
        self._ledger: UpdateLedger | None = None
        self._requests_sent = 0
        self.load = EngineLoad()
        """Of the last call of generate."""
        set_environment(device, threads or len(os.sched_getaffinity(0)))
        args = engine_args(folder, settings, device=device, max_model_len=max_model_len, seed=seed)
        config = args.create_engine_config()
        if device == "cpu":
            refuse_head_size(config.model_config.get_head_size())
        self._engine = LLMEngine.from_vllm_config(config, disable_log_stats=True)
        self._engine.set_weight_version("0")

    @property
    def block_tokens(self) -> int:
        """Tokens per block of the prefix cache."""
        return self._engine.vllm_config.cache_config.block_size

    def generate(
        self,
        requests: Sequence[GenerationRequest],
        sampling: SamplingSettings,
        *,
        keep_prefix_cache: bool = False,
    ) -> Iterator[Completion]:
        """Yield each completion as soon as it is finished.

        keep_prefix_cache: go on with what earlier calls cached, which may change the last bits
        of log-probs; for the canary, whose business it is to look into that cache.
        """
        self._refuse_during_update()
        self.load = EngineLoad()
        if self._deterministic and not keep_prefix_cache:
            self.reset_prefix_cache()
        by_id: dict[str, GenerationRequest] = {}
        for request in requests:
            self._refuse_too_long(request, sampling.max_tokens)
            params = self._sampling_params(sampling, request.seed)
            by_id[self._send(request.prompt.token_ids, params)] = request
        for output in self._drain():
            yield self._completion(by_id.pop(output.request_id), output)
        assert not by_id, f"vLLM lost {len(by_id)} requests"

    def sequence_log_probs(self, token_ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-prob of each token given those before it, at temperature 1; 0 at the first."""
        self._refuse_during_update()
        params = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            prompt_logprobs=0,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        order = {self._send(ids, params.clone()): index for index, ids in enumerate(token_ids)}
        rows: list[list[float]] = [[] for _ in token_ids]
        for output in self._drain():
            log_probs = cast(FlatLogprobs, output.prompt_logprobs)
            rows[order[output.request_id]] = [0.0, *log_probs.logprobs]
        assert all(len(row) == len(ids) for row, ids in zip(rows, token_ids, strict=True))
        return rows

    def reset_prefix_cache(self) -> None:
        """Forget all cached keys and values."""
        done = self._engine.reset_prefix_cache()
        assert done, "the prefix cache cannot be reset while requests are running"

    # Weight updates: begin, receive every tensor once, finish.

    def init_transfer(self, init_info: dict[str, Any]) -> None:
        """Meet the learner's side of the transfer; called by vLLM's trainer engines (nccl, ipc)."""
        self._engine.collective_rpc("init_weight_transfer_engine", args=(init_info,))

    def begin_update(self) -> None:
        if self._ledger is not None:
            raise WeightTransferError(
                "weight update: the previous one was begun but never finished, so the sampler's "
                "weights are neither old nor new: restart the sampler"
            )
        self._ledger = UpdateLedger(self._shapes)
        self._engine.collective_rpc("start_weight_update")

    def receive(self, update: WeightChunk | dict[str, Any]) -> None:
        """Load some tensors: a chunk on the CPU, vLLM's own update info (names, dtype_names,
        shapes ...) with nccl and ipc."""
        ledger = self._open_ledger()
        if isinstance(update, WeightChunk):
            ledger.enter(update.names, update.shapes)
            update = {"chunk": update}
        else:
            ledger.enter(update["names"], update["shapes"])
        self._engine.collective_rpc("update_weights", args=(update,))

    def finish_update(self, version: int) -> None:
        """Go over to the new weights, whose number of policy updates is `version`."""
        self._open_ledger().close()
        self._engine.collective_rpc("finish_weight_update")
        self._engine.set_weight_version(str(version))
        self.reset_prefix_cache()
        self.policy_version = version
        self._ledger = None

    def sleep(self) -> None:
        """Move the weights to host memory and drop the KV cache, so that the learner can have the
        GPU's memory. Level 1, which keeps the weights: level 2 wakes up with garbage."""
        assert self._device == "cuda", "a CPU engine cannot sleep: it holds no device memory"
        self._engine.sleep(level=1)

    def wake(self) -> None:
        assert self._device == "cuda", "a CPU engine cannot sleep: it holds no device memory"
        self._engine.wake_up()

    def close(self) -> None:
        """Free the engine; the process may then start another."""
        self._engine.engine_core.shutdown()
        del self._engine
        cleanup_dist_env_and_memory()

    def _sampling_params(self, sampling: SamplingSettings, seed: int) -> SamplingParams:
        return SamplingParams(
            seed=seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop_token_ids=list(self._end_ids),
            ignore_eos=True,
            logprobs=0,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            # Made for one request, so vLLM need not copy it, which costs more than all the rest.
            skip_clone=True,
        )

    def _send(self, token_ids: Sequence[int], params: SamplingParams) -> str:
        request_id = str(self._requests_sent)
        self._requests_sent += 1
        self._engine.add_request(request_id, tokens_input(list(token_ids)), params)
        return request_id

    def _drain(self) -> Iterator[RequestOutput]:
        """Step the engine until nothing is left; what is left when the caller stops is aborted."""
        scheduler = cast(
            Scheduler, cast(InprocClient, self._engine.engine_core).engine_core.scheduler
        )
        preempted = set[str]()
        try:
            while self._engine.has_unfinished_requests():
                outputs = cast(list[RequestOutput], self._engine.step())
                before, preempted = preempted, preempted_requests(scheduler)
                self.load.add(
                    *scheduler.get_request_counts(),
                    scheduler.get_kv_cache_usage(),
                    len(preempted - before),
                )
                yield from outputs
        finally:
            self._engine.abort_request(list(self._engine.output_processor.external_req_ids))

    def _completion(self, request: GenerationRequest, output: RequestOutput) -> Completion:
        result = output.outputs[0]
        token_ids = tuple(result.token_ids)
        log_probs = cast(FlatLogprobs, result.logprobs).logprobs
        assert result.finish_reason in ("stop", "length"), result.finish_reason
        assert result.weight_versions is not None and len(result.weight_versions) == 1
        assert len(log_probs) == len(token_ids)
        return Completion(
            prompt_id=request.prompt.id,
            sample_index=request.sample_index,
            text=completion_text(self._tokenizer, token_ids, self._end_ids),
            token_ids=token_ids,
            log_probs=tuple(log_probs),
            policy_version=int(result.weight_versions[0].version),
            finish_reason=cast(FinishReason, result.finish_reason),
        )

    def _open_ledger(self) -> UpdateLedger:
        if self._ledger is None:
            raise WeightTransferError("weight update: not begun; call begin_update first")
        return self._ledger

    def _refuse_during_update(self) -> None:
        if self._ledger is not None:
            raise WeightTransferError(
                "weight update: begun but not finished, so the sampler's weights are neither old "
                "nor new; call finish_update before generating"
            )

    def _refuse_too_long(self, request: GenerationRequest, max_tokens: int) -> None:
        length = len(request.prompt.token_ids)
        if length + max_tokens > self._max_model_len:
            raise UserError(
                f"rollout.max_tokens={max_tokens}: with the {length} tokens of prompt "
                f"{request.prompt.id} that is more than the {self._max_model_len} the engine was "
                "started for: shorten the prompt or lower rollout.max_tokens"
            )


def preempted_requests(scheduler: Scheduler) -> set[str]:
    """Ids of the requests that have lost their place and wait for another: vLLM puts them at the
    front of the queue."""
    front = takewhile(lambda each: each.status == RequestStatus.PREEMPTED, scheduler.waiting)
    return {request.request_id for request in front}
