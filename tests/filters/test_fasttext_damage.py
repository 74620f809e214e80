"""Damaged fastText files: no crash, no long wait, and a clear error for whatever training cannot have written."""

import json
import random
import resource
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import numpy as np
import pytest

from curation.errors import InputError
from curation.storage.digests import digest_of_file
from curation.text.text import Text
from filters.fasttext import FastText
from filters.support.fasttext_damage import LooksDamaged
from filters.support.fasttext_file import _read_quantized, _Reader, read_fasttext
from filters.support.fasttext_scorer import fasttext_scorer
from tests.filters.test_fasttext import KINDS, ODD, QUANTIZED, WORDS, trained
from tests.verbs import call

FORMATS = {"bin": (None,), "ftz": tuple(QUANTIZED)}
SETTINGS, ENTRIES = 64, 92
"""Where the dictionary's sizes and its first entry begin."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def sources(folder: Path, ending: str) -> list[bytes]:
    made = [(kind, quantized) for kind in KINDS for quantized in FORMATS[ending] if quantized != "output" or kind == "300 labels"]
    return [trained(folder, kind, quantized)[1].read_bytes() for kind, quantized in made]


def entries(content: bytes) -> list[tuple[int, int]]:
    """Return the bounds of the words and labels of a model, without count and kind."""
    (size,) = struct.unpack_from("<i", content, SETTINGS)
    found, place = [], ENTRIES
    for _ in range(size):
        end = content.index(b"\0", place)
        found.append((place, end))
        place = end + 10
    return found


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown", "vouched for"])
@pytest.mark.parametrize("ending", FORMATS)
def test_damaged_files_are_refused_or_harmless_at_once(folder: Path, ending: str, trusted: bool) -> None:
    chooser, text = random.Random(8), Text.from_strings([*ODD, "prove the angle " * 300])
    whole, began = sources(folder, ending), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for number in range(360):
        content = bytearray(whole[number % len(whole)])
        reach = (72, 400, len(content))[number % 3]
        for _ in range(chooser.choice((1, 1, 6))):
            content[chooser.randrange(min(reach, len(content)))] = chooser.choice((0, 1, 127, 128, 255, chooser.randrange(256)))
        if chooser.random() < 0.2:
            del content[chooser.randrange(len(content)) :]
        begun = time.process_time()
        try:
            scorer = fasttext_scorer(read_fasttext(np.frombuffer(bytes(content), np.uint8), trusted))
            found = scorer.probabilities(text)
            assert found.shape == (len(text), len(scorer.labels))
        except ValueError:
            refused += 1
        assert time.process_time() - begun < 5
    assert refused > (140 if trusted else 200)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 300 << 10


@pytest.mark.parametrize("ending", FORMATS)
def test_one_changed_byte_of_a_dictionary_is_mostly_seen(folder: Path, ending: str) -> None:
    """What is not: a letter that became another letter, and a count that is still between its neighbours."""
    chooser, refused, whole = random.Random(4), 0, sources(folder, ending)
    for number in range(300):
        content = bytearray(whole[number % len(whole)])
        place = chooser.randrange(SETTINGS, entries(content)[-1][1])
        content[place] = (content[place] + chooser.randrange(1, 256)) % 256
        try:
            read_fasttext(np.frombuffer(bytes(content), np.uint8))
        except ValueError:
            refused += 1
    assert refused > 220


def put(form: str, place: Callable[[bytes], int], *values: object) -> Callable[[bytes], bytes]:
    """Return what writes values over a model's bytes."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        struct.pack_into(f"<{form}", changed, place(content), *values)
        return bytes(changed)

    return change


def at(place: int) -> Callable[[bytes], int]:
    return lambda _: place


def count_of(number: int) -> Callable[[bytes], int]:
    return lambda content: entries(content)[number][1] + 1


def letter_of(number: int) -> Callable[[bytes], int]:
    return lambda content: entries(content)[number][0]


def end(before: int) -> Callable[[bytes], int]:
    return lambda content: len(content) - before


def dictionary_end(content: bytes) -> int:
    return entries(content)[-1][1] + 10


