"""Judge against a plain loop: the rule that decides, its value and threshold, all that hold, and evidence as json.dumps writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curation.schema import KEY
from filters.contract import Filter, Rule, Signals, above, below, not_among
from filters.judge import judge
from tests.meeting import meets, met

KINDS = {"words": pa.int32(), "share": pa.float64(), "flag": pa.bool_(), "colour": pa.string()}


@dataclass(frozen=True)
class Told(Filter):
    """Signals of every type, one rule a kind of evidence."""

    signal_types: ClassVar[Mapping[str, pa.DataType]] = KINDS

    def signals(self, text: Any, documents: Any) -> Signals:
        raise NotImplementedError

    def rules(self) -> Mapping[str, Rule]:
        return {
            "few": below("words", 3),
            "colour": not_among("colour", ['red, "or" so'], ("share", "colour")),
            "much": above("share", 0.5, ("words", "flag", "colour")),
        }


rows = st.fixed_dictionaries(
    {
        "words": st.none() | st.integers(0, 6),
        "share": st.none() | st.floats(0, 1),
        "flag": st.none() | st.booleans(),
        "colour": st.none() | st.just('red, "or" so') | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    }
)


@meets(few=40, colour=40, much=40, none=10)
@given(st.lists(rows, max_size=8))
def test_verdicts_are_those_of_a_loop(seen: list[dict[str, Any]]) -> None:
    columns = {f"{Told.name()}.{name}": pa.array([row[name] for row in seen], kind) for name, kind in KINDS.items()}
    keys = pa.array([number.to_bytes(16, "big") for number in range(len(seen))], KEY)
    verdicts = judge(pa.table({"key": keys, **columns}), [Told()]).to_pylist()
    assert [verdict["key"] for verdict in verdicts] == keys.to_pylist()
    for row, verdict in zip(seen, verdicts, strict=True):
        holds: list[tuple[str, Any, float | None, list[str]]] = []
        if row["words"] is not None and row["words"] < 3:
            holds.append((f"{Told.name()}.few", row["words"], 3.0, []))
        if row["colour"] is not None and row["colour"] != 'red, "or" so':
            holds.append((f"{Told.name()}.colour", None, None, ["colour", "share"]))
        if row["share"] is not None and row["share"] > 0.5:
            holds.append((f"{Told.name()}.much", row["share"], 0.5, ["colour", "flag", "words"]))
        met.update([rule.rpartition(".")[2] for rule, *_ in holds] or ["none"])
        rule, value, threshold, names = holds[0] if holds else (None, None, None, [])
        evidence = json.dumps({name: row[name] for name in names}, ensure_ascii=False) if names else None
        wanted = {"rule": rule, "value": value, "threshold": threshold, "failed": [each[0] for each in holds], "evidence": evidence}
        assert verdict == {"key": verdict["key"], **wanted}
