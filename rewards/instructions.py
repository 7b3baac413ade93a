"""The verifiable instructions of IFEval (Zhou et al. 2023, arXiv 2311.07911, table 1).

One function per instruction; its keyword arguments have the names of the data set's. All checks
are strict: they see the response as it is. Words are runs of letters and digits; sentences end at
a full stop, a question or an exclamation mark, abbreviations aside. The authors count sentences and
words in capitals with NLTK's models, so that single responses may be counted differently there.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from rewards.identifier import may_be_in, written_language

RELATIONS = ("at least", "less than")
CONSTRAINED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
PARAGRAPH_DIVIDER = "***"
RESPONSE_DIVIDER = "******"

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*+")
_SENTENCE_END = re.compile(r"[。！？]++|[.!?]++[\"'”’)\]*_]*+(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:mr|mrs|ms|dr|prof|sr|jr|st|vs|etc|no|fig|e\.g|i\.e|u\.s|[a-z])$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[ \t]*(?:\*[^*\n]|-).*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*\*[^\n*]++\*\*|\*[^\n*]++\*")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]+\]")
_TITLE = re.compile(r"<<([^\n<>]++)>>")
_FENCE = re.compile(r"```(?:json)?\s*+(.*?)```", re.DOTALL | re.IGNORECASE)


def check_instruction(name: str, arguments: Mapping[str, Any], response: str) -> bool:
    """Whether the response follows the instruction. An empty response follows none."""
    return bool(response.strip()) and CHECKS[name](response, **arguments)


def problem_with(name: str, arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with an instruction of a data file; None when it can be checked."""
    if name not in CHECKS:
        return f"unknown instruction {name!r}; known are: {', '.join(CHECKS)}"
    parameters = inspect.signature(CHECKS[name]).parameters
    wanted = {key for key, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    if set(arguments) != wanted:
        return f"{name} needs the arguments {sorted(wanted)}, not {sorted(arguments)}"
    for key, value in arguments.items():
        if key.endswith("relation") and value not in RELATIONS:
            return f"{name}: {key}={value!r} must be one of {', '.join(map(repr, RELATIONS))}"
    return None


def count_sentences(text: str) -> int:
    """Stretches of text that hold a word and end in a full stop or its kin, or at the end."""
    sentences, start = 0, 0
    for end in _SENTENCE_END.finditer(text):
        before = text[max(start, end.start() - 12) : end.start()]
        if end.group()[0] == "." and _ABBREVIATION.search(before):
            continue
        sentences += bool(_WORD.search(text, start, end.end()))
        start = end.end()
    return sentences + bool(_WORD.search(text, start))


def _related(count: int, relation: str, bound: int) -> bool:
    return count >= bound if relation == "at least" else count < bound


# --- keywords and language ------------------------------------------------------------------------


def keywords_exist(response: str, *, keywords: list[str]) -> bool:
    """All occur, inside other words too."""
    return all(keyword.lower() in response.lower() for keyword in keywords)


def keyword_frequency(response: str, *, keyword: str, frequency: int, relation: str) -> bool:
    return _related(response.lower().count(keyword.lower()), relation, frequency)


def words_forbidden(response: str, *, forbidden_words: list[str]) -> bool:
    """None occurs as a word of its own."""
    return not any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", response, re.IGNORECASE)
        for word in forbidden_words
    )


def letter_frequency(response: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    return _related(response.lower().count(letter.lower()), let_relation, let_frequency)


def response_language(response: str, *, language: str) -> bool:
    return may_be_in(response, language)


# --- length ---------------------------------------------------------------------------------------


def number_sentences(response: str, *, num_sentences: int, relation: str) -> bool:
    return _related(count_sentences(response), relation, num_sentences)


def number_words(response: str, *, num_words: int, relation: str) -> bool:
    return _related(len(_WORD.findall(response)), relation, num_words)


def number_paragraphs(response: str, *, num_paragraphs: int) -> bool:
    """Exactly so many between dividers; a divider may open or close the response."""
    parts = [part.strip() for part in response.strip().split(PARAGRAPH_DIVIDER)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def nth_paragraph_first_word(
    response: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Exactly so many paragraphs, divided by empty lines, and one of them starts with the word."""
    paragraphs = [part.strip() for part in response.split("\n\n") if part.strip()]
    if len(paragraphs) != num_paragraphs or nth_paragraph > num_paragraphs:
        return False
    word = paragraphs[nth_paragraph - 1].split()[0].lstrip("\"'“‘*_")
    return re.split(r"[.,?!:;'\"”*_]", word)[0].lower() == first_word.lower()


# --- content and format ---------------------------------------------------------------------------


def number_placeholders(response: str, *, num_placeholders: int) -> bool:
    return len(_PLACEHOLDER.findall(response)) >= num_placeholders


def postscript(response: str, *, postscript_marker: str) -> bool:
    """The marker is there; spaces between its letters and its last full stop may differ."""
    letters = [re.escape(letter) for letter in postscript_marker if letter.isalpha()]
    return re.search(r"(?<!\w)" + r"\.\s?".join(letters), response, re.IGNORECASE) is not None


def number_bullets(response: str, *, num_bullets: int) -> bool:
    return len(_BULLET.findall(response)) == num_bullets


def constrained_response(response: str) -> bool:
    return any(answer in response for answer in CONSTRAINED_ANSWERS)


def highlighted_sections(response: str, *, num_highlights: int) -> bool:
    marked = (match.strip("*").strip() for match in _HIGHLIGHT.findall(response))
    return sum(map(bool, marked)) >= num_highlights


def multiple_sections(response: str, *, section_spliter: str, num_sections: int) -> bool:
    """Headings such as "Section 2"; the name as it was given, then a number."""
    headings = re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", response)
    return len(headings) >= num_sections


def json_format(response: str) -> bool:
    """The whole response is JSON, which may stand in one code block."""
    fenced = _FENCE.fullmatch(response.strip())
    try:
        json.loads(fenced[1] if fenced else response)
    except (ValueError, RecursionError):
        return False
    return True


def title(response: str) -> bool:
    return any(each.strip() for each in _TITLE.findall(response))


# --- combinations, beginnings and ends ------------------------------------------------------------


def two_responses(response: str) -> bool:
    parts = [part.strip() for part in response.strip().split(RESPONSE_DIVIDER)]
    answers = [part for part in parts if part]
    return all(parts[1:-1]) and len(answers) == 2 and answers[0] != answers[1]


def repeat_prompt(response: str, *, prompt_to_repeat: str) -> bool:
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_phrase(response: str, *, end_phrase: str) -> bool:
    return response.strip().strip('"').lower().endswith(end_phrase.strip().strip('"').lower())


def quotation(response: str) -> bool:
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


# --- case and punctuation -------------------------------------------------------------------------


def capital_word_frequency(response: str, *, capital_frequency: int, capital_relation: str) -> bool:
    """Words all in capitals, "I" and "A" among them."""
    capitals = sum(word.isupper() for word in _TOKEN.findall(response))
    return _related(capitals, capital_relation, capital_frequency)


def english_capital(response: str) -> bool:
    return response.isupper() and written_language(response) in ("en", None)


def english_lowercase(response: str) -> bool:
    return response.islower() and written_language(response) in ("en", None)


def no_comma(response: str) -> bool:
    return "," not in response


CHECKS: dict[str, Callable[..., bool]] = {
    "keywords:existence": keywords_exist,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": words_forbidden,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullets,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_phrase,
    "startend:quotation": quotation,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
}
