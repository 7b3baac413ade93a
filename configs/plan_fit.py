"""Whether a run fits, and if not, which setting to change and to what."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from configs.devices import DEVICES, GIB
from configs.plan_memory import PHASES, ProcessMemory, Where, cache_bytes_per_token, process_memory
from configs.plan_placement import reward_model_nodes
from configs.plan_work import Work, counted
from configs.shape import ModelShape

MOST_NODES = 1024
"""How far to look for a cluster that is large enough."""
LOW_FRACTION = 0.7
"""rollout.gpu_memory_fraction that leaves a learner room beside the engine."""

Changes = Mapping[str, int | float | bool]
"""Dotted setting -> value."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one device, or one machine's main memory, has to hold in one phase."""

    place: str
    phase: str
    needed: float
    """GiB."""
    available: float
    """GiB; 0 when it is not known."""

    @property
    def fits(self) -> bool:
        return self.available == 0.0 or self.needed <= self.available

    def __str__(self) -> str:
        return f"{self.place} while {self.phase}: {self.needed:.1f} of {self.available:.1f} GiB"


def demands(work: Work, shape: ModelShape, host_gib: float) -> list[Demand]:
    """host_gib: main memory of one machine, 0 when not known."""
    processes = process_memory(work, shape)
    host = work.cluster.host_memory_gib or host_gib
    found: list[Demand] = []
    for phase, said in PHASES.items():
        if work.gpu:
            available = DEVICES[work.device_kind].memory_gib
            for name, kinds in _devices(work).items():
                device = sum(p.total(phase, "device") for p in processes if p.name in kinds)
                found.append(Demand(name, said, device / GIB, available))
        where: Where = "host" if work.gpu else "device"
        total = sum(_per_node(work, p) * p.total(phase, where) for p in processes)
        place = "each machine" if work.cluster.nodes > 1 else "this machine"
        found.append(Demand(f"{place}'s main memory", said, total / GIB, host))
    return found


def _devices(work: Work) -> dict[str, tuple[str, ...]]:
    """Kinds of GPUs, and the processes on one of each."""
    if work.cluster.placement == "colocated":
        return {"each GPU": ("learner rank", "sampler", "reward model")}
    learner = ("learner rank", "reward model")
    return {"each GPU of the learner": learner, "each GPU of a sampler": ("sampler",)}


def _per_node(work: Work, process: ProcessMemory) -> int:
    """Processes of one kind on the first machine; on GPUs an engine has one per GPU."""
    if not work.gpu or process.name in ("driver", "reward actor"):
        return process.count
    if process.name == "reward model":
        return reward_model_nodes(work).count(0)
    width = 1
    if process.name == "sampler":
        assert work.rollout is not None
        width = work.rollout.tensor_parallel
    return min(process.count * width, work.cluster.devices_per_node)


def refusals(work: Work, shape: ModelShape, host_gib: float) -> list[str]:
    """One line for each thing that cannot be, with what to change; empty when the run fits."""
    problems = list(_placement_problems(work, shape))
    over = [] if problems else _overruns(work, shape, host_gib)
    if over:
        problems.append(f"does not fit: {'; '.join(over)}. {_remedy(work, shape, host_gib)}")
    return problems


def _overruns(work: Work, shape: ModelShape, host_gib: float) -> list[str]:
    over = [str(demand) for demand in demands(work, shape, host_gib) if not demand.fits]
    return over + _cache_overrun(work, shape)


