"""The endpoint client: asks, waits, tries again, and says which server does what."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from configs.data_making import TextModelSettings
from configs.errors import UserError
from recipes import text_models
from recipes.kept_replies import Unusable
from recipes.text_models import EndpointModel
from tests.unit.recipes.chat_server import Reply, chat_server, completion

Open = Callable[..., EndpointModel]


@pytest.fixture
def model(tmp_path: Path) -> Open:
    """Opens a model that has replied nothing yet."""
    numbers = count()

    def opened(url: str, **settings: Any) -> EndpointModel:
        asked = TextModelSettings(url=url, model="m", **settings)
        return EndpointModel(asked, "recipe.judge", tmp_path / f"replies-{next(numbers)}.jsonl")

    return opened


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_models, "RETRIES_S", (0.01, 0.01))


def test_answers_come_in_order_and_without_thinking(model: Open) -> None:
    requests: list[dict[str, Any]] = []

    def answer(request: dict[str, Any], _: dict[str, str]) -> Reply:
        requests.append(request)
        question = request["messages"][0]["content"]
        time.sleep(0.05 if question == "a" else 0.0)
        return completion(f"<think>hm {question}</think>\n{question.upper()} ")

    with chat_server(answer) as url:
        assert model(url, temperature=0.25, max_tokens=9).ask_all(["a", "b", "c"]) == list("ABC")
    assert sorted(each["messages"][0]["content"] for each in requests) == ["a", "b", "c"]
    sent = {key: requests[0][key] for key in ("model", "temperature", "max_tokens")}
    assert sent == {"model": "m", "temperature": 0.25, "max_tokens": 9}


def test_the_token_travels(model: Open, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    seen: list[str | None] = []

    def answer(_: dict[str, Any], headers: dict[str, str]) -> Reply:
        seen.append(headers.get("Authorization"))
        return completion("yes")

    with chat_server(answer) as url:
        model(url, token_file=str(tmp_path / "token")).ask_all(["q"])
        model(url).ask_all(["q"])
    assert seen == ["Bearer s3cret", None]


def test_unusable_answers_are_the_callers_to_count(model: Open) -> None:
    replies = {
        "empty": completion("  "),
        "null": completion(None),
        "only thinking": completion("<think>a</think>  "),
        "cut": completion("half an ans", finish_reason="length"),
    }

    def answer(request: dict[str, Any], _: dict[str, str]) -> Reply:
        return replies[request["messages"][0]["content"]]

    with chat_server(answer) as url:
        found = model(url).ask_all(list(replies))
    assert found == [Unusable("empty")] * 3 + [Unusable("cut at the length cap")]


def test_a_busy_server_is_asked_again(model: Open) -> None:
    calls: list[int] = []

    def answer(*_: object) -> Reply:
        calls.append(1)
        return completion("at last") if len(calls) == 3 else (503, b"busy")

    with chat_server(answer) as url:
        assert model(url).ask_all(["q"]) == ["at last"]
    assert len(calls) == 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_question_too_long_is_no_reason_to_stop(model: Open, status: int) -> None:
    def answer(request: dict[str, Any], _: dict[str, str]) -> Reply:
        if request["messages"][0]["content"] != "too long":
            time.sleep(0.05)
            return completion("yes")
        return status, b'{"error":\n {"message": "8193 tokens"}}'

    refused = Unusable(f'HTTP {status}: {{"error": {{"message": "8193 tokens"}}}}')
    with chat_server(answer) as url:
        asked = model(url)
        # The refusal comes before the first answer does.
        assert asked.ask_all(["too long", "a", "b"]) == [refused, "yes", "yes"]
        assert asked.ask_all(["too long"]) == [refused]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((503, b"busy"), r"no answer \(HTTP 503: busy\); nothing is lost: start the server"),
        (
            (400, b"max_tokens\nis too large"),
            r"every request \(HTTP 400: max_tokens is too large\)",
        ),
        ((401, b"who?"), r"the server refuses the request \(HTTP 401: who\?\)"),
        ((404, b"no model m"), r"the server refuses the request \(HTTP 404: no model m\)"),
        ((200, b"<html>"), r"something else than a chat completion \('<html>'\)"),
        ((200, b'{"choices": []}'), "is it an OpenAI-compatible server"),
        ((200, b"\xff\xfe"), "is it an OpenAI-compatible server"),
    ],
)
def test_a_server_that_does_not_work_is_one_line(model: Open, reply: Reply, said: str) -> None:
    with chat_server(lambda *_: reply) as url, pytest.raises(UserError, match=said) as caught:
        model(url).ask_all(["q"])
    assert str(caught.value).startswith(f"recipe.judge.url={url}: ")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_down_is_one_line(model: Open) -> None:
    with chat_server(lambda *_: completion("")) as url:
        pass
    with pytest.raises(UserError, match=r"ConnectionRefusedError.*run the same command again"):
        model(url).ask_all(["q"])


def test_a_slow_server_is_not_waited_for_forever(model: Open) -> None:
    def answer(*_: object) -> Reply:
        time.sleep(0.5)
        return completion("late")

    with chat_server(answer) as url:
        began = time.monotonic()
        with pytest.raises(UserError, match="TimeoutError"):
            model(url, timeout_s=0.1).ask_all(["q"])
        assert time.monotonic() - began < 2.0
        assert model(url, timeout_s=5.0).ask_all(["q"]) == ["late"]


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://"])
def test_what_is_no_url(model: Open, url: str) -> None:
    with pytest.raises(UserError, match=r"recipe\.judge\.url: .*give http://HOST:PORT/v1"):
        model(url)
