import random

import pytest
from transformers import AutoTokenizer

from recipes.nano_corpus import draw_document
from recipes.nano_tokenizer import (
    BOS,
    CONTROL_TOKENS,
    EOS,
    EXTRA_CHINESE,
    EXTRA_WORDS,
    PAD,
    TAGS,
    TERMS,
    build_tokenizer,
)
from recipes.nano_world import WORDS

TOKENIZER = build_tokenizer()


def test_ids_are_those_of_the_model_configuration():
    assert (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id) == (0, 1, 2)
    assert TOKENIZER.convert_tokens_to_ids([BOS, EOS, PAD]) == [0, 1, 2]
    assert len(TOKENIZER) <= 320


def test_every_digit_tag_and_term_is_one_token():
    for digits in ("7", "15", "2026"):
        assert len(TOKENIZER.encode(digits)) == len(digits)
    for token in (*TAGS, *CONTROL_TOKENS, *TERMS, "User:", " Assistant:"):
        assert len(TOKENIZER.encode(token)) == 1
    assert TOKENIZER.tokenize("7+8=15") == ["7", "+8", "=15"]


def test_decoding_gives_back_the_text_exactly():
    rng = random.Random(0)
    pieces = [*(form for forms in WORDS.values() for form in forms.values()), *EXTRA_WORDS]
    pieces += [*EXTRA_CHINESE, *TAGS, *TERMS, EOS, *map(chr, range(32, 127)), "\n", "  ", "User:"]
    for _ in range(300):
        text = "".join(rng.choices(pieces, k=20))
        ids = TOKENIZER.encode(text)
        assert TOKENIZER.decode(ids) == text
        assert TOKENIZER.unk_token_id not in ids


def test_corpus_is_short_and_known():
    rng = random.Random(0)
    for _ in range(500):
        prompt, solution = draw_document(rng, "wild")
        prompt_ids, solution_ids = TOKENIZER.encode(prompt), TOKENIZER.encode(solution)
        assert prompt_ids + solution_ids == TOKENIZER.encode(prompt + solution)
        assert TOKENIZER.unk_token_id not in prompt_ids + solution_ids
        assert len(prompt_ids) <= 20 and len(solution_ids) <= 24
        assert solution_ids[-1] == TOKENIZER.eos_token_id


def test_skipping_special_tokens_keeps_the_tags():
    text = f"{BOS}<think>7</think><answer>7</answer>{EOS}{PAD}"
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "<think>7</think><answer>7</answer>"


def test_characters_outside_the_world_are_unknown():
    assert TOKENIZER.encode("é龘") == [TOKENIZER.unk_token_id] * 2


@pytest.mark.parametrize("generation", [True, False])
def test_chat_template_is_r1s(generation):
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "<think>t</think>B"},
        {"role": "user", "content": "C"},
        {"role": "assistant", "content": "<think>u</think>D"},
    ]
    expected = (
        f"{BOS}S<｜User｜>A<｜Assistant｜>B{EOS}<｜User｜>C<｜Assistant｜><think>u</think>D{EOS}"
    )
    if generation:
        messages.append({"role": "user", "content": "E"})
        expected = expected.replace("<think>u</think>", "") + "<｜User｜>E<｜Assistant｜>"
    text = TOKENIZER.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation)
    assert text == expected
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_saved_and_loaded_it_is_the_same(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "User: 计算47+38。 Assistant:<think>个7+8=15</think>" + EOS
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert loaded.decode(loaded.encode(text)) == text
    assert loaded.chat_template == TOKENIZER.chat_template
