"""The tokenizer of the nano world: one token per word, digit or character, a few hundred in all.

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
EXTRA_WORDS = (
    *(" I", " you", " we", " it", " the", " a", " is", " of", " to", " in", " with", " for"),
    *(" yes", " no", " first", " next", " last", " now", " let", " me", " check", " wait"),
    *(" again", " right", " answer", " number", " letter", " step", " result", " problem"),
    *(" add", " take", " carry", " borrow", " think", " because", " thanks", " please", " hello"),
    *(" help", " good", " bad", " happy", " sad", " short", " long", " poem", " story", " about"),
    *(" cat", " dog", " sun", " sea", " What", " How", " Write", " The", " Let", " Hello"),
    *(" sorry", " can", " not"),
)
EXTRA_CHINESE = (
    "我你们它的了是在有和先后现再看想这那一二三四五六七八九零答案数字母步结果题加减进位借"
    "是否因为所以请谢好坏写诗故事关于猫狗太阳海等不对吗检查帮助抱歉能长短快乐难过什么怎样"
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
    words = [*CONTROL_TOKENS, *TAGS, *ascii_characters, *PROMPT_WORDS, *world]
    return list(dict.fromkeys([*words, *EXTRA_WORDS, *EXTRA_CHINESE]))
