"""What is learnt, token by token, under templates of all habits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from configs.errors import UserError
from recipes.chat_rows import Conversation, Turn
from recipes.chat_tokens import ChatEncoder, TokenSequence
from recipes.nano_tokenizer import BOS, EOS, build_tokenizer
from recipes.row_files import BadRow
from rollout.tokens import end_token_ids, load_tokenizer

USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
NANO = build_tokenizer()

R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}"
    "{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}{% endif %}"
    "{% if m.role == 'assistant' %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + "
    "eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}"
    "{% endif %}"
)
"""R1's habit: every turn of the assistant, the last one too, loses its chain of thought."""
R1_THINKS = R1.replace("{{ '<｜Assistant｜>' }}", "{{ '<｜Assistant｜><think>\n' }}")
"""The later one, which begins the chain of thought itself."""
TRIMS = R1.replace("m.content.split('</think>')[-1]", "m.content | trim")
EMPTY_THOUGHT = R1.replace(
    "{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + eos_token }}",
    "{{ '<｜Assistant｜>' + ('' if '</think>' in m.content else '<think>\n\n</think>\n\n') + "
    "m.content + eos_token }}",
)
"""Qwen 3's habit: a turn that does not think gets an empty thought."""
NO_PROMPT = R1.partition("{% if add_generation_prompt %}")[0]


def with_template(template: str) -> PreTrainedTokenizerFast:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def chat(*contents: str) -> Conversation:
    roles = ("user", "assistant") * len(contents)
    turns = tuple(map(Turn, roles, contents))
    return Conversation("x", turns, plain=False, row=1)


def encode(conversation: Conversation, tokenizer: PreTrainedTokenizerFast = NANO):
    return ChatEncoder(tokenizer, (1,)).encode(conversation)


def marked(sequence: TokenSequence, tokenizer: PreTrainedTokenizerFast = NANO) -> str:
    """The text of a sequence with [[ ]] around each stretch that is learnt."""
    text, inside = "", False
    for token, learnt in zip(sequence.token_ids, sequence.is_learnt, strict=True):
        text += "" if learnt == inside else ("[[" if learnt else "]]")
        text += tokenizer.decode([token])
        inside = learnt
    return text + ("]]" if inside else "")


def test_one_turn_token_by_token() -> None:
    (sequence,) = encode(chat("3+4?", "<think>3+4=7</think>7"))
    tokens = [NANO.decode([i]) for i in sequence.token_ids]
    context = [BOS, USER, "3", "+4", "?", ASSISTANT]
    assert tokens == [*context, "<think>", "3", "+4", "=7", "</think>", "7", EOS]
    assert sequence.is_learnt == [False] * 6 + [True] * 7
    assert NANO.decode(sequence.token_ids) == sequence.text


@pytest.mark.parametrize("template", [R1, NANO.chat_template, TRIMS, EMPTY_THOUGHT, NO_PROMPT])
def test_no_template_takes_the_thought_out(template: str) -> None:
    (sequence,) = encode(chat("3+4?", "<think>3+4=7</think>7"), with_template(template))
    assert marked(sequence) == f"{BOS}{USER}3+4?{ASSISTANT}[[<think>3+4=7</think>7{EOS}]]"


@pytest.mark.parametrize("template", [R1, NANO.chat_template])
def test_earlier_thoughts_are_learnt_in_sequences_of_their_own(template: str) -> None:
    """The history of the second turn lacks the first one's thought, as it will when sampled."""
    first, second = encode(
        chat("3+4?", "<think>3+4=7</think>7", "1+1?", "<think>1+1=2</think>2"),
        with_template(template),
    )
    assert marked(first) == f"{BOS}{USER}3+4?{ASSISTANT}[[<think>3+4=7</think>7{EOS}]]"
    history = f"{BOS}{USER}3+4?{ASSISTANT}7{EOS}{USER}1+1?{ASSISTANT}"
    assert marked(second) == f"{history}[[<think>1+1=2</think>2{EOS}]]"


def test_turns_that_stay_as_they_are_share_a_sequence() -> None:
    (sequence,) = encode(chat("3+4?", "7", "1+1?", "2", "2+2?", "4"))
    assert marked(sequence) == (
        f"{BOS}{USER}3+4?{ASSISTANT}[[7{EOS}]]{USER}1+1?{ASSISTANT}[[2{EOS}]]"
        f"{USER}2+2?{ASSISTANT}[[4{EOS}]]"
    )