def twice(content: bytes) -> bytes:
    """Rename a word to another word of the same length."""
    bounds = entries(content)
    words = {content[a:b]: (a, b) for a, b in bounds if content[a:b].startswith(b"rare")}
    first, other = [word for word in words if len(word) == 7][:2]
    changed = bytearray(content)
    changed[slice(*words[first])] = other
    return bytes(changed)


def next_bucket(form: str, place: int) -> Callable[[bytes], bytes]:
    """Return what writes the second remaining bucket, or its position, over the first one."""

    def change(content: bytes) -> bytes:
        begin = dictionary_end(content) + place
        return put(form, at(begin), *struct.unpack_from(f"<{form}", content, begin + 8))(content)

    return change


DENSE, PRUNED = ("softmax pairs", None), ("softmax pairs", "pruned")
SIGNS: list[tuple[tuple[str, str | None], Callable[[bytes], bytes], str]] = [
    (DENSE, put("i", at(12), -1), "no training has such settings"),
    (DENSE, put("i", at(16), 2 * 10**9), "no training has such settings"),
    (DENSE, put("d", at(56), 1.5), "no training has such settings"),
    (DENSE, put("d", at(56), float("nan")), "no training has such settings"),
    (DENSE, put("q", count_of(0), 10**9), "entry 0 of its dictionary has a count"),
    (DENSE, put("q", count_of(3), 0), "entry 3 of its dictionary has a count"),
    (DENSE, put("q", count_of(3), -5), "entry 3 of its dictionary has a count"),
    (DENSE, put("q", at(76), 5000), "has a count that does not fit"),
    (DENSE, put("q", count_of(-1), 10**6), "has a count that does not fit"),
    (DENSE, lambda content: put("q", at(76), 10**9)(put("q", count_of(3), 10**6)(content)), "entry 3 of its dictionary has a count"),
    (DENSE, put("c", letter_of(2), b"\t"), "entry 2 of its dictionary is empty or contains a space"),
    (DENSE, put("c", letter_of(2), b" "), "entry 2 of its dictionary is empty or contains a space"),
    (DENSE, put("c", letter_of(2), b"\xff"), "entry 2 of its dictionary is not UTF-8"),
    (DENSE, put("c", letter_of(-2), b"X"), "is a word with the prefix of labels"),
    (DENSE, twice, "has a word twice"),
    (DENSE, put("f", end(4), 1e6), r"weight \d+ of a matrix is 1e\+06"),
    (DENSE, put("f", end(4), 1e-30), r"weight \d+ of a matrix is 1e-30"),
    (DENSE, put("f", lambda content: dictionary_end(content) + 17, -1e7), "weight 0 of a matrix is -1e"),
    (PRUNED, put("i", dictionary_end, 5000), "a remaining bucket does not exist"),
    (PRUNED, put("i", dictionary_end, -1), "a remaining bucket does not exist"),
    (PRUNED, next_bucket("q", 0), "twice"),
    (PRUNED, next_bucket("i", 4), "the same position"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "change", "sign"), SIGNS)
def test_what_training_cannot_write_is_refused_unless_somebody_vouches_for_it(
    folder: Path, model: tuple[str, str | None], change: Callable[[bytes], bytes], sign: str
) -> None:
    content = trained(folder, *model)[1].read_bytes()
    assert read_fasttext(np.frombuffer(content, np.uint8)).labels
    changed = np.frombuffer(change(content), np.uint8)
    assert len(changed) == len(content)
    with pytest.raises(LooksDamaged, match=sign):
        read_fasttext(changed)
    assert read_fasttext(changed, trusted=True).labels


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [(8, 0, "0 dimensions"), (28, 0, "0 words together"), (40, 0, "2 words together, 0 buckets"), (44, -1, "subwords of -1 to 0")],
)
def test_settings_that_no_model_has_are_refused_whoever_vouches_for_them(folder: Path, place: int, value: int, told: str) -> None:
    changed = np.frombuffer(put("i", at(place), value)(trained(folder, *DENSE)[1].read_bytes()), np.uint8)
    for trusted in (False, True):
        with pytest.raises(ValueError, match=f"no model has such settings: .*{told}"):
            read_fasttext(changed, trusted)


