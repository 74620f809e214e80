"""Edits: what each changes and what it must leave alone; idempotence, independence of batching, valid UTF-8."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from curation.ingest.edits import Edit, edit_named, shipped_edits
from curation.ingest.edits.c4_lines import C4Lines
from curation.ingest.edits.mojibake import Mojibake
from curation.ingest.edits.pii import PII_KINDS, Pii
from curation.ingest.edits.refinedweb_lines import RefinedwebLines
from curation.ingest.edits.whitespace import Whitespace
from curation.text.column import rewritten
from curation.text.text import Text
from tests.meeting import meets, met

EVERY_EDIT = [
    Whitespace(),
    Whitespace(blank_lines=2, collapse=True, nfc=True),
    Mojibake(),
    Pii(),
    Pii(mask=""),
    C4Lines(),
    C4Lines(min_words=0, require_end_mark=False),
    RefinedwebLines(),
]


def edited(edit: Edit, *texts: str) -> tuple[list[str], dict[str, list[int]]]:
    result = edit.apply(Text.from_strings(texts))
    return [result.text.string(i) for i in range(len(texts))], {name: count.tolist() for name, count in result.counts.items()}


def one(edit: Edit, text: str) -> str:
    return edited(edit, text)[0][0]


# --- contract -----------------------------------------------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *" \t\n\r\v\f\x00\x1b\x7f\x85\xa0\xad\u1680\u2003\u200b\u200c\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\ufffd",
        *"aZ019.,:;-+()@/é€ßΩЖ中🙂e\u0301Ã©Â\u0080Рџ",
        *("\r\n", "â€™", "cafÃ©", "РџСЂРёРІРµС‚", "å›½", "Ã¢â‚¬â„¢"),
        *(
            "+49 30 1234567",
            "ann@mail.de",
            "8.8.4.77",
            "4111 1111 1111 1111",
            "DE89 3704 0044 0532 0130 00",
            "(212) 555-0199",
            "Tel. 030 1234567",
        ),
        *("[1]", "[", "]", "[edit]", "[[1]2]", " [citation needed] ", "{", "lorem ", "ipsum", "javascript", "use cookies", " so it is.\n"),
    ]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=30).map(
    lambda pieces: "".join(pieces).encode("utf-8", "replace").decode()
)


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=repr)
@meets(edited=7, apart=3)
@given(texts=st.lists(_TEXTS, max_size=5), cut=st.integers(0, 5))
def test_edits_are_idempotent_independent_of_batches_and_give_valid_utf8(edit, texts, cut):
    once, counts = edited(edit, *texts)
    twice, nothing = edited(edit, *once)
    assert twice == once
    assert not any(any(count) for count in nothing.values())
    front, back = edited(edit, *texts[:cut]), edited(edit, *texts[cut:])
    assert front[0] + back[0] == once
    assert {name: front[1][name] + back[1][name] for name in counts} == counts
    raw = edit.apply(Text.from_strings(texts)).text
    raw.data.tobytes()[int(raw.offsets[0]) : int(raw.offsets[-1])].decode("utf-8", "strict")
    for text, edited_text, *numbers in zip(texts, once, *counts.values(), strict=True):
        assert any(numbers) or edited_text == text, "what changed was not counted"
    met["edited"] += sum(before != after for before, after in zip(texts, once, strict=True))
    met["apart"] += 0 < cut < len(texts)


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=repr)
def test_a_sliced_column_is_edited_like_a_whole_one(edit):
    texts = ["x", "  a \n\n\n b\xa0 ", "cafÃ© und ann@mail.de", "", "Tel. +49 30 1234567"]
    whole = Text.from_strings(texts)
    part = Text(whole.data, whole.offsets[1:])
    result = edit.apply(part).text
    assert [result.string(i) for i in range(4)] == edited(edit, *texts)[0][1:]


def test_edits_are_found_by_name():
    assert list(shipped_edits()) == ["c4_lines", "mojibake", "pii", "refinedweb_lines", "whitespace"]
    assert edit_named("pii").name() == "pii"
    with pytest.raises(RecipeError, match="no edit 'pi'"):
        edit_named("pi")


def test_rewriting_replaces_documents_and_copies_the_rest():
    column = Text.from_strings(["a", "bb", "", "dddd"])
    assert rewritten(column, {}) is column
    result = rewritten(column, {1: b"B", 2: "ü".encode()})
    assert [result.string(i) for i in range(4)] == ["a", "B", "ü", "dddd"]


# --- white space --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  \n b\t\n", "a\n b"),
        ("\n\n\na\n\n\n\nb\n\n", "a\n\nb"),
        ("a\r\nb\rc\x85d\u2028e\u2029f", "a\nb\nc\nd\ne\nf"),
        ("so\xadft zero\u200bwidth\ufeff\u2060", "soft zerowidth"),
        ("a\xa0b\u2003c\u202fd\u205fe\x0bf", "a b c d e f"),
        ("می\u200cخواهم 👨\u200d👩", "می\u200cخواهم 👨\u200d👩"),
        ("\x00a\x1b\x7f\x9fb", "ab"),
        ("def f():\n    return  1\n\n\n\tx = 2", "def f():\n    return  1\n\n\tx = 2"),
        ("a \u200b \n\xa0\n \n b", "a\n\n b"),
        (" \n\t\xa0\ufeff\n", ""),
        ("\u3000第一段。", "\u3000第一段。"),
    ],
)
def test_white_space(text, expected):
    assert one(Whitespace(), text) == expected


def test_white_space_counts_what_it_did():
    _, counts = edited(Whitespace(), "a \u200b\r\n\n\n\nb\xa0c", "clean\n\ntext")
    assert counts == {"invisible": [1, 0], "newlines": [1, 0], "blanks": [2, 0], "blank_lines": [2, 0]}


def test_clean_text_comes_back_as_the_same_column():
    column = Text.from_strings(["clean\n\n  text", ""])
    assert Whitespace().apply(column).text is column


def test_white_space_options():
    assert one(Whitespace(collapse=True), "  a   b \t c\n\td  e") == "  a b c\n\td e"
    assert one(Whitespace(blank_lines=2), "a\n\n\n\n\nb") == "a\n\n\nb"
    assert one(Whitespace(blank_lines=0), "a\n\n\nb") == "a\nb"
    assert edited(Whitespace(nfc=True), "e\u0301", "é") == (["é", "é"], edited(Whitespace(nfc=True), "e\u0301", "é")[1])
    assert edited(Whitespace(nfc=True), "e\u0301", "é")[1]["normalized"] == [1, 0]


def test_piles_of_combining_marks_stay_as_they_are():
    pile = "\u0301\u0316" * 16
    within = "\u0301\u0316" * 15
    text = f"e\u0301 a{pile} e\u0301 o{within}x"
    (result,), counts = edited(Whitespace(nfc=True), text)
    assert result == f"é a{pile} é ó" + "\u0316" * 15 + "\u0301" * 14 + "x"
    assert counts["normalized"] == [1]
    assert edited(Whitespace(nfc=True), result)[1]["normalized"] == [0]


# --- mojibake -----------------------------------------------------------------------------------------------------------------------------

SENTENCES = [
    "L’été, nous étions à la plage où il faisait très chaud.",
    "Größere Straßen führen über schöne Brücken.",
    "Привет, мир! Это простая проверка.",
    "Él comió jamón; ¿qué más quería? — “Nada”.",
    "これは日本語の文章です。",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_mojibake_is_repaired(sentence):
    broken = sentence.encode().decode("latin-1")
    assert one(Mojibake(), f"fine\n{broken}") == f"fine\n{sentence}"


@pytest.mark.parametrize("sentence", ["Price: £50 for two.", "Copyright © 2015.", "Ten §§ of law: « oui »."])
def test_signs_without_a_broken_letter_are_repaired(sentence):
    """Of windows-1252 the signs below À leave no pair but the first of all, Â with what follows."""
    broken = sentence.encode().decode("latin-1")
    assert edited(Mojibake(), broken) == ([sentence], {"mojibake": [1]})


def test_mojibake_of_windows_1251_is_repaired():
    assert one(Mojibake(), SENTENCES[2].encode().decode("cp1251", "ignore")[:12]).startswith("Привет")


@pytest.mark.parametrize(
    "sentence", [*SENTENCES, "« Voilà\xa0! »", "ÉTÉ À PARIS", "x² ± 3 µm", "РОССИЯ И СССР", "naïve “quotes” – dashes…"]
)
def test_right_text_is_not_repaired(sentence):
    assert edited(Mojibake(), sentence) == ([sentence], {"mojibake": [0]})


def test_mojibake_counts_lines():
    assert edited(Mojibake(), "cafÃ©\nplain\nrÃ´le", "café")[1] == {"mojibake": [2, 0]}


MEANT = [
    """print("Ã©".encode('latin-1').decode('utf-8'))  # prints é""",
    "Write café, not cafÃ©.",
    "| â€” | — | a dash |",
    'title = "cafÃ©"',
    '"title": "cafÃ©",',
    "    x.append(Ã©t)",
    "Put `cafÃ©` here.",
    "console.log('Ã©')",
    "if word == Ã©t {",
    'Some pages show "Ã©", others (â€™), where a letter should be.',
    "Read as Latin-1, UTF-8 looks like this: cafÃ© au lait.",
    "```\ncafÃ©\n```",
]
"""Mojibake that a text is about, or a program holds."""

