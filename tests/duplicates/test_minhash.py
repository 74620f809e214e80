"""Shingles against a plain twin, signatures against datasketch, bands against their theory."""

import unicodedata

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.minhash import PRESETS, MinHashSettings, bucket_hashes, sign, signatures
from curation.duplicates.shingles import distinct, shingle
from curation.text.text import Text
from curation.text.unicode_classes import LETTER, MARK, NUMBER, SOLITARY, character_classes, fold
from tests.meeting import meets, met

U64 = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
LETTERS = "abcABC019 .-'\n"
UNICODE = "éÉßﬁＡＢ中文字カナไทยกำ́\u200dⅣ३\u00a0—’𝐀ñ\u0301"
FEW_WORDS = st.lists(st.sampled_from(["a", "B", "é"]), max_size=12).map(" ".join)
TEXTS = st.one_of(FEW_WORDS, st.text(alphabet=LETTERS, max_size=80), st.text(alphabet=LETTERS + UNICODE, max_size=60), st.text(max_size=40))


def plain_words(text):
    """The folded words of a text, one character at a time."""
    classes = character_classes()
    words = []
    inside = None  # the class of the word that is open
    for character in text:
        group = classes[ord(character)]
        if group == MARK and inside is not None:
            words[-1] += fold(character)
            continue
        if group in (LETTER, NUMBER):
            if inside not in (LETTER, NUMBER):
                words.append("")
            words[-1] += fold(character)
        elif group == SOLITARY:
            words.append(fold(character))
        inside = group if group in (LETTER, NUMBER, SOLITARY) else None
    return [found for found in words if found]


def plain_spread(value):
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & U64
    value = (value ^ value >> 27) * 0x94D049BB133111EB & U64
    return value ^ value >> 31


def plain_word_hash(word):
    units = word.encode()
    units += b" " * (-len(units) % 16)
    value = 0
    for at in range(0, len(units), 8):
        value = plain_spread(value + int.from_bytes(units[at : at + 8], "little") & U64)
    return value


def plain_byte_hash(content):
    value = GOLDEN
    for byte in content:
        value = (plain_spread(value ^ byte) + GOLDEN) & U64
    return value


def plain_shingles(text, ngram, characters=False):
    if characters:
        hashes = [plain_spread(ord(character)) for character in plain_characters(text)]
    else:
        hashes = [plain_word_hash(word) for word in plain_words(text)]
    hashes = hashes or [plain_byte_hash(text.encode())]
    size = min(ngram, len(hashes))
    factors = [pow(GOLDEN, place + 1, 2**64) for place in range(size)]
    return [sum(h * f for h, f in zip(hashes[at : at + size], factors, strict=True)) & U64 for at in range(len(hashes) - size + 1)]


def plain_characters(text):
    """The folded letters and numbers of a text, one blank wherever anything else but a mark stands between two."""
    classes = character_classes()
    found, apart = "", False
    for character in text:
        group = classes[ord(character)]
        if group in (LETTER, NUMBER, SOLITARY) or (group == MARK and found and not apart):
            folded = fold(character)
            if folded:
                found += " " * (apart and bool(found)) + folded
                apart = False
        else:
            apart = True
    return found


def datasketch_signature(hashes, settings):
    sketch = MinHash(settings.permutations, seed=settings.seed, scheme="affine32", hashfunc=lambda value: value)
    sketch.update_batch([int(value) >> 32 for value in hashes])
    return sketch.hashvalues


@meets(shingles=200, without_words=2)
@given(st.lists(TEXTS, max_size=8), st.integers(1, 6), st.booleans())
def test_shingles_are_those_of_the_plain_twin(texts, ngram, characters):
    found = shingle(Text.from_strings(texts), ngram, characters)
    own = [found.hashes[found.offsets[i] : found.offsets[i + 1]].tolist() for i in range(len(texts))]
    assert own == [plain_shingles(text, ngram, characters) for text in texts]
    met["shingles"] += sum(map(len, own))
    met["without_words"] += sum(bool(text) and not plain_words(text) for text in texts)


