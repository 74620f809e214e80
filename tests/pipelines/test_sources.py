"""Tables by source: the largest twenty and the others as one row; sums add up; nothing grows with the number of sources."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from curation.schema import LEDGER
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE
from pipelines.inspect.flows import Amount, SourceFlow, Split
from pipelines.inspect.funnel import funnel
from pipelines.inspect.rules import encoded, read_rules, rules_of
from pipelines.inspect.sources import SHOWN, largest_flows, largest_splits
from pipelines.recipes.recipe import parse_recipe
from pipelines.report.card import card, card_facts
from pipelines.report.report import render
from pipelines.report.tables import show_funnel
from tests.toy_run import output_in, reject, write_run
from tests.verbs import call


def flow(number: int) -> SourceFlow:
    came, kept = Amount(1000 + number, 10 * number, 3 * number), Amount(number, number, number)
    fates = {"kept": number, "dropped": 900, "duplicate": 99, "unreadable": 1}
    return SourceFlow(f"source-{number:05}", came, fates, kept, number / (1000 + number), {"rule.a": 900, f"rule.{number % 7}": 99})


@pytest.mark.parametrize("count", [0, 1, SHOWN, SHOWN + 1, SHOWN + 2, 5000])
def test_the_rows_add_up(count: int) -> None:
    flows = [flow(number) for number in range(count)]
    shown = largest_flows(flows)
    assert len(shown) == min(count, SHOWN + 1)
    for part in ("documents", "text_bytes", "tokens"):
        for amount in ("came", "kept"):
            assert sum(getattr(getattr(row, amount), part) for row in shown) == sum(getattr(getattr(row, amount), part) for row in flows)
    for fate in ("kept", "dropped", "duplicate", "unreadable"):
        assert sum(row.fates[fate] for row in shown) == sum(row.fates[fate] for row in flows)
    assert sum(sum(row.rules.values()) for row in shown) == sum(sum(row.rules.values()) for row in flows)
    if count > SHOWN + 1:
        assert shown[-1].source == f"{count - SHOWN:,} others"
        assert [row.source for row in shown[:-1]] == [f"source-{number:05}" for number in range(count - 1, count - 1 - SHOWN, -1)]
    splits = largest_splits([Split(row.source, row.came, row.kept, row.kept) for row in flows])
    assert [(split.name, split.of, split.then) for split in splits] == [(row.source, row.came, row.kept) for row in shown]


def with_sources(out: Path, count: int) -> Path:
    """Write a run with so many more sources, each of which lost most of what was compared."""
    write_run(out)
    rows = [reject(f"source-{number:05}", "many.jsonl", number, "dropped", "http_status", 404.0) for number in range(count)]
    for number in range(0, count, 2):
        rows += [
            reject(f"source-{number:05}", "many.jsonl", count + number, "duplicate", "exact", None) | {"duplicate_of": "doc-004"}
            for _ in range(2)
        ]
    output_in(Location.of(out), "ledger").write("many-rejected", pa.Table.from_pylist(rows, LEDGER))
    recipe = (out / "recipe.toml").read_text()
    (out / RULES_FILE).write_bytes(encoded(rules_of(parse_recipe(f"{recipe}\n[deduplicate]\nalarm_documents = 2\n", "toy"))))
    return out


def test_no_view_grows_with_the_number_of_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = []
    for count in (100, 1000):
        out = with_sources(tmp_path / str(count), count)
        show_funnel(funnel(str(out)))
        rules = read_rules(Location.of(out))
        printed, page, text = capsys.readouterr().out, render(Location.of(out)), card(card_facts(Location.of(out), rules))
        sizes.append((printed.count("\n"), len(page), len(text)))
        for view in (printed, page, text):
            assert f"{count + 2 - SHOWN:,} others" in view
            assert 2 <= len(set(re.findall(r"source-\d{5}", view))) <= 2 * SHOWN
    assert all(large <= small * 1.02 for small, large in zip(*sizes, strict=True)), sizes


def test_tokens_add_up_to_the_datasets_in_every_table(tmp_path: Path) -> None:
    """A rounded sum differs from a sum of rounded numbers: each of these texts loses a quarter of a token."""
    for source in ("north", "south", "west"):
        lines = [{"id": f"{source}-{size}", "text": "x" * size} for size in range(101, 171, 4)]
        (tmp_path / f"{source}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "plain.toml").write_text('description = "nothing is dropped"\n')
    inputs = [tmp_path / f"{source}.jsonl" for source in ("north", "south", "west")]
    said = call("run", tmp_path / "plain.toml", *inputs, "--out", tmp_path / "out", "--json")
    assert said.code == 0, said
    counted = json.loads(said.out)["funnel"]
    tokens = counted["dataset"]["tokens"]
    assert tokens == json.loads((tmp_path / "out/dataset/manifest.json").read_bytes())["tokens"]
    assert tokens == counted["web"]["kept"]["tokens"] == sum(source["kept"]["tokens"] for source in counted["sources"])
    assert tokens != round(counted["web"]["kept"]["text_bytes"] / 4)
    shown = re.findall(r"^(?:north|south|west)\S* .* ([\d,]+)$", call("inspect", tmp_path / "out").out, re.MULTILINE)
    assert sum(int(count.replace(",", "")) for count in shown) == tokens
    halved = call("export", tmp_path / "out", "--mix", "north.jsonl=0.5", "--out", tmp_path / "half")
    assert halved.code == 0, halved