REPAIRED = [
    ("The cafÃ© was closed (trÃ¨s tÃ´t); we left.", "The café was closed (très tôt); we left."),
    ("The café wasnâ€™t open.", "The café wasn’t open."),
    ("Seen in VRWorks™ â€” and elsewhere.", "Seen in VRWorks™ — and elsewhere."),
    ('He said "cafÃ©" and left.', 'He said "café" and left.'),
    ("  - Ã©tude", "  - étude"),
    ("       a pattern like \u00e2\x80\x9cthis\u00e2\x80\x9d", "       a pattern like “this”"),
    ("```\ncafÃ©\n```\ncafÃ©", "```\ncafÃ©\n```\ncafé"),
    ("Write café, not cafÃ©.\nThe cafÃ© was closed.", "Write café, not cafÃ©.\nThe café was closed."),
    ("Le thé de Ð¼Ð¸Ñ€ à midi", "Le thé de мир à midi"),  # what is right is in another script
]


@pytest.mark.parametrize("text", MEANT)
def test_mojibake_that_is_meant_stays(text):
    assert edited(Mojibake(), text) == ([text], {"mojibake": [0]})


@pytest.mark.parametrize(("text", "expected"), REPAIRED)
def test_mojibake_in_prose_is_repaired_beside_what_is_right(text, expected):
    assert one(Mojibake(), text) == expected


