"""The settings of a run, typed and strict: whole runs, and the groups that have no file of their
own beside this one. A default lives with its setting and nowhere else.

Defaults are the values of the R1 paper where it names one (arXiv 2501.12948v2, section 2.1);
YAML files under configs/ change them for smaller models. "Step" means one rollout and its
mini-batch updates; "update" means one optimiser step (which the paper calls a training step).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.clusters import LocalCluster, SlurmCluster
from configs.data_making import SampledDataRecipe
from configs.data_sets import ChatData, NanoSolutions, Problems
from configs.kubernetes import KubernetesCluster
from configs.reward_models import (
    NanoPreferences,
    PairJudgeSettings,
    PreferenceData,
    RewardModelRecipe,
)
from configs.rewards import RewardSettings
from configs.settings import Fraction, NonNegative, Positive, Settings


class RlRecipe(Settings):
    """Reinforcement learning: what is trained and for how long."""

    kind: Literal["rl"] = "rl"
    """Sample, score, update."""
    steps: Positive = 650
    """Rollouts in the run. The paper's 10,400 updates are 650 rollouts of 16 updates."""
    general_from_step: NonNegative = 0
    """Finished steps after which general prompts join, where data.general names some: late, since
    preference rewards are hacked when they last (the paper: the last 400 of 1,700 updates)."""
    general_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.47
    """Share of general prompts in a step from there on; of the paper's RL prompts 78,000 of 166,000
    are general, and how they are mixed is not said."""
    checkpoint_every: Positive = 25
    """Steps between checkpoints; the last step is always saved."""
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2
    """Newest complete checkpoints to keep. Two, so that a torn one has a predecessor."""
    eval_every: NonNegative = 0
    """Steps between evaluations on held-out problems; 0: only before and after training."""
    eval_problems: Positive = 128
    """Held-out problems per evaluation."""
    eval_samples: Positive = 16
    """Completions per held-out problem; pass@1 is their mean accuracy."""


class SftRecipe(Settings):
    """Supervised fine-tuning. The defaults are those of R1's two rounds (arXiv 2501.12948v2,
    B.4.2); here a step is one update."""

    kind: Literal["sft"] = "sft"
    """Imitate the assistant's turns of a data set."""
    epochs: Positive = 2
    """Passes over the data. The paper: 2 to 3, and 2 for the 800k samples (its first version)."""
    batch_size: Positive = 128
    """Sequences per update. What does not fill a batch is left out of the epoch, other sequences
    each time."""
    final_rate_share: Fraction = 0.1
    """Share of learner.learning_rate at which the cosine ends. The paper: 5e-5 to 5e-6, and a
    tenth for the distilled students."""
    checkpoint_every: Positive = 200
    """Updates between checkpoints; the last update is always saved."""
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2
    """Newest complete checkpoints to keep. Two, so that a torn one has a predecessor."""
    eval_every: NonNegative = 0
    """Updates between held-out losses; 0: only before and after training."""


class NanoModel(Settings):
    """The base model of the nano world, pre-trained on first use and cached."""

    kind: Literal["nano"] = "nano"
    """A small model made by this program."""
    architecture: Literal["deepseek_v3", "llama"] = "deepseek_v3"
    """deepseek_v3: the base model; llama: the dense student that is distilled into."""
    pretrain_steps: Positive = 420
    """Optimiser steps of the base model's pre-training."""
    pretrain_seed: NonNegative = 0
    """Seed of the corpus, the initial weights and the order of pre-training."""
    cache_dir: str = "~/.cache/r1-foundry"
    """Where built base models are kept between runs."""


class FolderModel(Settings):
    """Any Hugging Face causal language model."""

    kind: Literal["folder"] = "folder"
    """A model that exists already."""
    path: str
    """A folder with config.json, safetensors weights and the tokenizer."""
    shape: dict[str, int | bool | str] = Field(default={})
    """What config.json says about sizes, to plan with before the folder is there; never trained
    with."""


