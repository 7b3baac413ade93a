import json
from pathlib import Path

import pytest

from configs.data_sets import Gsm8kData, NanoData
from configs.errors import UserError
from recipes.datasets import R1_ZERO_TEMPLATE, load_prompts, prompts_for_step
from recipes.nano_tokenizer import build_tokenizer
from rl.records import Prompt

TOKENIZER = build_tokenizer()


def numbered(count: int) -> list[Prompt]:
    return [Prompt(id=str(i), text="", token_ids=(), answer="") for i in range(count)]


def ids_of_steps(count: int, per_step: int, steps: int, seed: int = 0) -> list[str]:
    prompts = numbered(count)
    return [p.id for step in range(steps) for p in prompts_for_step(prompts, per_step, step, seed)]


@pytest.mark.parametrize(("count", "per_step"), [(10, 5), (10, 10), (7, 3), (5, 1)])
def test_an_epoch_uses_no_prompt_twice_and_leaves_out_less_than_a_step(count, per_step):
    steps = count // per_step
    ids = ids_of_steps(count, per_step, steps=2 * steps)
    epochs = [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == steps * per_step > count - per_step
    assert epochs[0] != epochs[1]


def test_fewer_prompts_than_a_step_needs_is_one_line():
    with pytest.raises(UserError, match=r"rollout.prompts_per_step=12: .* only 5 training prompts"):
        prompts_for_step(numbered(5), 12, 0, 0)


def test_the_cursor_has_no_state_but_the_seed():
    prompts = numbered(10)
    assert prompts_for_step(prompts, 4, 7, 0) == prompts_for_step(prompts, 4, 7, 0)
    assert ids_of_steps(10, 4, 5) != ids_of_steps(10, 4, 5, seed=1)


def test_the_order_does_not_depend_on_the_batch_size():
    assert ids_of_steps(10, 5, 4) == ids_of_steps(10, 1, 20)


def test_nano_prompts():
    sets = load_prompts(NanoData(train_problems=200, heldout_problems=50), TOKENIZER)
    assert (len(sets.train), len(sets.heldout), sets.rejected) == (200, 50, {})
    everything = [*sets.train, *sets.heldout]
    assert len({prompt.id for prompt in everything}) == 250
    assert len({prompt.text for prompt in everything}) == 250
    for prompt in everything:
        assert TOKENIZER.decode(prompt.token_ids) == prompt.text
        assert set(prompt.metadata) == {"kind", "language", "question"}


def test_nano_prompts_in_the_chat_template_ask_the_same():
    plain = load_prompts(NanoData(train_problems=20, heldout_problems=5), TOKENIZER)
    chat = load_prompts(NanoData(train_problems=20, heldout_problems=5, template="chat"), TOKENIZER)
    for before, after in zip(plain.train, chat.train, strict=True):
        question = before.text.removeprefix("User:").removesuffix(" Assistant:")
        assert after.text == f"<｜begin▁of▁sentence｜><｜User｜>{question}<｜Assistant｜>"
        assert after.token_ids == tuple(TOKENIZER.encode(after.text, add_special_tokens=False))
        assert TOKENIZER.unk_token_id not in after.token_ids
        assert (after.id, after.answer, after.metadata) == (
            before.id,
            before.answer,
            before.metadata,
        )


def test_the_chat_template_has_to_be_there():
    bare = build_tokenizer()
    bare.chat_template = None
    with pytest.raises(UserError, match=r"data\.template=chat: .* no chat template; take"):
        load_prompts(NanoData(train_problems=1, heldout_problems=1, template="chat"), bare)


def write(folder: Path, *rows: object) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows))
    return str(path)


def row(i: int, words: int = 1) -> dict[str, str]:
    return {"question": f"{'What ' * words}{i}+1", "answer": f"{i}+1={i + 1}\n#### {i + 1:,}"}


def test_gsm8k_rows_become_the_papers_prompt(tmp_path):
    data = Gsm8kData(path=write(tmp_path, row(1), row(2), row(999)), heldout_problems=1)
    sets = load_prompts(data, TOKENIZER)
    by_id = {prompt.id: prompt for prompt in [*sets.train, *sets.heldout]}
    assert sorted(by_id) == ["gsm8k-1", "gsm8k-2", "gsm8k-3"]
    assert by_id["gsm8k-3"].answer == "1,000"
    text = by_id["gsm8k-1"].text
    assert text.startswith("A conversation between User and Assistant. The user asks a question,")
    assert text.endswith("<answer> answer here </answer>. User: What 1+1. Assistant:")
    assert TOKENIZER.decode(by_id["gsm8k-1"].token_ids) == text