# --- personal data ------------------------------------------------------------------------------------------------------------------------

PERSONAL = [
    ("Write to ann.lee@mail.org today.", "Write to <email> today."),
    ("Ann <ann+lists@uni-bonn.de>, Bob (bob@b.co.uk)", "Ann <<email>>, Bob (<email>)"),
    ("mailto:o_neil@sub.domain.museum.", "mailto:<email>."),
    ("联系邮箱foo@bar.com。", "联系邮箱<email>。"),
    ("A@B.CO;C@D.IO", "<email>;<email>"),
    ("x@1und1.de", "<email>"),
    ("Почта: иван@почта.рф", "Почта: <email>"),
    ("x@xn--80a1acny.xn--p1ai", "<email>"),
    ("JO@MAIL.COM, Jo@Mail.Com", "<email>, <email>"),
    ("email = jo@he.is", "email = <email>"),
    ("m@x.com, jo@site.name today", "<email>, <email> today"),
    ("Mail ann@mail.org.She answers.", "Mail <email>.She answers."),
    ("Her address was 91.198.174.192.", "Her address was <ip>."),
    ("ping 203.0.114.9:8080 now", "ping <ip>:8080 now"),
    ("http://151.101.1.140/login", "http://<ip>/login"),
    ("from [2620:0:862:ed1a::1] port 22", "from [<ip>] port 22"),
    ("2607:f8b0:4004:800::200e, then", "<ip>, then"),
    ("Call +49 30 901820.", "Call <phone>."),
    ("Call +49 (0)30 / 90 18 20 today", "Call <phone> today"),
    ("+1 (212) 664-7665", "<phone>"),
    ("+1-212-664-7665;", "<phone>;"),
    ("+442079460958 is hers", "<phone> is hers"),
    ("+33 1 42 68 53 00", "<phone>"),
    ("+1.212.664.7665", "<phone>"),
    ("(212) 664-7665", "<phone>"),
    ("212-664-7665,212-664-7666,+49 30 901820,x", "<phone>,<phone>,<phone>,x"),
    ("212-664-7665, ext. 4", "<phone>, ext. 4"),
    ("1-800-727-1111.", "<phone>."),
    ("212.664.7665", "<phone>"),
    ("(030) 901820-11", "<phone>"),
    ("Tel.: 030 90182011", "Tel.: <phone>"),
    ("Phone 01 42 68 53 00", "Phone <phone>"),
    ("fax no. 020 7946 0958", "fax no. <phone>"),
    ("Mobile: 0171/23456789", "Mobile: <phone>"),
    ("card 4111 1111 1111 1111 exp", "card <card> exp"),
    ("5500-0055-5555-5559", "<card>"),
    ("378282246310005", "<card>"),
    ("3782 822463 10005.", "<card>."),
    ("6011111111111117", "<card>"),
    ("IBAN DE89 3704 0044 0532 0130 00 BIC X", "IBAN <iban> BIC X"),
    ("GB29NWBK60161331926819", "<iban>"),
    ("FR14 2004 1010 0505 0001 3M02 606, Paris", "<iban>, Paris"),
    ("NO9386011117947", "<iban>"),
]