@meets(shingles=1600)
@given(st.lists(st.sampled_from(["a", "Longer", "é", "漢", "1", " ", ".", "\u0301", "ﬁ"]), min_size=50, max_size=80).map("".join))
def test_blocks_leave_no_trace(text):
    """Whatever stands at the end of a block of 64 bytes."""
    texts = ["." * shift + text for shift in range(60, 64)]
    found = shingle(Text.from_strings(texts), 2)
    own = [found.hashes[found.offsets[i] : found.offsets[i + 1]].tolist() for i in range(len(texts))]
    assert own == [plain_shingles(text, 2) for text in texts]
    met["shingles"] += sum(map(len, own))


@meets(kept=150, repeated=30)
@given(st.lists(TEXTS, max_size=8), st.integers(1, 3))
def test_distinct_shingles_rise_and_are_there_once(texts, ngram):
    found = distinct(shingle(Text.from_strings(texts), ngram))
    own = [found.hashes[found.offsets[i] : found.offsets[i + 1]].tolist() for i in range(len(texts))]
    assert own == [sorted(set(plain_shingles(text, ngram))) for text in texts]
    met["kept"] += sum(map(len, own))
    met["repeated"] += sum(len(plain_shingles(text, ngram)) for text in texts) - sum(map(len, own))


@meets(signatures=90, apart=70)
@given(st.lists(TEXTS, max_size=6), st.sampled_from([MinHashSettings(), MinHashSettings(3, 5, 3, seed=7), MinHashSettings(1, 1, 1)]))
def test_signatures_are_bit_for_bit_those_of_datasketch(texts, settings):
    found = signatures(Text.from_strings(texts), settings)
    expected = [datasketch_signature(plain_shingles(text, settings.ngram), settings) for text in texts]
    assert found.tolist() == [signature.tolist() for signature in expected]
    met["signatures"] += len(expected)
    met["apart"] += len({tuple(row) for row in found.tolist()})


@pytest.mark.parametrize("preset", PRESETS)
def test_signatures_of_real_texts_are_those_of_datasketch(real_data, preset):
    settings = PRESETS[preset]
    texts = pq.read_table(real_data / "edu_labels" / "train.parquet", columns=["text"])["text"].slice(0, 7500 if preset == "14x8" else 300)
    column = Text.from_arrow(texts[::3] if preset == "14x8" else texts)
    found, hashes = signatures(column, settings), shingle(column, settings.ngram)
    for row in range(len(column)):
        own = hashes.hashes[hashes.offsets[row] : hashes.offsets[row + 1]]
        assert np.array_equal(found[row], datasketch_signature(own, settings))


def test_real_words_are_those_of_the_plain_twin(real_data):
    table = pq.read_table(real_data / "neardup" / "docs.parquet", columns=["text"])["text"]
    texts = [text[:3000] for text in table.to_pylist()[:40]]
    found = shingle(Text.from_strings(texts), 5)
    for row, text in enumerate(texts):
        assert found.hashes[found.offsets[row] : found.offsets[row + 1]].tolist() == plain_shingles(text, 5)


def test_signatures_open_in_datasketch():
    settings = MinHashSettings()
    words = [f"word{number}" for number in range(400)]
    found = signatures(Text.from_strings([" ".join(words), " ".join(words[:360])]), settings)
    one, other = (MinHash(hashvalues=signature, seed=settings.seed, scheme=settings.scheme) for signature in found)
    assert one.jaccard(other) == pytest.approx(356 / 396, abs=0.1)
    one.update_batch([])
    assert np.array_equal(one.hashvalues, found[0])


@meets(others=80, later=10)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.integers(0, 7))
def test_a_text_is_signed_alike_in_any_batch(texts, place):
    place %= len(texts)
    whole = sign(Text.from_strings(texts), MinHashSettings())
    alone = sign(Text.from_strings([texts[place]]), MinHashSettings())
    assert np.array_equal(whole.signatures[place], alone.signatures[0])
    assert np.array_equal(whole.text_hashes[place], alone.text_hashes[0])
    met["others"] += len(texts) - 1
    met["later"] += place > 0


