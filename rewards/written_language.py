"""Which language a response is written in, for instructions that ask for one.

The script decides where only one of the languages has it; otherwise the most frequent short words.
That is enough for whole responses; a single name or formula has no language here.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

OF_SCRIPT = {
    "HANGUL": "ko",
    "CJK": "zh",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "MALAYALAM": "ml",
}
"""Scripts by the first word of their characters' Unicode names."""

SHORT_WORDS = {
    "LATIN": {
        "en": "the of and to in is that it for was with as on are this be",
        "de": "der die und das ist nicht ein eine mit zu den von für auf sich auch",
        "es": "el la que de y en los se las por con una para es del como",
        "fr": "le la les et des est une du dans que pour qui sur pas de un",
        "it": "il di che la e un per una sono con non del della gli si le",
        "pt": "o que de não uma os em para com as do da é um se no",
        "vi": "và của là có không được cho một những trong người các để với này đã",
        "fi": "ja on ei se että oli hän mutta kun ovat tai myös joka olla tämä niin",
        "sw": "ya na kwa ni wa katika la za kuwa hii yake watu kama au cha hiyo",
        "pl": "i w na nie się z do jest że to jak o od dla są po",
    },
    "CYRILLIC": {
        "ru": "и в не на что с это как по для он от так или но его",
        "uk": "і в не на що з це як та є до для від або але його",
        "bg": "и в не на да се е за от че са с като по това или",
    },
    "ARABIC": {
        "ar": "في من على أن إلى هذا هذه التي الذي عن مع كان أو ما لا هو",
        "fa": "و در به از که این است را با برای آن یک های می تا بر",
        "ur": "کے میں کی ہے اور سے کو کا یہ پر نے ہیں کہ ایک بھی تھا",
    },
    "DEVANAGARI": {
        "hi": "है के में की और से का को हैं यह पर कि एक नहीं लिए भी",
        "mr": "आहे आणि या ते होते आहेत हे एक नाही व तर की मध्ये असे साठी त्या",
        "ne": "छ र मा को लागि हो छन् पनि यो गर्न एक थियो भने हुन् तर गर्छ",
    },
}
"""Sixteen frequent words of each language that shares its script with others."""

_WORDS = {
    script: {language: frozenset(words.split()) for language, words in languages.items()}
    for script, languages in SHORT_WORDS.items()
}
KANA_SHARE = 0.05
"""Japanese mixes kana into Chinese characters; a Chinese text holds hardly any."""


def written_language(text: str) -> str | None:
    """The ISO 639-1 code of the language most of the text is in; None when nothing tells it.

    written_language("Das ist nicht der Weg.") == "de"
    """
    letters = [character for character in text if character.isalpha()]
    scripts = Counter(unicodedata.name(letter, "?").split()[0] for letter in letters)
    if not scripts:
        return None
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana > KANA_SHARE * len(letters):
        return "ja"
    script = scripts.most_common(1)[0][0]
    if script not in _WORDS:
        return OF_SCRIPT.get(script)
    words = [word.strip(".,;:!?\"'()[]*«»“”„…।۔،؟-").lower() for word in text.split()]
    found = {
        language: sum(word in known for word in words) for language, known in _WORDS[script].items()
    }
    best = max(found, key=lambda language: found[language])
    return best if found[best] else None
