"""What blocks share with what their page declares: the counts against a plain twin; the columns by hand; a crowded table."""

import itertools
import json
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.extraction.page_blocks.echoes import ECHO_NAMES, _note, fill_echoes
from curation.ingest.extraction.page_blocks.reading import block_texts, read_page
from tests.meeting import meets, met

WORDS = ["Tea", "tea", "grün", "a&b", "\xa0"]


def plain_words(text: str) -> list[bytes]:
    return [bytes(byte | 0x20 for byte in word) for word in re.findall(rb"[A-Za-z0-9\x80-\xff]+", text.encode())]


def pairs(words: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(itertools.pairwise(words))


def plain_counts(text: str, name: str, description: str, body: str) -> list[int]:
    own, named, described, told = (plain_words(one) for one in (text, name, description, body))
    either = set(pairs(described)) | set(pairs(told))
    return [
        len(own),
        len(pairs(own)),
        sum(word in named for word in own),
        sum(word in described + told for word in own),
        sum(pair in pairs(described) for pair in pairs(own)),
        sum(pair in pairs(told) for pair in pairs(own)),
        sum(pair in either for pair in pairs(own)),
    ]


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("\xa0", "&nbsp;")


def page_of(name: str, description: str, body: str, paragraphs: list[str]) -> str:
    ld = json.dumps({"@type": "Article", "articleBody": body})
    head = f'<title>{escaped(name)}</title><meta name="description" content="{escaped(description)}">'
    shown = "".join(f"<p>{escaped(text).replace(' ', ' <b>', 1)}</b></p>" for text in paragraphs)
    return f"<html><head>{head}<script type='application/ld+json'>{ld}</script></head><body>{shown}</body></html>"


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)


@meets(pair_in_description=40, pair_in_body=34, word_in_name=40, pair_in_neither=40)
@given(texts, texts, texts, st.lists(texts, min_size=1, max_size=4))
def test_counts_are_those_of_the_plain_twin(name, description, body, paragraphs):
    page = read_page(page_of(name, description, body, paragraphs))
    assert page is not None
    expected = [plain_counts(text, name, description, body) for text in block_texts(page.cut)]
    assert page.echoes.counts.tolist() == expected
    for _, own_pairs, in_name, _, described, told, either in expected:
        met["pair_in_description"] += described > 0
        met["pair_in_body"] += told > 0
        met["word_in_name"] += in_name > 0
        met["pair_in_neither"] += either < own_pairs


def test_columns_say_where_the_echo_is():
    page = read_page(
        page_of("Green tea", "how to brew green tea at home", "", ["menu", "Green tea", "Today: how to brew green tea.", "other things"])
    )
    assert page is not None
    table = np.zeros((4, len(ECHO_NAMES)), np.float32)
    fill_echoes(page.echoes.counts, page.echoes.declared_words, table, 0)
    columns = dict(zip(ECHO_NAMES, table.T.astype(float).round(3).tolist(), strict=True))
    assert columns["pairs_in_descriptions"] == [0, 1, 0.8, 0]
    assert columns["words_in_names"] == [0, 1, 0.333, 0]
    assert columns["description_words"] == [7] * 4
    assert columns["body_words"] == [0] * 4
    assert columns["from_loudest"] == [-2, -1, 0, 1]
    assert columns["from_title"] == [-1, 0, 1, 2]
    assert columns["share_of_echo"] == [0, 0.2, 0.8, 0]


def test_a_page_that_declares_nothing_has_no_echo():
    page = read_page("<p>one two three four")
    assert page is not None
    table = np.ones((1, len(ECHO_NAMES)), np.float32)
    fill_echoes(page.echoes.counts, page.echoes.declared_words, table, 0)
    assert not table.any()


def test_blocks_that_are_judged_together_share_their_counts():
    page = read_page(page_of("", "red blue", "", ["red blue", "blue", "red"]))
    assert page is not None
    joint = page.echoes.joined(np.array([0, 0, 1]), 2)
    assert joint.counts.tolist() == (page.echoes.counts[:1] + page.echoes.counts[1:2]).tolist() + page.echoes.counts[2:].tolist()


def test_a_crowded_table_ends_every_search():
    """A page chooses its words, and so where they fall; a table without a free place is the worst that it can make."""
    keys, bits = np.zeros(1 << 10, np.uint64), np.zeros(1 << 10, np.uint8)
    text = " ".join(f"w{number}" for number in range(50_000)).encode()
    assert _note(np.frombuffer(text, np.uint8), 1, keys, bits) == 50_000
    assert keys.all()