@meets(equal=40, unequal=200)
@given(st.lists(TEXTS, min_size=2, max_size=12))
def test_text_hashes_are_equal_where_normalised_texts_are(texts):
    hashes = sign(Text.from_strings(texts), MinHashSettings()).text_hashes.tolist()
    normal = [plain_words(text) or text.encode() for text in texts]
    for one in range(len(texts)):
        for other in range(one):
            assert (hashes[one] == hashes[other]) == (normal[one] == normal[other])
            met["equal" if normal[one] == normal[other] else "unequal"] += 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Cat", "the cat!"),
        ("Ünlü  café", unicodedata.normalize("NFD", "ünlü café")),
        ("ＡＢＣ １２", "abc 12"),
        ("ΜΆΪΟΣ", "μάϊος"),
        ("co\u00adoperate", "cooperate"),
        ("中文。字", "中 文 字"),
    ],
)
def test_what_makes_no_difference(one, other):
    first, second = sign(Text.from_strings([one, other]), MinHashSettings()).text_hashes.tolist()
    assert first == second


def test_texts_without_words_are_alike_only_where_equal():
    texts = ["---", "***", "", "…", "---", "\n", "☃☃", "☃"]
    hashes = [tuple(pair) for pair in sign(Text.from_strings(texts), MinHashSettings()).text_hashes.tolist()]
    assert len(set(hashes)) == 7
    assert hashes[0] == hashes[4]
    assert len({row.tobytes() for row in signatures(Text.from_strings(texts), MinHashSettings())}) == 7


def test_short_texts_have_one_shingle_of_all_their_words():
    texts = ["a", "a b", "a b c d", "b a", "a b c d e", "a a"]
    found = shingle(Text.from_strings(texts), 5)
    assert np.diff(found.offsets).tolist() == [1] * 6
    assert len(set(found.hashes.tolist())) == 6


def test_long_words_of_one_letter_differ():
    texts = ["a" * count for count in (63, 64, 65, 127, 128, 129)] + ["b" * 64, "b" * 128]
    hashes = sign(Text.from_strings(texts), MinHashSettings()).text_hashes
    assert len({tuple(pair) for pair in hashes.tolist()}) == len(texts)


def test_malformed_bytes_are_separators_and_do_no_harm():
    data = np.frombuffer(b"one\xfftwo \xc3", np.uint8)
    malformed = sign(Text(data, np.array([0, len(data)])), MinHashSettings()).text_hashes
    assert malformed.tolist() == sign(Text.from_strings(["one two"]), MinHashSettings()).text_hashes.tolist()


def test_buckets_meet_as_often_as_theory_says():
    settings = MinHashSettings()
    generator = np.random.default_rng(0)
    same = 0.8
    one = generator.integers(0, 2**32, (4000, settings.permutations), dtype=np.uint32)
    other = np.where(generator.random(one.shape) < same, one, generator.integers(0, 2**32, one.shape, dtype=np.uint32))
    share = (bucket_hashes(one, settings) == bucket_hashes(other, settings)).any(axis=0).mean()
    assert share == pytest.approx(settings.candidate_probability(same), abs=0.02)


def test_bands_of_equal_rows_are_told_apart():
    settings = MinHashSettings(bands=6, rows=2)
    assert len(np.unique(bucket_hashes(np.full((1, 12), 5, np.uint32), settings))) == 6


@pytest.mark.parametrize("wrong", [{"ngram": 0}, {"bands": 0}, {"rows": -1}, {"seed": -1}, {"scheme": "legacy"}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MinHashSettings(**wrong)


def test_the_chances_that_the_docstrings_tell_are_so():
    import curation.duplicates.minhash

    assert f"{MinHashSettings().candidate_probability(0.75):.2f} at 0.75" in (curation.duplicates.minhash.__doc__ or "")
    assert f"{MinHashSettings().candidate_probability(0.85):.3f} at 0.85" in (curation.duplicates.minhash.__doc__ or "")
    for name, half in (("14x8", 0.68), ("20x13", 0.77), ("26x11", 0.72)):
        assert PRESETS[name].candidate_probability(half - 0.005) < 0.5 < PRESETS[name].candidate_probability(half + 0.005)
