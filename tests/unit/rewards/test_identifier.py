"""The language of whole responses, over every language that IFEval asks for."""

from __future__ import annotations

import pytest

from rewards.identifier import written_language

SENTENCES = {
    "en": "The cat sat on the roof and it was happy with that.",
    "de": "Die Katze saß auf dem Dach und war damit zufrieden, denn es ist schön.",
    "es": "El gato se sentó en el tejado y no quería bajar de allí.",
    "fr": "Le chat est assis sur le toit et il ne veut pas descendre.",
    "it": "Il gatto è seduto sul tetto e non vuole scendere per un motivo.",
    "pt": "O gato não quer descer do telhado, mas está contente com isso.",
    "vi": "Con mèo ngồi trên mái nhà và không muốn xuống.",
    "fi": "Kissa istuu katolla ja se ei halua tulla alas.",
    "sw": "Paka amekaa juu ya paa na hataki kushuka kwa sababu ni raha.",
    "pl": "Kot siedzi na dachu i nie chce zejść, bo jest mu dobrze.",
    "ru": "Кошка сидит на крыше и не хочет спускаться.",
    "uk": "Кішка сидить на даху і не хоче злазити, але це її дім.",
    "bg": "Котката седи на покрива и не иска да слезе от него.",
    "ar": "القطة تجلس على السطح من الصباح إلى المساء",
    "fa": "گربه روی بام نشسته است و نمی خواهد از آن پایین بیاید",
    "ur": "بلی چھت پر بیٹھی ہے اور نیچے نہیں آنا چاہتی",
    "hi": "बिल्ली छत पर बैठी है और नीचे नहीं आना चाहती।",
    "mr": "मांजर छतावर बसले आहे आणि ते खाली येत नाही.",
    "ne": "बिरालो छानामा बसेको छ र तल आउन चाहँदैन तर यो राम्रो हो।",
    "ja": "猫は屋根の上に座っていて、降りたくない。",
    "zh": "猫坐在屋顶上，不想下来。",
    "ko": "고양이가 지붕 위에 앉아 있다.",
    "th": "แมวนั่งอยู่บนหลังคา",
    "he": "החתול יושב על הגג",
    "bn": "বিড়ালটি ছাদে বসে আছে",
    "ta": "பூனை கூரையில் உள்ளது",
    "te": "పిల్లి పైకప్పు మీద ఉంది",
    "kn": "ಬೆಕ್ಕು ಛಾವಣಿಯ ಮೇಲೆ ಇದೆ",
    "gu": "બિલાડી છત પર બેઠી છે",
    "pa": "ਬਿੱਲੀ ਛੱਤ ਉੱਤੇ ਬੈਠੀ ਹੈ",
    "ml": "പൂച്ച മേൽക്കൂരയിൽ ഇരിക്കുന്നു",
    "el": "Η γάτα κάθεται στη στέγη",
}


FORMS = {
    "alone": "{}",
    "capitals": "{}",
    "in Markdown": "**Answer**\n\n1. {} (see `x = 3`)\n2. 42 %",
    "long": "{} " * 99,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("language", "text"), SENTENCES.items(), ids=SENTENCES.keys())
def test_language(language: str, text: str, form: str) -> None:
    text = text.upper() if form == "capitals" else text
    assert written_language(FORMS[form].replace("{}", text)) == language


@pytest.mark.parametrize("text", ["", "12 + 3 = 15", "Xyzzy qwrt zzgl", "OK.", "HELLO", "😀"])
def test_nothing_tells_the_language(text: str) -> None:
    assert written_language(text) is None