HARMLESS = [
    # e-mail
    "user@host and @handle and a @ b",
    "Write to me@example.com or root@server.local.",
    "logo@2x.png and icon@3x.min.css",
    "scores = q@k.transpose(-2, -1)",
    "scores = q@k.mT / scale; print(a@b.shape); loss = x@w.mean; y = W@x.T + b",
    "out = model@state.name; return x@w.is; y = W@x.name[0]; h = self.q@self.k.id; a@b.id",
    "y = w1@x2.name",
    "print(weights@layer.name) and (x@w.to - b)",
    "pip@23.2.1, foo@1.2.3, react@18.2.0-next.dev, root@localhost, x@Y.mT",
    "git clone git@github.com:owner/project.git",
    "npm install react@18.2.0 @types/node@20.1.1",
    # addresses
    "The router is at 192.168.1.77, the host at 10.20.30.40 or 172.16.99.1.",
    "127.0.0.1, 0.0.0.0, 255.255.255.0, 224.0.0.251, 169.254.33.44",
    "Documentation uses 192.0.2.44, 198.51.100.7, 203.0.113.99 and 2001:db8::1.",
    "version 10.15.77.1, v2.40.1.3, Chrome/91.0.72.124, lib-1.2.33.4",
    "See section 4.33.2.1 and 1.2.3.4 below; OID 1.3.6.1.4.1.311",
    "300.200.100.999 and 1.2.3 and 99.5.3",
    "It ran from 12:30:45 to 2024:05:06; std::vector::size; fe80::1; ::1; 3:2:1",
    # phones
    "In 2019-2020 and 1939 - 1945, 2021-05-12 10:30, 12/05/2021, 05.12.2021",
    "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, ISSN 2049-3630",
    "doi:10.1000/182 and https://doi.org/10.1038/s41586-020-2649-2",
    "x = 12345678 + 87654321 - 5; a+12345678901; 3 + 4 = 7; (x)+4412345678",
    "+3.14159265358 and +1 000 000 000 and +0100 and +273.15 and +5 %",
    "Order 112-1234567-1234567, part 300-200-12345, #212-664-7665",
    "Unix time 1609459200 or 1609459200000 ms; population 1 439 323 776",
    "10,000,000 people; 1.234.567,89 EUR; 123456789; 0171 23456789",
    "call 911, phone 12, fax machine of 1984, mobile 2020-2021",
    "(2019) 123-4567; f(030) 901820; 100-200-3000",
    # cards
    "4111 1111 1111 1112 fails Luhn; 1234 5678 9012 3456 has no issuer",
    "9780306406157 is a book; 0.4111111111111111 a fraction; 41111111111111110000 too long",
    "https://site.com/photo/4111111111111111 and id=4111111111111111",
    "4444444444444444 and 0000 0000 0000 0000; 4111-1111 1111-1111",
    "1 4111 1111 1111 1111 2",
    # IBAN
    "DE88 3704 0044 0532 0130 00 has a wrong check digit",
    "XX89 3704 0044 0532 0130 00 and DE89 3704 0044",
    "AB12 CD34 EF56 GH78, GB29NWBK601613319268190, sDE89370400440532013000",
    # text
    "Fermat: x^n + y^n = z^n; 2 < 3 > 1; pi = 3.141592653589793238",
    "The matrix 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    "<email> <ip> <phone> <card> <iban>",
]


def test_the_lists_of_lines_are_long_enough():
    assert len(PERSONAL) + len(HARMLESS) >= 60


@pytest.mark.parametrize(("text", "expected"), PERSONAL, ids=[text for text, _ in PERSONAL])
def test_personal_data_is_masked(text, expected):
    (result,), counts = edited(Pii(), text)
    assert result == expected
    assert {kind: count[0] for kind, count in counts.items()} == {kind: expected.count(f"<{kind}>") for kind in PII_KINDS}


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_alone(text):
    (result,), counts = edited(Pii(), text)
    assert result == text
    assert not any(count[0] for count in counts.values())


def test_all_lines_in_one_document_are_masked_like_each_alone():
    lines = [text for text, _ in PERSONAL] + HARMLESS
    assert one(Pii(), "\n".join(lines)).split("\n") == edited(Pii(), *lines)[0]


def test_only_the_kinds_asked_for_are_masked():
    (result,), counts = edited(Pii(kinds=("ip",), mask="[{kind}]"), "ann@mail.org from 91.198.174.192")
    assert result == "ann@mail.org from [ip]"
    assert {kind: count.tolist() if isinstance(count, np.ndarray) else count for kind, count in counts.items()} == {"ip": [1]}


def test_masks_may_be_fixed_words_but_no_personal_data():
    assert one(Pii(kinds=("email",), mask="someone@example.com"), "ann@mail.org") == "someone@example.com"
    with pytest.raises(RecipeError, match="looks like personal data"):
        Pii(mask="someone@mail.org")
    with pytest.raises(RecipeError, match="without digits"):
        Pii(mask="<{kind}-1>")
    with pytest.raises(RecipeError, match="no kind 'emial'"):
        Pii(kinds=("emial",))
