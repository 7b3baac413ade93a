"""What a run will do, worked out from its settings alone: batch, placement, memory, time.

Nothing is started and nothing heavy imported. plan_memory.py, plan_fit.py and plan_time.py hold the
arithmetic; shape.py the sizes of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.clusters import LocalCluster
from configs.data_sets import NanoData, NanoSolutions
from configs.devices import DEVICES, GIB
from configs.errors import UserError
from configs.facts import max_prompt_tokens
from configs.plan_data import data_plan
from configs.plan_fit import Demand, demands, refusals
from configs.plan_memory import (
    BYTES,
    PHASES,
    ProcessMemory,
    process_memory,
    reward_model_parameters,
)
from configs.plan_placement import NodePlan, placement
from configs.plan_time import StepTime, concurrent_sequences, run_hours, step_time
from configs.plan_work import Work, work_of
from configs.schema import (
    AnyRunConfig,
    Model,
    NanoModel,
    RewardModelConfig,
    RlConfig,
    RolloutSettings,
    RunConfig,
    SampledDataConfig,
    SftConfig,
)
from configs.shape import (
    NANO_FACTS,
    NANO_STUDENT_FACTS,
    Facts,
    ModelShape,
    read_facts,
    shape_from_facts,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that `launch plan` shows."""

    shape: ModelShape
    batch: dict[str, str]
    processes: dict[str, str]
    memory: tuple[ProcessMemory, ...]
    demands: tuple[Demand, ...]
    placement: tuple[NodePlan, ...]
    step: StepTime
    steps: int
    hours: float
    gpu_hours: float
    """0 without GPUs."""
    cautions: tuple[str, ...]
    """What will work less well than one may think, or not yet."""
    refusals: tuple[str, ...]
    """Why the run cannot be, and what to change."""


def make_plan(config: RunConfig, shape: ModelShape, *, host_gib: float, cores: int) -> Plan:
    """host_gib and cores: main memory and CPU cores of this machine, for runs on CPUs.

    Raises UserError when the kind of GPU is not named.
    """
    if config.cluster.device == "cuda" and config.cluster.device_kind == "unknown":
        raise UserError(
            "cluster.device_kind=unknown: the plan needs to know the GPUs; name them, for example "
            "cluster.device_kind=h100_80"
        )
    work = work_of(config)
    own_gib = 0.0 if work.gpu else host_gib
    used_cores = config.cluster.threads or cores
    hours = run_hours(work, shape, used_cores)
    return Plan(
        shape=shape,
        batch=_batch(config),
        processes=process_plan(config),
        memory=process_memory(work, shape),
        demands=tuple(demands(work, shape, own_gib)),
        placement=tuple(placement(work)),
        step=step_time(work, shape, used_cores),
        steps=work.steps,
        hours=hours,
        gpu_hours=hours * work.devices,
        cautions=tuple(_cautions(work, shape)),
        refusals=tuple(refusals(work, shape, own_gib)),
    )


def model_facts_of(model: Model) -> Facts | None:
    """The entries of its config.json: of its folder, or else those that the settings give; None
    when there are neither."""
    if isinstance(model, NanoModel):
        return {"deepseek_v3": NANO_FACTS, "llama": NANO_STUDENT_FACTS}[model.architecture]
    folder = Path(model.path).expanduser()
    if (folder / "config.json").is_file():
        return read_facts(folder)
    return model.shape or None


