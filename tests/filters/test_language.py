"""The language filter: the kernel against py3langid itself, the guard for texts without language, rules, accuracy on real texts."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from curation.text.text import Text
from filters.language import Language
from tests.meeting import meets, met

SENTENCES = {
    "en": "Plants take in light and water, and give back the oxygen that every animal breathes.",
    "de": "Pflanzen nehmen Licht und Wasser auf und geben den Sauerstoff ab, den jedes Tier atmet.",
    "fr": "Les plantes absorbent la lumière et l’eau, puis rendent l’oxygène que respirent les animaux.",
    "ru": "Растения поглощают свет и воду и отдают кислород, которым дышат животные.",
    "ja": "植物は光と水を取り入れ、動物が呼吸する酸素を出します。",
    "ar": "تمتص النباتات الضوء والماء وتعطي الأكسجين الذي تتنفسه الحيوانات.",
}


@pytest.fixture(scope="module")
def twin() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identified(texts, **parameters):
    signals = Language(**parameters).signals(Text.from_strings(texts), None)
    return signals["language"].to_pylist(), signals["score"].to_pylist()


def test_languages_are_told_apart():
    languages, scores = identified(list(SENTENCES.values()))
    assert languages == list(SENTENCES)
    assert min(scores) > 0.65


pieces = st.one_of(st.sampled_from([*SENTENCES.values(), "MAIN STREET", "x = [1, 2]", "e\u0301"]), st.text(max_size=20))


@meets(de=8, fr=5, ja=10, unknown=20)
@given(texts=st.lists(st.lists(pieces, max_size=4).map("".join), max_size=4), sample=st.sampled_from([7, 40, 2048]))
def test_the_kernel_agrees_with_the_library(twin, texts, sample):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    for text, language, score in zip(texts, *identified(texts, sample_bytes=sample), strict=True):
        head = text.encode()[:sample].decode("utf-8", "ignore")
        head = head.lower() if sum(map(str.isupper, head)) > sum(map(str.islower, head)) else head
        expected, probability = twin.classify(head)
        if language is None:
            assert probability < 0.05, "what the filter calls unknown, the library must be unsure of"
        else:
            assert score == pytest.approx(probability, abs=1e-3)
            assert language == expected or score == pytest.approx(dict(twin.rank(head))[language], abs=1e-3)
        met["unknown" if language is None else language] += 1


@meets(apart=7)
@given(texts=st.lists(pieces, min_size=1, max_size=5), cut=st.integers(0, 5))
def test_batches_do_not_matter(texts, cut):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    whole, first, second = identified(texts), identified(texts[:cut]), identified(texts[cut:])
    assert whole == (first[0] + second[0], first[1] + second[1])
    met["apart"] += 0 < cut < len(texts)


def test_texts_without_language_have_null_signals():
    assert identified(["", "  \n", None]) == ([None] * 3, [None] * 3)


def test_malformed_bytes_are_no_error():
    whole = Text.from_strings(["abcé", SENTENCES["ru"]])
    broken = Text(whole.data, whole.offsets - [0, 1, 0])
    assert len(Language().signals(broken, None)["score"]) == 2


def test_only_the_beginning_is_read():
    text = SENTENCES["en"] * 3 + SENTENCES["ru"] * 50
    assert identified([text], sample_bytes=200)[0] == ["en"]
    assert identified([text], sample_bytes=4096)[0] == ["ru"]


def reasons(language_filter: Language, languages, scores):
    frame = pl.DataFrame({"language": languages, "score": scores}, schema={"language": pl.String, "score": pl.Float64})
    rules = language_filter.rules()
    failed = frame.select(**{reason: rule.drops.fill_null(False) for reason, rule in rules.items()})
    return [[reason for reason in rules if row[reason]] for row in failed.to_dicts()]


def test_rules():
    rows = (["en", "en", "de", "de", None], [0.9, 0.2, 0.9, 0.2, None])
    assert reasons(Language(), *rows) == [[], ["low_language_score"], ["wrong_language"], ["wrong_language", "low_language_score"], []]
    assert reasons(Language(keep=("de",), min_score=0.1), *rows) == [["wrong_language"], ["wrong_language"], [], [], []]
    assert reasons(Language(keep=()), *rows) == [[], ["low_language_score"], [], ["low_language_score"], []]


NOTICE = (
    "THE SELLER DISCLAIMS ALL WARRANTIES OF ANY KIND TO THE BUYER ({}) 2020. THE WHOLE TEXT OF THIS NOTICE IS WRITTEN IN CAPITALS BECAUSE "
    "THE LAWYERS WANTED IT SO AND NOBODY HAS CHANGED IT SINCE."
)


@pytest.mark.parametrize(
    "text", [NOTICE.format("C"), NOTICE.format("c"), NOTICE.format("this") + " o’clock", NOTICE.format("©"), NOTICE.format("ß")]
)
def test_small_letters_among_capitals_do_not_matter(text):
    languages, scores = identified([text, text.lower(), text + "  "])
    assert languages == ["en", "en", "en"]
    assert scores[0] == scores[1] > 0.65


@pytest.mark.parametrize("text", SENTENCES.values())
def test_capitals_of_any_script_are_read_like_small_letters(text):
    capitals = text.upper().replace("Т", "т", 1).replace("T", "t", 1)
    assert identified([capitals]) == identified([text.lower()])
    assert identified([text])[0] == identified([text.capitalize()])[0]


def test_capitals_and_small_letters_of_different_scripts_are_counted_together():
    capitals = SENTENCES["ru"].upper()
    read_small, left = f"an {capitals}", f"{SENTENCES['en']} ДОМ"
    assert identified([read_small]) == identified([read_small.lower()]) != identified([capitals])
    assert identified([left]) != identified([left.lower()])


def test_capitals_on_the_declaration_of_human_rights(real_data):
    texts = [text[:500] for text in pl.read_parquet(real_data / "langid" / "udhr.parquet")["text"]]
    cased = [text for text in texts if text.upper().lower() == text.lower() != text.upper()]
    assert len(cased) > 300
    small, shouted = [text.lower() for text in cased], [text[0].lower() + text[1:].upper() for text in cased]
    assert identified(shouted) == identified(small)


def test_accuracy_on_the_declaration_of_human_rights(real_data):
    table = pl.read_parquet(real_data / "langid" / "udhr.parquet")
    table = table.with_columns(label=pl.col("bcp47").str.split("-").list.first().replace({"cmn": "zh", "nb": "no", "nn": "no"}))
    known = table.filter(pl.col("label").is_in(LanguageIdentifier.from_model_file(MODEL_FILE).labels))
    assert len(known) > 400
    languages, _ = identified([text[:500] for text in known["text"]])
    languages = pl.Series(languages).replace({"nn": "no"})
    assert (languages == known["label"]).mean() > 0.98