def test_gsm8k_with_the_chat_template(tmp_path):
    path = write(tmp_path, row(1), row(2))
    data = Gsm8kData(path=path, heldout_problems=1, template="chat")
    sets = load_prompts(data, TOKENIZER)
    text = min([*sets.train, *sets.heldout], key=lambda prompt: prompt.id).text
    assert text == "<｜begin▁of▁sentence｜><｜User｜>What 1+1<｜Assistant｜>"
    assert sets.train[0].token_ids.count(TOKENIZER.bos_token_id) == 1


def test_questions_with_braces_stay_as_they_are(tmp_path):
    rows = [row(1), {"question": "What is {x} in {0}?", "answer": "#### 3"}]
    sets = load_prompts(Gsm8kData(path=write(tmp_path, *rows), heldout_problems=1), TOKENIZER)
    assert any("What is {x} in {0}?" in p.text for p in [*sets.train, *sets.heldout])


def test_heldout_rows_depend_on_the_questions_only(tmp_path):
    rows = [row(i) for i in range(40)]
    forward = load_prompts(Gsm8kData(path=write(tmp_path, *rows), heldout_problems=9), TOKENIZER)
    back = load_prompts(Gsm8kData(path=write(tmp_path, *rows[::-1]), heldout_problems=9), TOKENIZER)
    assert {p.text for p in forward.heldout} == {p.text for p in back.heldout}
    assert not {p.text for p in forward.heldout} & {p.text for p in forward.train}
    assert (len(forward.heldout), len(forward.train)) == (9, 31)


def test_repeated_and_long_problems_are_left_out_and_listed(tmp_path):
    limit, longer = (
        len(TOKENIZER.encode(R1_ZERO_TEMPLATE.format(question=row(1, words)["question"])))
        for words in (20, 21)
    )
    path = write(tmp_path, row(1), row(2), row(1), row(3, words=20), row(4, words=21))
    sets = load_prompts(
        Gsm8kData(path=path, heldout_problems=1, max_prompt_tokens=limit), TOKENIZER
    )
    assert len(sets.train) + len(sets.heldout) == 3
    assert sets.rejected == {
        "question occurs twice": 1,
        f"prompt longer than {limit} tokens": 1,
    }
    assert [(each.row, each.detail) for each in sets.rejected_rows] == [
        (3, "gsm8k-1"),
        (5, f"{longer} tokens"),
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{not json", "rows.jsonl:2: not JSON"),
        ("[1]", "rows.jsonl:2: not an object"),
        ({"question": "q"}, "rows.jsonl:2: not a text .answer is NoneType.; every line must be"),
        ({"question": " ", "answer": "#### 1"}, "rows.jsonl:2: empty text .question"),
        ({"question": "q", "answer": 3}, "rows.jsonl:2: not a text .answer is int"),
        ({"question": "q", "answer": "3"}, "rows.jsonl:2: the answer does not end in .*'3'"),
        ({"question": "q", "answer": "#### three"}, "rows.jsonl:2: the answer does not end in"),
        ({"question": "\ud800", "answer": "#### 3"}, "rows.jsonl:2: not valid Unicode .question"),
    ],
)
def test_bad_rows_are_named(tmp_path, bad, message):
    with pytest.raises(UserError, match=message) as caught:
        load_prompts(Gsm8kData(path=write(tmp_path, row(1), bad)), TOKENIZER)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = Path(write(tmp_path, row(1)))
    path.write_bytes(path.read_bytes() + b'{"question": "caf\xe9"}\n')
    with pytest.raises(UserError, match=r"rows\.jsonl:2: not UTF-8 .byte 17 of the line"):
        load_prompts(Gsm8kData(path=str(path)), TOKENIZER)


def test_missing_empty_and_too_small_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.jsonl is not a file"):
        load_prompts(Gsm8kData(path=str(tmp_path / "nothing.jsonl")), TOKENIZER)
    with pytest.raises(UserError, match=r"rows\.jsonl is empty"):
        load_prompts(Gsm8kData(path=write(tmp_path, "  ")), TOKENIZER)
    with pytest.raises(UserError, match=r"data\.heldout_problems: 2 leaves nothing"):
        load_prompts(Gsm8kData(path=write(tmp_path, row(1), row(2)), heldout_problems=2), TOKENIZER)


def test_rows_of_the_real_gsm8k(tmp_path):
    real = Path(__file__).parents[4] / "shared" / "data" / "gsm8k_train.jsonl"
    if not real.is_file():
        pytest.skip("no GSM8K file beside the checkout")
    rows = real.read_text().splitlines()[:300]
    data = Gsm8kData(path=write(tmp_path, *rows), heldout_problems=50, max_prompt_tokens=4096)
    sets = load_prompts(data, TOKENIZER)
    assert (len(sets.train), len(sets.heldout), sets.rejected) == (250, 50, {})
    assert sets.train[0].answer.isdigit()