def _cautions(work: Work, shape: ModelShape) -> list[str]:
    found: list[str] = []
    learner, cluster, rollout = work.learner, work.cluster, work.rollout
    if work.gpu:
        if cluster.nodes > 1 and isinstance(cluster, LocalCluster):
            found.append("several machines: launch run needs cluster.kind=slurm or kubernetes")
        idle = work.devices - learner.ranks
        if idle > 0:
            found.append(f"{idle} of {work.devices} GPUs have no learner rank (learner.ranks)")
        if rollout and (rest := work.devices - rollout.samplers * rollout.tensor_parallel) > 0:
            found.append(f"{rest} of {work.devices} GPUs have no sampler (rollout.samplers)")
        if rollout and rollout.tensor_parallel > cluster.devices_per_node:
            found.append("a sampler over several machines cannot be started by launch run so far")
        ranks = min(learner.ranks, cluster.devices_per_node)
        start = ranks * BYTES[learner.dtype] * shape.parameters / GIB
        if cluster.host_memory_gib and start > cluster.host_memory_gib:
            found.append(
                f"starting: each of {ranks} ranks of a machine reads the whole model, "
                f"{start:,.0f} GiB in {cluster.host_memory_gib:,.0f} GiB of main memory; it would "
                "have to be read in parts, which launch run cannot do so far"
            )
    if work.gpu and work.reward_models:
        rated = BYTES[learner.dtype] * reward_model_parameters(work, shape) / GIB
        if rated > DEVICES[work.device_kind].memory_gib:
            found.append(
                f"reward models: each is whole on one GPU, which {rated:,.0f} GiB are too much "
                "for; take smaller ones"
            )
    if rollout:
        wanted = min(rollout.max_concurrent, -(-work.sequences_per_step // rollout.samplers))
        fitting = concurrent_sequences(work, shape)
        if fitting < wanted:
            found.append(
                f"the KV cache of a sampler holds {fitting} sequences of mean length, where "
                f"{wanted} could be decoded together"
            )
    return found


def describe_plan(config: AnyRunConfig) -> str:
    """The plan as comment lines under headings, for `launch run --dry-run`."""
    if isinstance(config, SampledDataConfig):
        sections = {"Data": data_plan(config)}
    else:
        sections = {
            "Batch": _batch(config),
            "Processes": process_plan(config),
            "Memory (estimate)": memory_plan(config),
        }
    lines: list[str] = []
    for title, entries in sections.items():
        lines.append(f"# {title}")
        lines += [f"#   {name}: {value}" for name, value in entries.items()]
    return "\n".join(lines)


def memory_plan(config: RunConfig) -> dict[str, str]:
    """Peak of each kind of process; `launch plan` shows the parts and their formulas."""
    facts = model_facts_of(config.model)
    shape = shape_from_facts(facts) if facts is not None else None
    if shape is None or (
        config.cluster.device_kind == "unknown" and (config.cluster.device == "cuda")
    ):
        return {"unknown": "launch plan says more, with the model and the GPUs named"}
    entries = {"model": f"{shape.parameters / 1e6:,.1f}M parameters"}
    for process in process_memory(work_of(config), shape):
        train, generate = (
            (process.total(phase, "device") + process.total(phase, "host")) / GIB
            for phase in PHASES
        )
        name = process.name if process.count == 1 else f"each {process.name}"
        entries[name] = f"{train:.1f} GiB training, {generate:.1f} generating"
    return entries


def _batch(config: RunConfig) -> dict[str, str]:
    if isinstance(config, RewardModelConfig):
        return reward_model_batch_plan(config)
    return sft_batch_plan(config) if isinstance(config, SftConfig) else batch_plan(config)


def reward_model_batch_plan(config: RewardModelConfig) -> dict[str, str]:
    """How judged responses become updates."""
    recipe, learner, data = config.recipe, config.learner, config.data
    pairs = recipe.objective == "pairwise"
    what, seen = ("pairs", "final summaries") if pairs else ("labelled responses", "all of them")
    return {
        "each update": f"{recipe.batch_size} {what} ({seen}) of at most {data.max_tokens:,} "
        f"tokens, packed into rows of {learner.row_tokens:,} on {_count(learner.ranks, 'rank')}",
        "whole run": f"{_count(recipe.epochs, 'epoch')}; what does not fill a batch is left out "
        "of the epoch",
        "loss": "-log sigmoid(chosen - rejected)" if pairs else "binary cross-entropy",
    }


def sft_batch_plan(config: SftConfig) -> dict[str, str]:
    """How sequences become updates."""
    recipe, learner, data = config.recipe, config.learner, config.data
    entries = {
        "each update": f"{recipe.batch_size} sequences of at most {data.max_tokens:,} tokens, "
        f"packed into rows of {learner.row_tokens:,} on {_count(learner.ranks, 'rank')}",
        "whole run": f"{_count(recipe.epochs, 'epoch')}; what does not fill a batch is left out "
        "of the epoch",
        "learning rate": f"{learner.learning_rate:g} on a cosine to "
        f"{learner.learning_rate * recipe.final_rate_share:g}, "
        + (f"warm-up {learner.warmup_updates} updates" if learner.warmup_updates else "no warm-up"),
        "loss": "mean over the assistant's tokens of the batch, end of turn included",
        "evaluation": f"loss of {data.heldout_rows} held-out rows, "
        + (f"every {recipe.eval_every} updates" if recipe.eval_every else "before and after"),
    }
    if isinstance(data, NanoSolutions):
        updates = recipe.epochs * (data.train_problems // recipe.batch_size)
        entries["whole run"] = (
            f"{_count(recipe.epochs, 'epoch')} over {data.train_problems:,} problems = "
            f"{_count(updates, 'update')}"
        )
    return entries


def batch_plan(config: RlConfig) -> dict[str, str]:
    """How prompts become updates."""
    recipe, rollout, learner = config.recipe, config.rollout, config.learner
    completions = rollout.prompts_per_step * rollout.samples_per_prompt
    updates = recipe.steps * learner.mini_batches
    entries = {
        "each step": f"{rollout.prompts_per_step} prompts x {rollout.samples_per_prompt} samples = "
        f"{completions:,} completions of at most {_length_caps(rollout)} -> "
        f"{_count(learner.mini_batches, 'update')} on {completions // learner.mini_batches:,} each",
        "whole run": f"{recipe.steps:,} steps = {updates:,} updates on "
        f"{recipe.steps * completions:,} completions",
        "reference": _reference_plan(config),
        "evaluation": f"{recipe.eval_problems} held-out problems x {recipe.eval_samples} samples, "
        + (f"every {recipe.eval_every} steps" if recipe.eval_every else "before and after"),
        "rows": f"prompt and completion, at most "
        f"{max_prompt_tokens(config) + config.longest_completion:,} tokens, are packed into rows "
        f"of {learner.row_tokens:,} on {_count(learner.ranks, 'rank')}",
    }
    if isinstance(config.data, NanoData):
        epochs = recipe.steps * rollout.prompts_per_step / config.data.train_problems
        entries["epochs"] = f"{epochs:.2f} over {config.data.train_problems:,} problems"
    return entries


def _length_caps(rollout: RolloutSettings) -> str:
    later = ", ".join(
        f"{cap:,} from update {update:,} on"
        for update, cap in sorted(rollout.max_tokens_schedule.items())
    )
    return f"{rollout.max_tokens:,} tokens" + (f" ({later})" if later else "")


def _reference_plan(config: RlConfig) -> str:
    every, mini_batches = config.algorithm.reference_refresh_updates, config.learner.mini_batches
    if config.algorithm.kl_coef == 0.0:
        return "none (algorithm.kl_coef=0)"
    if every == 0:
        return "the base model throughout"
    times = config.recipe.steps * mini_batches // every
    return (
        f"replaced by the policy every {every} updates = {every / mini_batches:g} steps, "
        f"{_count(times, 'time')} in this run"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def process_plan(config: RunConfig) -> dict[str, str]:
    """Which processes there are; learner and samplers take turns on the same devices."""
    learner, cluster = config.learner, config.cluster
    threads = f"{cluster.threads} CPU threads" if cluster.threads else "all CPU cores"
    sharding = f"ZeRO {learner.zero_stage}, expert parallel {learner.expert_parallel}"
    entries = {"driver": "1"}
    if isinstance(config, RlConfig):
        rollout = config.rollout
        gpus = f", {rollout.tensor_parallel} GPU each" if cluster.device == "cuda" else ""
        entries["samplers"] = f"{rollout.samplers} (vLLM, {rollout.dtype}{gpus})"
    entries["learner ranks"] = f"{learner.ranks} (DeepSpeed, {sharding}, {learner.dtype})"
    if isinstance(config, RlConfig):
        entries["reward actors"] = f"{config.reward.workers}"
        if config.data.general:
            entries["reward models"] = f"helpfulness and safety, {learner.dtype}"
    return entries | {
        "threads": f"{threads}, shared by the processes of the phase that is running",
        "device": cluster.device,
    }
