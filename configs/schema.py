"""Every setting of a run, typed and strict. A default lives here and nowhere else.

Defaults are the values of the R1 paper where it names one (arXiv 2501.12948v2, section 2.1);
YAML files under configs/ change them for smaller models. "Step" means one rollout and its
mini-batch updates; "update" means one optimiser step (which the paper calls a training step).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.clusters import LocalCluster, SlurmCluster
from configs.data_making import SampledDataRecipe
from configs.kubernetes import KubernetesCluster
from configs.reward_models import (
    JudgeSettings,
    NanoPreferences,
    PreferenceData,
    RewardModelRecipe,
)
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
    architecture: Literal["deepseek_v3", "qwen2"] = "deepseek_v3"
    """deepseek_v3: the base model; qwen2: the dense student that is distilled into."""
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


class NanoData(Settings):
    """Problems of the nano world, generated from the seed."""

    kind: Literal["nano"] = "nano"
    """Problems made by this program."""
    seed: NonNegative = 0
    """Seed of the problems and of their split."""
    train_problems: Positive = 4096
    """Problems to train on; each is used once before any is used again."""
    heldout_problems: Positive = 256
    """Held-out problems never occur in any training split."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: plain text as in the base model's corpus; chat: the tokenizer's chat template."""
    general: str = ""
    """General prompts, rated by reward models, beside the problems: "nano", or a .jsonl file with
    prompt, set (helpfulness or safety) and language. Empty: none."""


class Gsm8kData(Settings):
    """GSM8K-style JSON lines: question, and answer ending in '#### N'."""

    kind: Literal["gsm8k"] = "gsm8k"
    """Problems from a file."""
    path: str
    """A .jsonl file with the keys question and answer."""
    heldout_problems: Positive = 256
    """Rows set aside for evaluation, chosen by a hash of the question."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: the paper's plain-text prompt (Table 1); chat: the tokenizer's chat template."""
    max_prompt_tokens: Positive = 512
    """Longer prompts are left out, counted and reported."""
    general: str = ""
    """General prompts, rated by reward models, beside the problems: a .jsonl file with prompt, set
    (helpfulness or safety) and language. Empty: none."""


class ProblemData(Settings):
    """Problems from a file or the hub, whatever its columns: mathematics with answers or solutions,
    programs with tests. recipes/problem_rows.py lists the forms. Bad rows are left out and listed.
    """

    kind: Literal["problems"] = "problems"
    """Problems from real data sets."""
    path: str
    """A .jsonl or .parquet file, or the name of a data set on the Hugging Face hub."""
    subset: str = ""
    """Of a data set on the hub: its configuration, where it has several."""
    split: str = "train"
    """Of a data set on the hub: the split to train on."""
    streaming: bool = False
    """Read a data set on the hub row by row instead of downloading it as a whole."""
    problems: NonNegative = 0
    """Only the first so many good rows; 0: all."""
    question: str = ""
    """The column with the question; empty: found by its name."""
    answer: str = ""
    """The column with the answer; empty: found by its name."""
    checker: Literal["auto", "math", "code", "judge"] = "auto"
    """auto: code where a row has tests, else math; judge: answers in words, for recipe.judge."""
    heldout_problems: Positive = 256
    """Rows set aside for evaluation, chosen by a hash of the question."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: the paper's plain-text prompt (Table 1); chat: the tokenizer's chat template, and
    in which form the answer is wanted."""
    max_prompt_tokens: Positive = 512
    """Longer prompts are left out and listed."""
    general: str = ""
    """In reinforcement learning, general prompts beside the problems, rated by reward models: a
    .jsonl file with prompt, set (helpfulness or safety) and language. Empty: none."""


class MathSettings(Settings):
    """How answers to mathematical problems are compared. What is off by default makes wrong
    answers right for some data sets."""

    timeout_s: Annotated[float, Field(gt=0.0, le=60.0)] = 3.0
    """Longest check of one answer; then the process that does it is killed."""
    memory_mb: Annotated[int, Field(ge=512)] = 1024
    """Address space of the process that runs Math-Verify."""
    cache_size: NonNegative = 4096
    """Verdicts remembered per checker; the answers of a group repeat. 0: none."""
    percent_leniency: bool = False
    """Take 50 % for 50 as well as for 0.5."""
    ignore_units: bool = False
    """Take 5 cm for 5 m: compare the numbers alone (percent signs still count)."""
    any_order: bool = False
    """Take (2, 1) for (1, 2)."""
    round_to_gold: bool = False
    """Take 3.14159 for 3.14: round to the decimals that the gold answer gives."""


class SandboxSettings(Settings):
    """Where programs written by the model run."""

    workers: Positive = 2
    """Programs that run at the same time; one core each."""
    tier: Literal["auto", "namespaces", "landlock", "none"] = "auto"
    """Kind of isolation. auto: the strongest that works here, and an error when none does. none:
    programs are NOT isolated; for machines where nothing can be lost."""


