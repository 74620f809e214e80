"""What moved a score: equal to scoring without it, feature by feature, and in the text's own bytes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.text import Text
from filters.support.features import pair, single
from filters.support.scorer import Scorer
from filters.support.telling import MOST_TOLD, tell
from tests.filters.test_scorer import VOCABULARY, every_trainer, trained
from tests.meeting import meets, met

words = st.lists(st.sampled_from([*VOCABULARY, "rare", ".", "\n"]), min_size=1, max_size=70).map(" ".join)


def plain_logit(scorer: Scorer, text: str, without: int = 0) -> float:
    """The logit of a score of 3 or more of a text of one window, with all occurrences of one feature left out."""
    hashes = Text.from_strings([text]).words.hashes
    pairs, once, unit = scorer.reading.tolist()
    found = [int(single(token)) for token in hashes]
    found += [int(pair(first, second)) for first, second in pairwise(hashes)] if pairs else []
    kept = [name for name in (dict.fromkeys(found) if once else found) if name != without]
    weights, shares = scorer.look_up(np.array(kept, np.uint64))
    total = shares.sum(axis=0)
    known = int((weights > 0).sum())
    logits = total / max(1.0, float((weights**2).sum()) ** 0.5) + scorer.intercepts if unit else (total + scorer.intercepts) / (known + 1)
    return float(logits[scorer.level_of_good])


def feature_of(words: str) -> int:
    hashes = Text.from_strings([words]).words.hashes
    return int(single(hashes[0]) if len(hashes) == 1 else pair(hashes[0], hashes[1]))


@every_trainer
@meets(moved=130)
@given(text=words)
def test_an_effect_is_what_leaving_the_word_out_does(place: int, text: str) -> None:
    scorer = trained(place)
    told = tell(scorer, text)
    for moved in (*told.raised, *told.lowered):
        met["moved"] += 1
        assert moved.words in text
        expected = plain_logit(scorer, text) - plain_logit(scorer, text, feature_of(moved.words))
        assert moved.effect == pytest.approx(expected, abs=1e-4)
    assert all(moved.effect > 0 for moved in told.raised)
    assert all(moved.effect < 0 for moved in told.lowered)
    assert max(len(told.raised), len(told.lowered)) <= MOST_TOLD


def test_a_sentence_s_effect_is_that_of_what_only_it_has() -> None:
    text = "prove the angle\nof sale of cheap offer\nprove it"
    told = tell(trained(1), text)  # words alone, so that what a sentence takes along is easily said
    for passage in (*told.raising, *told.lowering):
        inside, outside = text[passage.start : passage.end], text[: passage.start] + text[passage.end :]
        left = plain_logit(trained(1), outside)
        assert passage.value == pytest.approx(plain_logit(trained(1), text) - left, abs=1e-4), inside
    assert [text[place.start : place.end] for place in told.lowering[:1]] == ["of sale of cheap offer"]


def test_windows_cover_the_text_and_the_best_is_one_of_them() -> None:
    text = "because the angle proves it. " * 70 + "cheap sale, free shipping! " * 70
    told = tell(trained(0), text)
    size = len(text.encode())
    assert [window.start for window in told.windows] == [0, *(window.end for window in told.windows[:-1])]
    assert told.windows[-1].end == size
    assert len(told.windows) == round(size / 1000)
    assert told.best == max(told.windows, key=lambda window: window.value)
    assert told.best.start < size / 2
    scores, _ = trained(0).score_windows(Text.from_strings([text]))
    assert [window.value for window in told.windows] == scores.tolist()
    assert told.score == pytest.approx(scores.mean(), abs=1e-4)


@pytest.mark.parametrize("text", ["", " ", "\0", "🙂", "é", "!" * 3000, "a\u2028b", "unknown words alone"])
def test_odd_texts_are_told(text: str) -> None:
    told = tell(trained(0), text)
    assert len(told.windows) >= 1
    assert told.windows[-1].end == len(text.encode())