def _placement_problems(work: Work, shape: ModelShape) -> Iterator[str]:
    if not work.gpu:
        return
    ranks, devices, per_node = work.learner.ranks, work.devices, work.cluster.devices_per_node
    have = f"the cluster has {work.cluster.nodes} x {per_node} = {devices} GPUs"
    if ranks > devices:
        yield f"learner.ranks={ranks}: {have}; set learner.ranks={devices}"
    experts, expert_parallel = shape.experts, work.learner.expert_parallel
    if expert_parallel > 1 and (experts == 0 or experts % expert_parallel):
        yield (
            f"learner.expert_parallel={expert_parallel}: must divide the number of experts of the "
            f"model, which is {experts}; set it to 1 or to a divisor"
        )
    if work.rollout is None:
        return
    width, samplers = work.rollout.tensor_parallel, work.rollout.samplers
    if width > devices:
        yield f"rollout.tensor_parallel={width}: {have}; set at most {devices}"
    elif width * samplers > devices:
        yield (
            f"rollout.samplers={samplers} x rollout.tensor_parallel={width} = {samplers * width}: "
            f"{have}; set rollout.samplers={devices // width}"
        )
    elif per_node % width and width % per_node:
        yield (
            f"rollout.tensor_parallel={width}: must divide cluster.devices_per_node={per_node} or "
            f"be a multiple of it; set rollout.tensor_parallel={_divisor_from(per_node, width)}"
        )


def _divisor_from(number: int, least: int) -> int:
    return min((d for d in range(1, number + 1) if number % d == 0 and d >= least), default=number)


def _cache_overrun(work: Work, shape: ModelShape) -> list[str]:
    """The key-value cache must hold at least one sequence of the greatest length."""
    if work.rollout is None:
        return []
    (sampler,) = (each for each in process_memory(work, shape) if each.name == "sampler")
    parts = {part.name: part.generate for part in sampler.parts}
    needed = cache_bytes_per_token(work, shape) * work.longest_tokens
    if parts["KV cache"] >= needed:
        return []
    weights = f", with {parts['weights'] / GIB:.1f} GiB of weights beside it" if work.gpu else ""
    return [
        f"KV cache of a sampler: {parts['KV cache'] / GIB:.2f} GiB{weights}, and one sequence of "
        f"{work.longest_tokens:,} tokens takes {needed / GIB:.2f} GiB"
    ]


def _remedy(work: Work, shape: ModelShape, host_gib: float) -> str:
    """One change if one is enough; else the fewest of those that are enough together; else more
    machines, or shorter completions."""

    def fits(changes: Changes) -> bool:
        after = changed(work, changes)
        return (
            after.learner.row_tokens >= after.longest_tokens
            and _weights_reach_samplers(after)
            and not list(_placement_problems(after, shape))
            and not _overruns(after, shape, host_gib)
        )

    for changes in _candidates(work, shape):
        if enough := _together({}, [changes], fits):
            return f"Set {said(enough)}"
    ways: list[str] = []
    nodes = work.cluster.nodes
    while not ways and nodes <= (MOST_NODES if work.gpu else 1):
        changes = {} if nodes == work.cluster.nodes else {"cluster.nodes": nodes}
        enough = _together(changes, _candidates(changed(work, changes), shape), fits)
        if enough:
            ways.append(said(enough))
        nodes *= 2
    if not ways or "cluster.nodes" in ways[0]:
        enough = _together({}, [*_candidates(work, shape), *_shorter(work)], fits)
        ways += [said(enough)] if enough else []
    if ways:
        return f"Set {', or '.join(ways)}"
    if work.reward_models:
        return (
            "No setting makes it fit; take a smaller model, or smaller reward models "
            "(reward.helpful_model, reward.safety_model)"
        )
    if _cap_rises(work):
        return (
            "No setting makes it fit; take a smaller model, or one length cap for the whole run, "
            "without rollout.max_tokens_schedule"
        )
    return f"No setting makes {counted(shape.parameters)} parameters fit; take a smaller model"


def _weights_reach_samplers(work: Work) -> bool:
    """Through the learner rank on each GPU of a sampler, where they share GPUs."""
    rollout = work.rollout
    if rollout is None or rollout.transfer != "ipc":
        return True
    return rollout.samplers * rollout.tensor_parallel <= work.learner.ranks