def test_a_prompt_that_begins_the_thought_is_not_learnt() -> None:
    tokenizer = with_template(R1_THINKS)
    (begun,) = encode(chat("3+4?", "<think>\n3+4=7</think>7"), tokenizer)
    assert marked(begun) == f"{BOS}{USER}3+4?{ASSISTANT}<think>\n[[3+4=7</think>7{EOS}]]"
    (other,) = encode(chat("3+4?", "7"), tokenizer)
    assert marked(other) == f"{BOS}{USER}3+4?{ASSISTANT}[[7{EOS}]]"


def test_an_empty_thought_of_the_template_is_context() -> None:
    (sequence,) = encode(chat("3+4?", "7"), with_template(EMPTY_THOUGHT))
    assert marked(sequence) == (f"{BOS}{USER}3+4?{ASSISTANT}<think>\n\n</think>\n\n[[7{EOS}]]")


def test_system_turn_and_white_space_are_kept() -> None:
    turns = (Turn("system", "I help."), Turn("user", "3+4?"), Turn("assistant", " 7\n"))
    (sequence,) = encode(Conversation("x", turns, False, 1), with_template(TRIMS))
    assert marked(sequence) == f"{BOS}I help.{USER}3+4?{ASSISTANT}[[ 7\n{EOS}]]"


@pytest.mark.parametrize("completion", [" 7", f" 7{EOS}"])
def test_plain_prompt_and_completion(completion: str) -> None:
    turns = (Turn("user", "User: 3+4=? Assistant:"), Turn("assistant", completion))
    (sequence,) = encode(Conversation("x", turns, True, 1))
    assert marked(sequence) == f"User: 3+4=? Assistant:[[ 7{EOS}]]"


@pytest.mark.parametrize("contents", [("3+4?", f"7{EOS}8"), (f"3{EOS}?", "7")])
def test_an_end_token_inside_a_text_is_refused(contents: tuple[str, str]) -> None:
    with pytest.raises(BadRow, match="end token inside a text"):
        encode(chat(*contents))


def test_what_the_tokenizer_does_not_know_is_refused() -> None:
    with pytest.raises(BadRow, match="does not know"):
        encode(chat("3+4?", "été"))


def test_what_the_template_refuses_is_a_bad_row() -> None:
    refusing = "{{ raise_exception('no such thing') }}"
    with pytest.raises(BadRow, match="refused by the chat template") as caught:
        encode(chat("3+4?", "7"), with_template(refusing))
    assert caught.value.detail == "no such thing"


def test_a_template_without_the_models_end_token_is_one_line() -> None:
    with pytest.raises(UserError, match="holds none of the model's end tokens") as caught:
        encode(chat("3+4?", "7"), with_template(R1.replace(" + eos_token", " + '\n'")))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_template_is_one_line() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="no chat template"):
        encode(chat("3+4?", "7"), tokenizer)


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_what_follows_the_end_token_is_context() -> None:
    """ChatML's newline after each turn: never sampled, hence not learnt."""
    vocabulary = ["<|im_start|>", "<|im_end|>", *map(chr, range(10, 127))]
    backend = Tokenizer(models.WordLevel({c: i for i, c in enumerate(vocabulary)}))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    (sequence,) = encode(chat("3+4?", "7", "1+1?", "2"), tokenizer)
    assert marked(sequence, tokenizer) == (
        "<|im_start|>user\n3+4?<|im_end|>\n<|im_start|>assistant\n[[7<|im_end|>]]\n"
        "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n[[2<|im_end|>]]"
    )


def test_smollm2() -> None:
    folder = Path(__file__).parents[3] / "models" / "smollm2-135m"
    if not folder.is_dir():
        pytest.skip("no SmolLM2: launch prepare smollm2_135m")
    tokenizer = load_tokenizer(folder)
    thought = "<think>\n47 + 38: 7 + 8 = 15.\n</think>\n\nThe answer is 85."
    encoder = ChatEncoder(tokenizer, end_token_ids(folder))
    (sequence,) = encoder.encode(chat("47+38?", thought, "And 1+1?", "2"))
    text = marked(sequence, tokenizer)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert text.endswith(
        f"<|im_start|>user\n47+38?<|im_end|>\n<|im_start|>assistant\n[[{thought}<|im_end|>]]\n"
        "<|im_start|>user\nAnd 1+1?<|im_end|>\n<|im_start|>assistant\n[[2<|im_end|>]]"
    )
    # Piece by piece or as a whole, the tokens are the same here.
    assert sequence.token_ids == tokenizer.encode(sequence.text, add_special_tokens=False)
