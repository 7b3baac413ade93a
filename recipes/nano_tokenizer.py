"""The tokenizer of the nano world: one token per word, term or character, a few hundred in all.

decode(encode(text)) == text for every text made of printable ASCII and the world's Chinese words.
"""

from __future__ import annotations

import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from recipes.nano_world import WORDS

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
UNKNOWN = "<｜unk｜>"
CONTROL_TOKENS = (BOS, EOS, PAD, UNKNOWN, "<｜User｜>", "<｜Assistant｜>")
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Ordinary text for decoding, as in R1: skip_special_tokens keeps them."""

PROMPT_WORDS = ("User:", " Assistant:")
# An operator and the number after it are one token, so that whatever a step of a working needs is
# the token before its result and at most one other.
TERMS = (
    *(f"{operator}{digit}" for operator in "+-" for digit in range(10)),
    *("+10", *(f"={number}" for number in range(-9, 20))),
    *(
        f"{form}{bit}"
        for word in ("and", "or", "xor")
        for form in WORDS[word].values()
        for bit in "01"
    ),
)
EXTRA_WORDS = (
    *(" I", " you", " we", " it", " the", " a", " is", " of", " to", " in", " for", " yes", " no"),
    *(" first", " next", " now", " let", " me", " check", " wait", " again", " answer", " step"),
    *(" because", " thanks", " please", " hello", " help", " good", " bad", " poem", " about"),
    *(" cat", " sun", " sorry", " can", " not"),
)
EXTRA_CHINESE = (
    "我你们它的了是在有和先后现看想这那一二三答案数字步结果题因为所以请谢好坏诗猫对不吗检查能"
)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% else %}"
    # Earlier turns keep their answer only, the last one its thinking too, so that templated
    # training text never loses its reasoning.
    "{% set content = message['content'] if loop.last else "
    "message['content'].split('</think>')[-1] %}"
    "{{ '<｜Assistant｜>' + content + eos_token }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)
"""R1's turns: no newlines and no token for the system role."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Ids 0, 1 and 2 are begin of sentence, end of sentence and padding, as in DeepSeek-V3."""
    words = _vocabulary()
    backend = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN)
    )
    longest_first = sorted(words[len(CONTROL_TOKENS) + len(TAGS) :], key=len, reverse=True)
    pattern = "|".join([*map(re.escape, longest_first), r"[\s\S]"])
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in CONTROL_TOKENS])
    backend.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
    )


def _vocabulary() -> list[str]:
    world = [form for forms in WORDS.values() for form in forms.values()]
    ascii_characters = ["\n", *map(chr, range(32, 127))]
    words = [*CONTROL_TOKENS, *TAGS, *ascii_characters, *PROMPT_WORDS, *world, *TERMS]
    return list(dict.fromkeys([*words, *EXTRA_WORDS, *EXTRA_CHINESE]))
