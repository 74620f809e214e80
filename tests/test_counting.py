"""One of a thing is told in the singular, wherever things are counted."""

import re
from pathlib import Path

from curation.counting import counted
from tests.verbs import call

ONE_OF_MANY = re.compile(
    r"(?<![\d,.])1 (?:rules|files|documents|records|rows|tokens|units|faults|others|bytes|workers|bins|stages|replies)\b"
)


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(count, "file") for count in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]
    assert [counted(count, "reply", "replies") for count in (1, 2)] == ["1 reply", "2 replies"]


def test_a_run_of_one_document_says_one(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"text": "One document, and no more than one."}\n')
    (tmp_path / "mine.toml").write_text('[[filter]]\nname = "gopher_quality"\nmin_words = 1\n[deduplicate]\n')
    out = tmp_path / "out"
    said = [
        call("plan", tmp_path / "mine.toml", tmp_path / "one.jsonl"),
        call("run", tmp_path / "mine.toml", tmp_path / "one.jsonl", "--out", out, "--progress", "plain"),
        call("inspect", out),
        call("inspect", out, "--signal", "gopher_quality.words"),
        call("inspect", out, "--signal", "gopher_quality.words", "--at", "2"),
        call("diff", out, out),
        call("verify", out),
    ]
    assert [each.code for each in said] == [0] * len(said), [each.all for each in said]
    told = "\n".join(each.all for each in said)
    assert len(re.findall(r"(?<![\d,.])1 \w+", told)) > 8
    assert ONE_OF_MANY.findall(told) == []
    assert "4d-" not in said[0].out
    assert "grouping near-duplicates" in said[0].out
