"""Conversations to tokens, and which of them the assistant is to learn.

A chat template says what surrounds a turn; the turn itself is put in verbatim. So no template can
take the chain of thought out of what is trained on, as R1's does with every turn in the history.

    header = what the template writes before a turn     <｜Assistant｜>
    footer = what it writes after the turn               <｜end▁of▁sentence｜>
    prompt = the conversation so far as the sampler would get it; no loss
    answer = turn and footer up to the end token, which is learnt too

Prompt and answer are tokenized apart, as in sampling: no token spans the border. A later turn goes
on in the same sequence where the template shows what came before unchanged, and begins a sequence
of its own where it does not. Either way each turn is learnt once, in the context it will have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from configs.errors import UserError
from recipes.chat_rows import Conversation, Turn
from recipes.row_files import BadRow

PLACEHOLDER = "0placeholder0"
"""Stands in for a turn to find out what the template writes around it."""


@dataclass(slots=True)
class TokenSequence:
    """Tokens of a sequence and which of them are learnt; text is what they spell."""

    token_ids: list[int]
    is_learnt: list[bool]
    text: str

    def add(self, text: str, token_ids: Sequence[int], *, learnt: bool) -> None:
        self.text += text
        self.token_ids += token_ids
        self.is_learnt += [learnt] * len(token_ids)


class ChatEncoder:
    """Encodes conversations for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_ids: Sequence[int]) -> None:
        """end_ids: the tokens that end a completion when the model is sampled."""
        self._tokenizer = tokenizer
        self._end_tokens = [cast(str, tokenizer.convert_ids_to_tokens(i)) for i in end_ids]
        eos = tokenizer.eos_token
        self._end_token = eos if eos in self._end_tokens else self._end_tokens[0]

    def encode(self, conversation: Conversation) -> list[TokenSequence]:
        """The sequences of a conversation: one, unless the template rewrites earlier turns.

        Raises BadRow, and UserError when the template fits no conversation.
        """
        for turn in conversation.turns:
            self._check_content(turn, plain=conversation.plain)
        encode = self._encode_plain if conversation.plain else self._encode_chat
        sequences = encode(conversation.turns)
        unknown = self._tokenizer.unk_token_id
        if unknown is not None and any(unknown in each.token_ids for each in sequences):
            raise BadRow("a character that the tokenizer does not know")
        return sequences

    def _check_content(self, turn: Turn, *, plain: bool) -> None:
        content = turn.content
        if plain and turn.role == "assistant":
            content = self._without_end(content)
        if any(token in content for token in self._end_tokens):
            raise BadRow("end token inside a text", turn.role)

    def _without_end(self, text: str) -> str:
        for token in self._end_tokens:
            text = text.removesuffix(token)
        return text

    def _encode_plain(self, turns: Sequence[Turn]) -> list[TokenSequence]:
        prompt, completion = turns
        answer = self._without_end(completion.content) + self._end_token
        sequence = TokenSequence([], [], "")
        # Special tokens at the beginning are those that a plain prompt gets in sampling.
        sequence.add(prompt.content, self._tokenizer.encode(prompt.content), learnt=False)
        sequence.add(answer, self._ids(answer), learnt=True)
        return [sequence]

    def _encode_chat(self, turns: Sequence[Turn]) -> list[TokenSequence]:
        sequences: list[TokenSequence] = []
        for place, turn in enumerate(turns):
            if turn.role != "assistant":
                continue
            prompt, answer = self._prompt_and_answer(turns[:place], turn.content)
            if not sequences or not prompt.startswith(sequences[-1].text):
                sequences.append(TokenSequence([], [], ""))
            sequence = sequences[-1]
            between = prompt[len(sequence.text) :]
            sequence.add(between, self._ids(between), learnt=False)
            sequence.add(answer, self._ids(answer), learnt=True)
        return sequences

    def _prompt_and_answer(self, context: Sequence[Turn], content: str) -> tuple[str, str]:
        """(prompt, answer) of one turn of the assistant."""
        asked = self._render(context, ask=True)
        shown = self._render([*context, Turn("assistant", PLACEHOLDER)], ask=False)
        header, found, footer = shown.rpartition(PLACEHOLDER)
        end = min((footer.find(t) + len(t) for t in self._end_tokens if t in footer), default=0)
        if not found or not end:
            raise UserError(
                f"model.path: the chat template writes {footer!r} after a turn of the assistant, "
                f"which holds none of the model's end tokens ({', '.join(self._end_tokens)}), so "
                "the model would never stop: change eos_token_id in generation_config.json, or "
                "the chat template"
            )
        if content.startswith("<think>") and header.startswith(asked):
            # Without the empty chain of thought that a template puts before a turn without one.
            header = asked + header[len(asked) :].partition("<think>")[0]
        whole = header + content + footer[:end]
        # The sampler's prompt may already begin the turn, with "<think>\n" for example.
        prompt = max((p for p in (header, asked) if whole.startswith(p)), key=len)
        return prompt, whole[len(prompt) :]

    def _render(self, turns: Sequence[Turn], *, ask: bool) -> str:
        if self._tokenizer.chat_template is None:
            raise UserError(
                "model.path: the tokenizer has no chat template, which rows with messages need; "
                "give it R1's with `python -m recipes.r1_base FOLDER NEW`, add chat_template.jinja "
                "to the folder, or give rows of prompt and completion"
            )
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=ask
            )
        except TemplateError as error:
            raise BadRow("refused by the chat template", str(error)) from error
        return cast(str, text)

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)