class CodeSettings(Settings):
    """How programs are judged by their tests."""

    backend: Literal["local", "remote"] = "local"
    """local: the sandbox of this machine; remote: a server with SandboxFusion's /run_code."""
    sandbox: SandboxSettings = SandboxSettings()
    """Of this machine."""
    url: str = ""
    """Of the remote server, such as http://10.0.0.5:8080; `launch sandbox serve` starts one."""
    token_file: str = ""
    """A file with the remote server's bearer token; empty: it asks for none."""
    connections: Positive = 16
    """Requests to the remote server at the same time; about as many as it has workers, since one
    that waits there for too long is sent again."""
    all_or_nothing: bool = True
    """1 for passing all tests and 0 otherwise, known at the first failure; false: the share of
    tests passed."""
    time_limit_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 10.0
    """Wall-clock seconds for each test of a task that sets no limit itself."""
    memory_limit_mib: Annotated[int, Field(ge=16, le=1 << 20)] = 1024
    """Memory of a program in a task that sets no limit itself."""
    output_limit_bytes: Positive = 1 << 20
    """A program that prints more is stopped."""
    problem_time_limit_s: Annotated[float, Field(gt=0.0)] = 120.0
    """Seconds that the runs of all tests of a task may take together."""


class ChatData(Settings):
    """Conversations, one per row: messages (a list of role and content; system, user, assistant),
    put into the chat template of the model; or prompt and completion, taken as plain text."""

    kind: Literal["chat"] = "chat"
    """Conversations to imitate."""
    path: str
    """A .jsonl or .parquet file, or the name of a data set on the Hugging Face hub."""
    subset: str = ""
    """Of a data set on the hub: its configuration, where it has several."""
    split: str = "train"
    """Of a data set on the hub: the split to train on."""
    heldout_rows: NonNegative = 128
    """Rows set aside for the held-out loss, chosen by a hash of the first question; rows with the
    same question stay together. 0: no held-out loss."""
    max_tokens: Positive = 32768
    """Longer conversations are left out, counted and listed; the paper's context length."""


class NanoSolutions(Settings):
    """Problems of the nano world, each with a worked, right and well-formed solution."""

    kind: Literal["nano_solutions"] = "nano_solutions"
    """Solutions made by this program."""
    seed: NonNegative = 0
    """Seed of the problems; the same split as that of data=nano."""
    train_problems: Positive = 4096
    """Problems to train on."""
    heldout_rows: Positive = 128
    """Problems for the held-out loss; they never occur in any training split."""
    max_tokens: Positive = 128
    """Above every solution of the nano world."""


class RewardSettings(Settings):
    """Weights of the reward's parts, and how they are found. R1-Zero: accuracy + format with the
    same weight; the R1 stages add language."""

    accuracy: float = 1.0
    """Weight of the answer being right (0 or 1; for programs see code.all_or_nothing)."""
    format: float = 1.0
    """Weight of the tags being in place (0 or 1)."""
    format_form: Literal["answer_tags", "think_tags", "soft"] = "answer_tags"
    """answer_tags: <think>..</think><answer>..</answer>; think_tags: thinking, then an answer
    without tags; soft: a quarter for each of the four tags that is there once and in order."""
    language: float = 0.0
    """Weight of the share of the thinking that is in the prompt's language (0 to 1)."""
    preference: float = 1.0
    """Weight of what a reward model says of a general prompt's response (0 to 1), in the place that
    accuracy has for problems."""
    helpful_model: str = ""
    """Reward model of the helpfulness prompts: the final/ folder of a run of r1/reward_helpful."""
    safety_model: str = ""
    """The same for the safety prompts: of r1/reward_safety."""
    max_stripped_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.8
    """Part of the thinking, by words, that may be formulas and code; beyond it the language part
    falls, to 0 where there is nothing else."""
    repetition: float = 0.0
    """Weight of the repetition penalty (-1 to 0)."""
    repetition_ngram: Positive = 20
    """Words, or Chinese characters, that have to come again together to count as repeated."""
    overlong: float = 0.0
    """Weight of DAPO's penalty in front of the length cap (-1 to 0)."""
    overlong_tokens: Positive = 4096
    """Length of its slope before the cap, in tokens; DAPO's value at a cap of 20480."""
    math: MathSettings = MathSettings()
    """Mathematical answers."""
    code: CodeSettings = CodeSettings()
    """Programs."""
    workers: Positive = 1
    """Reward actors, one CPU each."""
    shuffle: bool = False
    """Control experiment: give each completion the reward of another one of the same step, so
    that nothing can be learnt."""


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
    transfer: Literal["ray", "nccl", "ipc"] = "ray"
    """How weights reach the engines: ray on the CPU, nccl or ipc on GPUs."""
    canary_prompts: Positive = 8
    """Fixed prompts whose log-probs are compared after every transfer."""
    canary_threshold: Annotated[float, Field(ge=0.0)] = 0.0
    """Largest accepted gap in nats; 0: by dtype (1e-3 in float32, 0.1 on the mean in bfloat16)."""


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


Problems = Annotated[NanoData | Gsm8kData | ProblemData, Field(discriminator="kind")]


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
    cluster: LocalCluster


class RewardModelConfig(RunSettings):
    """One training of a reward model, whole."""

    recipe: RewardModelRecipe
    model: Model
    data: Annotated[NanoPreferences | PreferenceData, Field(discriminator="kind")]
    judge: JudgeSettings = JudgeSettings()
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
