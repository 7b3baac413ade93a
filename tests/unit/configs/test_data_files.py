"""Which files a run reads, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from configs.compose import load_config
from configs.data_files import data_files

FOLDER = ("model=folder", "model.path=m")


def test_every_file_that_the_settings_name(tmp_path: Path) -> None:
    for name in ("rows.jsonl", "talk.jsonl", "aime_2024.jsonl", "gsm8k.parquet"):
        (tmp_path / name).touch()
    rows, talk = (tmp_path / name for name in ("rows.jsonl", "talk.jsonl"))
    gsm8k = ("data=gsm8k", f"data.path={rows}", f"data.general={talk}")
    benchmarks = "aime_2024,gsm8k,math_500"
    files = {
        "recipe=r1/rl_all": {"data.path": rows, "data.general": talk},
        "recipe=r1/sft_800k": {"data.path": rows},
        "recipe=r1/reward_safety": {"data.path": rows},
        "recipe=r1/rejection_sampling": {
            "data.path": rows,
            "recipe.general": talk,
            "recipe.benchmarks_folder/aime_2024.jsonl": tmp_path / "aime_2024.jsonl",
            "recipe.benchmarks_folder/gsm8k.parquet": tmp_path / "gsm8k.parquet",
        },
        "recipe=r1/evaluation": {
            "recipe.folder/aime_2024.jsonl": tmp_path / "aime_2024.jsonl",
            "recipe.folder/gsm8k.parquet": tmp_path / "gsm8k.parquet",
        },
    }
    words = {
        "recipe=r1/rl_all": (*FOLDER, *gsm8k),
        "recipe=r1/sft_800k": (*FOLDER, f"data.path={rows}"),
        "recipe=r1/reward_safety": (*FOLDER, f"data.path={rows}"),
        "recipe=r1/rejection_sampling": (
            *(*FOLDER, *gsm8k[:2], f"recipe.general={talk}"),
            *(f"recipe.decontaminate='{benchmarks}'", f"recipe.benchmarks_folder={tmp_path}"),
        ),
        "recipe=r1/evaluation": (
            *("models.dev1.path=m", f"recipe.benchmark='{benchmarks}'"),
            f"recipe.folder={tmp_path}",
        ),
    }
    assert {name: data_files(load_config([name, *words[name]])) for name in words} == files


def test_the_hub_and_the_nano_world_are_no_files() -> None:
    assert data_files(load_config(["recipe=sft", *FOLDER, "data.path=owner/name"])) == {}
    nano = "recipe.general=nano"
    assert data_files(load_config(["recipe=r1/rejection_sampling", nano])) == {}
    assert data_files(load_config(["recipe=sft", "data=nano_solutions"])) == {}
