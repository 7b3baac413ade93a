"""The step of `launch bench` done by TRL's GRPOTrainer, for comparison. TRL is not a dependency.

Run as a program: it reads a resolved configuration and prints one JSON line. Same model, problems,
group size, lengths, number format and KL term; generation by transformers, as TRL does without
a GPU (its vLLM modes do not start on a CPU).
"""

from __future__ import annotations

import importlib
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from configs.compose import from_yaml
from configs.schema import RlConfig


def main(settings: Path, steps: int) -> None:
    config = from_yaml(settings.read_text())
    assert isinstance(config, RlConfig)
    seconds, tokens = run(config, steps)
    print(json.dumps({"seconds": statistics.median(seconds), "tokens": statistics.median(tokens)}))


def run(config: RlConfig, steps: int) -> tuple[list[float], list[int]]:
    """Seconds and sampled tokens of each step but the first, which warms up."""
    from datasets import Dataset
    from transformers import TrainerCallback

    from launch.training import base_model
    from recipes.datasets import load_prompts
    from rollout.tokens import load_tokenizer

    # By name, because nothing else here knows or needs TRL.
    trl: Any = importlib.import_module("trl")
    folder = base_model(config)
    tokenizer = load_tokenizer(folder)
    prompts = load_prompts(config.data, tokenizer).train
    sampled: list[int] = []

    def count_tokens(completion_ids: list[list[int]], **_: Any) -> list[float]:
        """A reward of 0: the time of a step does not depend on it."""
        sampled.append(sum(map(len, completion_ids)))
        return [0.0] * len(completion_ids)

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    responses = config.rollout.prompts_per_step * config.rollout.samples_per_prompt
    with tempfile.TemporaryDirectory(prefix="trl-") as output:
        arguments = trl.GRPOConfig(
            output_dir=output,
            max_steps=steps,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=responses // 8,
            num_generations=config.rollout.samples_per_prompt,
            max_completion_length=config.rollout.max_tokens,
            temperature=config.rollout.temperature,
            beta=config.algorithm.kl_coef,
            learning_rate=config.learner.learning_rate,
            loss_type="grpo",
            bf16=config.learner.dtype == "bfloat16",
            model_init_kwargs={"dtype": config.learner.dtype},
            gradient_checkpointing=config.learner.gradient_checkpointing,
            use_cpu=config.cluster.device == "cpu",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            seed=config.seed,
        )
        trainer = trl.GRPOTrainer(
            model=str(folder),
            reward_funcs=count_tokens,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": prompt.text} for prompt in prompts]),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    per_step = len(sampled) // len(ends)
    tokens = [sum(sampled[i * per_step : (i + 1) * per_step]) for i in range(1, len(ends))]
    return [after - before for before, after in itertools.pairwise(ends)], tokens


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