@pytest.mark.parametrize(("rows", "size"), [(0, 0), (2, 3)])
def test_a_matrix_of_bytes_has_rows_of_one_length(rows: int, size: int) -> None:
    head = np.frombuffer(struct.pack("<B2qi", 0, rows, 4, size) + bytes(size), np.uint8)
    with pytest.raises(ValueError, match=f"a matrix of bytes is {rows} by 4, not {rows} by 4"):
        _read_quantized(_Reader(head), rows, 4)


def test_what_training_may_write_is_read(folder: Path) -> None:
    """A weight of 0 (a label that no text had), a count equal to the one before it, a letter of two bytes, more tokens than are kept."""
    content = trained(folder, *DENSE)[1].read_bytes()
    (before,) = struct.unpack_from("<q", content, count_of(2)(content))
    for change in (put("f", end(4), 0.0), put("q", at(76), 10**9), put("2s", letter_of(2), "é".encode())):
        read_fasttext(np.frombuffer(change(content), np.uint8))
    read_fasttext(np.frombuffer(put("q", at(76), 10**9)(put("q", count_of(3), before)(content)), np.uint8))


def test_labels_may_have_another_prefix(tmp_path: Path) -> None:
    """No file tells the prefix that its training named."""
    (tmp_path / "lines.txt").write_text("".join(f"topic:{place % 3} {WORDS[place % 9]} {WORDS[place % 5]}\n" for place in range(60)))
    model = fasttext.train_supervised(str(tmp_path / "lines.txt"), label="topic:", epoch=2, dim=4, thread=1, verbose=0, minCount=2)
    model.save_model(str(tmp_path / "topics.bin"))
    assert sorted(read_fasttext(np.fromfile(tmp_path / "topics.bin", np.uint8)).labels) == ["topic:0", "topic:1", "topic:2"]


def test_rows_of_length_1_have_no_longer_parts(folder: Path) -> None:
    content = trained(folder, "softmax pairs", "norms")[1].read_bytes()
    model = read_fasttext(np.frombuffer(content, np.uint8))
    assert not isinstance(model.input, np.ndarray)
    assert model.input.norms is not None
    for weights, value in ((model.input.centroids[0], 1.5), (model.input.norms, -1.0)):
        changed = bytearray(content)
        struct.pack_into("<f", changed, content.index(weights.tobytes()), value)
        with pytest.raises(LooksDamaged, match="a norm is negative, or a part"):
            read_fasttext(np.frombuffer(bytes(changed), np.uint8))


def test_a_run_warns_once_of_a_model_that_nothing_vouches_for(folder: Path, tmp_path: Path) -> None:
    digest = digest_of_file(shutil.copy(trained(folder, *DENSE)[1], tmp_path / "quality.bin"))
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": f"{word} the angle " * 20}) + "\n" for word in WORDS))
    for pinned in (False, True):
        table = '[[filter]]\nname = "fasttext"\nmodel = "quality.bin"\nmin_score = 0.0\n'
        (tmp_path / "recipe.toml").write_text(table + (f'sha256 = "{digest}"\n' if pinned else ""))
        out = tmp_path / f"out {pinned}"
        said = call("run", tmp_path / "recipe.toml", tmp_path / "in.jsonl", "--out", out, "--workers", "1")
        assert said.code == 0, said.all
        told = (
            "filter fasttext: the format of quality.bin has no checksum, so damage may go unseen; if the file is right, "
            f'add sha256 = "{digest}"'
        )
        session = json.loads((out / "run.json").read_text())["sessions"][-1]
        assert " ".join(said.err.split()).count(told) == (not pinned)
        assert session.get("cautions", []) == ([] if pinned else [told])
        assert (out / "dataset/README.md").read_text().count(f"The run warned: {told}") == (not pinned)


def test_an_odd_model_is_used_if_the_recipe_names_its_digest(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.bin"
    odd.write_bytes(put("c", letter_of(2), b"\xff")(trained(folder, *DENSE)[1].read_bytes()))
    digest = digest_of_file(odd)
    with pytest.raises(InputError, match=f'looks damaged: entry 2 .*publish this digest, add to the recipe sha256 = "{digest}"'):
        FastText(str(odd)).files()
    assert FastText(str(odd), sha256=digest).files() == {"model": digest}
    assert FastText(str(odd), sha256=digest).cautions() == ()