class AlgorithmSettings(Settings):
    """The policy-gradient objective."""

    loss: Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo", "rloo", "reinforce_pp"] = "grpo"
    """The token loss and how tokens are averaged; see rl/losses.py for each formula."""
    advantage: Literal["mean_std", "mean", "leave_one_out", "batch_mean_std"] = "mean_std"
    """mean_std: (r - mean) / (std + 1e-6) over the group, population std (ddof 0)."""
    clip_low: Annotated[float, Field(gt=0.0)] = 0.2
    """Ratios below 1 - clip_low are clipped. The paper does not report Zero's value."""
    clip_high: Annotated[float, Field(gt=0.0)] = 0.2
    """Ratios above 1 + clip_high are clipped; 10 is legal (R1's first RL stage)."""
    kl_coef: Annotated[float, Field(ge=0.0)] = 0.001
    """Weight of the KL term in the loss; 0 skips the reference pass altogether."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """Per token, with d = log policy - log reference: k1 = d (its expected gradient as a loss is
    0), k2 = d^2 / 2, k3 = exp(-d) - 1 + d (the paper's)."""
    reference_refresh_updates: NonNegative = 400
    """Updates between replacements of the reference by the policy; 0: never."""
    old_log_probs: Literal["sampler", "learner"] = "sampler"
    """Which engine says what the policy's log-probs were before the step's first update."""
    importance_correction: Literal["none", "token", "sequence"] = "none"
    """Truncated importance sampling for the sampler/learner gap; needs old_log_probs=learner."""
    importance_cap: Annotated[float, Field(gt=0.0)] = 2.0
    """Upper bound of the importance weight."""
    drop_zero_variance: bool = True
    """Leave out groups whose rewards are all equal: their advantages are 0. Has no effect with
    batch_mean_std, where they are not."""
    truncated: Literal["keep", "mask"] = "keep"
    """Completions cut at the length cap: keep them in the loss, or only in the baseline."""


class GenerationSettings(Settings):
    """Sampling, and the engine that does it, whatever the samples are for."""

    samples_per_prompt: Positive = 16
    """Samples of each prompt."""
    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    """Of training rollouts and evaluation alike."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus sampling; 1: off. Log-probs are those of the distribution sampled from."""
    max_tokens: Positive = 32768
    """Length cap of a completion at the start of the run."""
    wave_prompts: NonNegative = 0
    """Prompts generated together and journalled together; 0: all prompts of the step. With
    deterministic=true, a wave interrupted half-way is generated again as a whole."""
    samplers: Positive = 1
    """Engines; prompts are dealt out to them in order."""
    tensor_parallel: Positive = 1
    """GPUs per engine."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the engine's weights and activations."""
    kv_cache_gib: Annotated[float, Field(gt=0.0)] = 1.0
    """Memory for the KV cache of an engine on the CPU."""
    gpu_memory_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85
    """Share of a GPU's memory an engine may take."""
    max_concurrent: Positive = 256
    """Sequences an engine decodes at the same time."""


class RolloutSettings(GenerationSettings):
    """What reinforcement learning adds."""

    prompts_per_step: Positive = 512
    """Problems per rollout."""
    samples_per_prompt: Annotated[int, Field(ge=2)] = 16
    """Group size G; at least 2, or a group has no baseline."""
    max_tokens_schedule: dict[int, int] = Field(default={})
    """Update number -> length cap from there on; the paper: {8200: 65536}."""
    max_staleness: Annotated[int, Field(ge=0, le=1)] = 0
    """Steps by which generation may run ahead: 0 waits for the updates before; 1 generates the next
    step while the learner trains on this one, for samplers and learner on devices of their own."""
    transfer: Literal["ray", "nccl", "ipc"] = "ray"
    """How weights reach the engines: ray on the CPU; on GPUs ipc from the learner rank on the same
    one, or nccl between them, with cluster.placement=split."""
    canary_prompts: Positive = 8
    """Fixed prompts whose log-probs are compared after every transfer."""
    canary_threshold: Annotated[float, Field(ge=0.0)] = 0.0
    """Largest accepted gap in nats; 0: by the coarser dtype of engine and learner (1e-3 in float32,
    0.25 on the mean in bfloat16)."""


class LearnerSettings(Settings):
    """The optimiser and how the learner is spread over processes, whatever is trained."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 3e-6
    """Of AdamW, after the warm-up."""
    warmup_updates: NonNegative = 0
    """Updates over which the learning rate rises linearly; constant afterwards."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """Decoupled weight decay of AdamW."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay rates of AdamW's first and second moment."""
    gradient_clip: Annotated[float, Field(ge=0.0)] = 1.0
    """Largest global gradient norm; 0: no clipping."""
    row_tokens: Positive = 33280
    """Samples are packed best-fit into rows of at most this many tokens; at least the longest
    prompt and completion together (the default: 512 + 32768)."""
    rows_per_micro_batch: Positive = 1
    """Rows in one forward and backward pass; changes speed and memory, never the gradient."""
    share_prefixes: bool = False
    """Compute the tokens that samples of a row begin with alike, such as the prompt of a group,
    once; the same gradient with less work. Samples of one prompt are then packed together, and
    row_tokens counts their prompt once. On the CPU only."""
    ranks: Positive = 1
    """Learner processes; data parallel over all of them."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 0
    """Sharded over the ranks: 1 optimiser state, 2 and gradients, 3 and weights; 0: nothing."""
    expert_parallel: Positive = 1
    """Ranks that share one copy of the experts (DeepSpeed AutoEP)."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Of weights and activations; the optimiser keeps float32 copies."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third slower."""
    log_prob_chunk_tokens: Positive = 1024
    """Tokens per chunk of the vocabulary projection: [tokens, vocab] never exists beyond it."""
    router_bias_rate: Annotated[float, Field(ge=0.0)] = 0.0
    """Step of the router's load-balancing bias per update (DeepSeek-V3: 0.001); 0: frozen."""


class RlLearner(LearnerSettings):
    """What reinforcement learning adds."""

    mini_batches: Positive = 16
    """Updates per rollout: the step's samples are split at random into this many."""
    offload: bool = False
    """Move weights and optimiser state to host memory while the samplers generate (GPUs)."""


class SftLearner(LearnerSettings):
    """What is different in supervised fine-tuning."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 5e-5
    """Of AdamW, at its highest: after the warm-up, at the beginning of the cosine."""
    warmup_updates: NonNegative = 0
    """Updates over which the learning rate rises linearly, before the cosine."""
    row_tokens: Positive = 32768
    """Sequences are packed best-fit into rows of at most this many tokens; at least
    data.max_tokens."""


class RewardModelLearner(LearnerSettings):
    """What is different in the training of reward models."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 6e-6
    """Of AdamW, after the warm-up; constant."""
    row_tokens: Positive = 16384
    """Responses are packed best-fit into rows of at most this many tokens, pairs together; at least
    data.max_tokens, and twice that for pairs."""


class TrackingSettings(Settings):
    """Where metrics go, beside metrics.jsonl and the report, which are always written."""

    wandb: bool = False
    """Weights & Biases; offline when there is no API key."""
    wandb_project: str = "r1-foundry"
    """Project the run appears under."""
    tensorboard: bool = False
    """Event files in the run folder."""


class RlTracking(TrackingSettings):
    """What reinforcement learning adds."""

    samples_per_step: NonNegative = 2
    """Groups written to rollouts/ each step for reading."""


Model = Annotated[NanoModel | FolderModel, Field(discriminator="kind")]
Cluster = Annotated[LocalCluster | SlurmCluster | KubernetesCluster, Field(discriminator="kind")]


class RunSettings(Settings):
    """What every kind of run has."""

    run_dir: str
    """Everything the run writes. The same command on the same folder continues it."""
    seed: NonNegative = 0
    """Every random number of the run follows from it."""
    deterministic: bool = True
    """Same bits on every run and after every restart, at some cost in speed."""


class RlConfig(RunSettings):
    """One run of reinforcement learning, whole."""

    recipe: RlRecipe
    model: Model
    data: Problems
    reward: RewardSettings
    algorithm: AlgorithmSettings
    rollout: RolloutSettings
    learner: RlLearner
    cluster: Cluster
    tracking: RlTracking

    @property
    def longest_completion(self) -> int:
        """Tokens: the largest length cap that the run reaches."""
        updates = self.recipe.steps * self.learner.mini_batches
        schedule = self.rollout.max_tokens_schedule
        return max(
            [self.rollout.max_tokens, *(cap for at, cap in schedule.items() if at <= updates)]
        )


class SftConfig(RunSettings):
    """One run of supervised fine-tuning, whole."""

    recipe: SftRecipe
    model: Model
    data: Annotated[ChatData | NanoSolutions, Field(discriminator="kind")]
    learner: SftLearner
    cluster: Cluster
    tracking: TrackingSettings


class SampledDataConfig(RunSettings):
    """One run that makes training data, whole."""

    recipe: SampledDataRecipe
    model: Model
    data: Problems
    reward: RewardSettings
    rollout: GenerationSettings
    cluster: Cluster


class RewardModelConfig(RunSettings):
    """One training of a reward model, whole."""

    recipe: RewardModelRecipe
    model: Model
    data: Annotated[NanoPreferences | PreferenceData, Field(discriminator="kind")]
    judge: PairJudgeSettings = PairJudgeSettings()
    learner: RewardModelLearner
    cluster: Cluster
    tracking: TrackingSettings


RunConfig = RlConfig | SftConfig | RewardModelConfig
"""A run that trains."""
AnyRunConfig = RunConfig | SampledDataConfig
"""A run that trains, or makes data to train on."""

RUN_KINDS: dict[str, type[AnyRunConfig]] = {
    "rl": RlConfig,
    "sft": SftConfig,
    "reward_model": RewardModelConfig,
    "sampled_data": SampledDataConfig,
}
"""recipe.kind -> the settings of such a run."""
