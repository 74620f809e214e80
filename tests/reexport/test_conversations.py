"""Conversations and pairs beside generated rows: only lists of messages are taken for messages, and only generated rows have any."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.export.spoken import PREFERENCE, spoken
from pipelines.reexport.conversations import conversations_in, rows_of
from tests.running import curate

TEXT = " ".join(f"At hour {hour} of the day the tide stands {hour * 7 % 11} feet above the mark." for hour in range(30))
TALK = [{"role": "user", "content": "Two and two?"}, {"role": "assistant", "content": "Four."}]


@pytest.mark.parametrize(
    "said", ["[1, 2, 3]", "[]", '["a"]', '[{"role": "user"}]', '[{"role": "user", "content": 4}]', "[" * 9000, "7", "null"]
)
def test_what_is_no_list_of_messages_is_a_text(said: str) -> None:
    pair = {"prompt": said, "chosen": json.dumps("Four."), "rejected": json.dumps(TALK[1:])}
    row = spoken(pair, PREFERENCE)
    assert row is not None
    assert row["prompt"] == [{"role": "user", "content": said}]
    assert row["chosen"] == row["rejected"] == TALK[1:]
    assert spoken({"messages": said}, ("messages",)) is None
    assert spoken({"prompt": said}, PREFERENCE) is None
    kept = conversations_in([list(pair.items())], True)
    assert rows_of("dpo", ["a"], kept["_dpo"].to_pylist())["prompt"].to_pylist() == [row["prompt"]]


def test_a_web_record_has_no_conversation_whatever_it_says_of_itself(tmp_path: Path) -> None:
    record = {"id": "a", "text": TEXT, "origin": "synthetic", "messages": json.dumps(TALK), "seed_ids": "no JSON"}
    (tmp_path / "in.jsonl").write_text(json.dumps(record) + "\n")
    curate("run", "dedup", tmp_path / "in.jsonl", "--out", tmp_path / "run", "-q")
    curate("export", tmp_path / "run", "--out", tmp_path / "out")
    assert pl.read_parquet(tmp_path / "out/data/*.parquet")["origin"].to_list() == ["web"]
    assert not (tmp_path / "out/sft").exists()
    talk = conversations_in([[("origin", "synthetic"), ("messages", json.dumps(TALK))]], False)
    assert talk["_sft"].to_pylist() == [None]
