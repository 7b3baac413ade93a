"""The text models that a run asks, opened for as long as it needs them: a server, or a model folder
in the run's own sampler actors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from configs.data_making import TextModelSettings
from configs.evaluation import EngineSettings, EvalConfig, max_positions
from configs.schema import SampledDataConfig
from launch.cluster import start_ray, stop_ray
from launch.eval_sampling import EvalSamplers
from launch.run_folder import RunFolder
from recipes.datasets import chat_prompt
from recipes.kept_replies import Unusable
from recipes.text_models import EndpointModel, TextModel, usable
from rl.records import Prompt, SamplingSettings
from rollout.tokens import load_tokenizer


@contextmanager
def open_text_models(
    config: SampledDataConfig, folder: RunFolder
) -> Iterator[tuple[TextModel | None, TextModel | None]]:
    """Rewriter and judge; None for one that is no text model. A model folder is loaded once."""
    rewriter, judge = config.recipe.rewriter, config.recipe.judge
    folders = {each.model for each in (rewriter, judge) if each.by == "model"}
    with ExitStack() as owned:
        samplers = None
        if folders:
            start_ray(config.rollout.samplers)
            owned.callback(stop_ray)
            samplers = _samplers(config, folders.pop(), folder.log_dir)

        def opened(name: str, by: str, settings: TextModelSettings) -> TextModel | None:
            if by == "endpoint":
                replies = folder.path / f"replies-{name}.jsonl"
                return EndpointModel(settings, f"recipe.{name}", replies)
            return FolderModelText(samplers, settings) if samplers and by == "model" else None

        yield opened("rewriter", rewriter.by, rewriter), opened("judge", judge.by, judge)


def _samplers(config: SampledDataConfig, folder: str, log_dir: Path) -> EvalSamplers:
    shared = config.rollout.model_dump(include=set(EngineSettings.model_fields))
    return EvalSamplers(
        EvalConfig(
            run_dir=config.run_dir,
            model=folder,
            benchmark="",
            seed=config.seed,
            deterministic=config.deterministic,
            engine=EngineSettings(**shared),
            cluster=config.cluster,
        ),
        log_dir,
    )


class FolderModelText:
    """A model folder, asked in its chat template."""

    def __init__(self, samplers: EvalSamplers, settings: TextModelSettings) -> None:
        self._folder = Path(settings.model).expanduser().resolve()
        self._tokenizer = load_tokenizer(self._folder)
        self._positions = max_positions(self._folder) or 2 * settings.max_tokens
        self._samplers = samplers
        self._settings = settings

    def ask_all(self, questions: Sequence[str]) -> list[str | Unusable]:
        self._samplers.start(self._folder, self._positions)
        settings = self._settings
        max_tokens = min(settings.max_tokens, self._positions // 2)
        answers: list[str | Unusable] = [Unusable("question longer than the model's positions")]
        answers *= len(questions)
        prompts: list[Prompt] = []
        for number, question in enumerate(questions):
            text, token_ids = chat_prompt(question, self._tokenizer)
            if len(token_ids) + max_tokens <= self._positions:
                prompts.append(Prompt(str(number), text, tuple(token_ids), ""))
        sampling = SamplingSettings(settings.temperature, 1.0, max_tokens)
        for batch in self._samplers.generate(prompts, 1, sampling):
            for completion in batch:
                cut = completion.finish_reason == "length"
                answers[int(completion.prompt_id)] = usable(completion.text, cut=cut)
        return answers
