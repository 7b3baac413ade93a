"""Language models that are asked in plain words: to rewrite a trajectory, to judge an answer.

EndpointModel asks an OpenAI-compatible server. A server that stays out of reach stops the run,
which goes on from the last reply when it is started again; an answer that cannot be used is the
caller's to count.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from configs.data_making import TextModelSettings
from configs.errors import UserError
from recipes.kept_replies import KeptReplies, Unusable
from rewards.format import END_THINK
from rewards.http import Server, read_token

RETRIES_S = (0.5, 1.0, 2.0, 4.0)
"""Waits before the tries after the first, each up to half as long again."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
REFUSED = (400, 413, 422)
"""What servers answer to one question beyond the model's context, and to every one where a name or
a number in the settings is wrong."""
MAX_RESPONSE_BYTES = 64 << 20


class TextModel(Protocol):
    """Answers questions, each by itself."""

    def ask_all(self, questions: Sequence[str]) -> list[str | Unusable]:
        """One answer per question, in order, without the thinking in front of it."""
        ...


class EndpointModel:
    """A server with /chat/completions."""

    def __init__(self, settings: TextModelSettings, setting: str, replies: Path) -> None:
        """setting: the name of the settings, for messages; replies: the file that keeps what the
        server has replied. Raises UserError for a bad URL or token file."""
        try:
            self._server = Server.at(settings.url, "/chat/completions")
        except ValueError as error:
            raise UserError(f"{setting}.url: {settings.url!r}; give http://HOST:PORT/v1") from error
        self._token = read_token(settings.token_file)
        self._settings = settings
        self._setting = setting
        self._replies = KeptReplies(replies, settings.model)
        self._has_answered = len(self._replies) > 0
        self._refusal = ""

    def ask_all(self, questions: Sequence[str]) -> list[str | Unusable]:
        with ThreadPoolExecutor(self._settings.connections) as threads:
            answers = list(threads.map(self._ask, questions, _numbers(questions)))
        if self._refusal and not self._has_answered:
            raise UserError(
                f"{self._where}: the server refuses every request ({self._refusal}); check "
                f"{self._setting}.model and {self._setting}.max_tokens"
            )
        return answers

    def _ask(self, question: str, number: int) -> str | Unusable:
        answer = self._replies.find(question, number)
        if answer is None:
            answer = self._request(question)
            # While everything is refused, it is for the settings and not for the questions.
            if self._has_answered:
                self._replies.keep(question, number, answer)
        return answer

    def _request(self, question: str) -> str | Unusable:
        body = json.dumps(
            {
                "model": self._settings.model,
                "messages": [{"role": "user", "content": question}],
                "temperature": self._settings.temperature,
                "max_tokens": self._settings.max_tokens,
            }
        )
        problem = ""
        for wait_s in (0.0, *RETRIES_S):
            time.sleep(wait_s * random.uniform(1.0, 1.5))
            try:
                status, content = self._server.post(
                    body.encode(),
                    token=self._token,
                    timeout_s=self._settings.timeout_s,
                    max_bytes=MAX_RESPONSE_BYTES,
                )
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if status == 200:
                answer = self._read(content)
                self._has_answered = True
                return answer
            said = " ".join(content.decode(errors="replace").split())
            problem = f"HTTP {status}: {said[:200]}"
            if status in REFUSED:
                self._refusal = problem
                return Unusable(problem)
            if status not in BUSY:
                raise UserError(f"{self._where}: the server refuses the request ({problem})")
        raise UserError(
            f"{self._where}: no answer ({problem}); nothing is lost: start the server and run the "
            "same command again"
        )

    @property
    def _where(self) -> str:
        return f"{self._setting}.url={self._settings.url}"

    def _read(self, content: bytes) -> str | Unusable:
        """The answer in a response. Something that is no response at all is another server."""
        try:
            choice: dict[str, Any] = json.loads(content)["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise UserError(
                f"{self._where}: answers with something else than a chat completion "
                f"({content[:80].decode(errors='replace')!r}); is it an OpenAI-compatible server?"
            ) from error
        return usable(text, cut=reason == "length")


def _numbers(questions: Sequence[str]) -> Iterator[int]:
    """Of each, how often the same question stands before it."""
    before: Counter[str] = Counter()
    for question in questions:
        yield before[question]
        before[question] += 1


def usable(text: Any, *, cut: bool) -> str | Unusable:
    """An answer without its thinking, if it is whole."""
    if cut:
        return Unusable("cut at the length cap")
    if not isinstance(text, str) or not text.rpartition(END_THINK)[2].strip():
        return Unusable("empty")
    return text.rpartition(END_THINK)[2].strip()