def _together(start: Changes, steps: Iterable[Changes], fits: Callable[[Changes], bool]) -> Changes:
    """Changes added one after the other until it fits, without those that turn out not to be
    needed; empty when it never does."""
    together = dict(start)
    for changes in steps:
        together |= changes
        if fits(together):
            for name in list(together):
                fewer = {key: value for key, value in together.items() if key != name}
                together = fewer if fits(fewer) else together
            return together
    return {}


def _candidates(work: Work, shape: ModelShape) -> Iterator[Changes]:
    """What can be changed without changing what is learnt, cheapest first."""
    learner, rollout = work.learner, work.rollout
    shared = work.cluster.placement == "colocated"
    if work.gpu and rollout is not None and shared and not work.offload:
        yield {"learner.offload": True}
    if not learner.gradient_checkpointing:
        yield {"learner.gradient_checkpointing": True}
    if learner.rows_per_micro_batch > 1:
        yield {"learner.rows_per_micro_batch": 1}
    if learner.row_tokens > work.longest_tokens:
        yield {"learner.row_tokens": work.longest_tokens}
    if learner.log_prob_chunk_tokens > 256:
        yield {"learner.log_prob_chunk_tokens": 256}
    if not work.gpu:
        yield from _host_candidates(work, shape)
        return
    if learner.ranks < work.devices:
        yield {"learner.ranks": work.devices}
    for stage in range(max(learner.zero_stage, 1) + 1, 4):
        yield {"learner.zero_stage": stage}
    if shape.experts and learner.expert_parallel < 8 and work.devices % 8 == 0:
        yield {"learner.expert_parallel": 8}
    if rollout is not None:
        width = 2 * rollout.tensor_parallel
        while width <= work.devices:
            samplers = min(rollout.samplers, work.devices // width)
            yield {"rollout.tensor_parallel": width, "rollout.samplers": samplers}
            width *= 2
        if rollout.gpu_memory_fraction > LOW_FRACTION:
            yield {"rollout.gpu_memory_fraction": LOW_FRACTION}


def _host_candidates(work: Work, shape: ModelShape) -> Iterator[Changes]:
    """The same for what only shares a machine's main memory."""
    if work.rollout is not None:
        needed = cache_bytes_per_token(work, shape) * work.longest_tokens / GIB
        yield {"rollout.kv_cache_gib": math.ceil(20 * needed) / 20}
        if work.rollout.samplers > 1:
            yield {"rollout.samplers": 1}
    if work.learner.ranks > 1:
        yield {"learner.ranks": 1, "learner.expert_parallel": 1}


def _shorter(work: Work) -> Iterator[Changes]:
    """Shorter completions, which do change what can be learnt."""
    cap = 0 if _cap_rises(work) else work.longest_completion
    while work.rollout is not None and cap > 1:
        cap = cap - 1024 if cap > 2048 else cap // 2
        yield {"rollout.max_tokens": cap, "learner.row_tokens": work.longest_prompt + cap}


def _cap_rises(work: Work) -> bool:
    """A lower cap at the start would then save nothing."""
    return work.rollout is not None and work.longest_completion > work.rollout.max_tokens


def changed(work: Work, changes: Changes) -> Work:
    """The work after these changes of settings."""

    def of(group: str) -> dict[str, int | float | bool]:
        pairs = [(path.split("."), value) for path, value in changes.items()]
        return {name: value for (prefix, name), value in pairs if prefix == group}

    learner, rollout = of("learner"), of("rollout")
    return replace(
        work,
        learner=work.learner.model_copy(update=learner),
        rollout=work.rollout.model_copy(update=rollout) if work.rollout else None,
        cluster=work.cluster.model_copy(update=of("cluster")),
        offload=bool(learner.get("offload", work.offload)),
        longest_completion=int(rollout.get("max_tokens", work.longest_completion)),
    )


def said(changes: Changes) -> str:
    """As words of a command line."""
    return " ".join(
        f"{path}={str(value).lower() if isinstance(value, bool) else value}"
        for path, value in changes.items()
    )
