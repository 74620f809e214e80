"""The report: one file that asks for nothing, in which hostile text is only text."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.schema import LEDGER
from curation.storage.location import Location
from curation.storage.ownership import RULES_FILE
from curation.storage.records import encode_record
from pipelines.inspect.histogram import Bin
from pipelines.inspect.rules import encoded, rules_of
from pipelines.inspect.verify import verify
from pipelines.pipeline import RunRequest, run_recipe
from pipelines.recipes.recipe import parse_recipe
from pipelines.report import charts, report
from pipelines.report.report import render, write_report
from tests.running import curate
from tests.toy_run import output_in, write_run


class _Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return Path(write_report(str(run), print)).read_text("utf-8")


def test_it_is_written_the_same_each_time(run: Path, html: str) -> None:
    assert render(Location.of(run)) == html


def test_it_asks_for_nothing_and_runs_nothing(html: str) -> None:
    page = _Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "video", "audio", "use", "image"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action", "xlink:href")]
    for link in page.all("a"):
        target = link["href"] or ""
        assert target.startswith(("#", "http://", "https://"))
        if not target.startswith("#"):
            assert link["rel"] == "noopener noreferrer nofollow"
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_names_the_style_by_its_hash(html: str) -> None:
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in _Page(html).all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_text_is_shown_as_text(html: str) -> None:
    words = "".join(_Page(html).words)
    assert "<script>alert('run')</script> <img src=x onerror=alert(1)> {{ 7 * 7 }}" in words
    assert "<i>hostile</i>\\u202e" in words
    assert "javascript:alert('url')" in words
    assert not set(html) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b")


def test_it_says_what_the_run_did(html: str) -> None:
    words = " ".join("".join(_Page(html).words).split())
    for expected in (
        "96",
        "gopher_quality.too_few_words",
        "worked_problem",
        "doc-004",
        "77.8 %",
        "bad_json",
        "wrong_answer",
        'A toy: "quoted" <b>text</b>',
    ):
        assert expected in words
    page = _Page(html)
    assert {attributes.get("id") for attributes in page.all("h2")} >= {
        "funnel",
        "rules",
        "sources",
        "signals",
        "duplicates",
        "samples",
        "recipe",
    }
    assert all("scope" in attributes for attributes in page.all("th"))
    assert all(attributes.get("aria-label") for attributes in page.all("svg") if attributes.get("role") == "img")


def _ids_after(html: str, heading: str) -> list[str]:
    """The ids of the sample cards between a heading and the next one."""
    _, begin, rest = html.partition(heading)
    assert begin
    return re.findall(r'<span class="id"><bdi>(.*?)</bdi>', re.split(r"<details|<h3|</section>", rest)[0])


def test_samples_are_those_a_loop_would_choose(run: Path, html: str) -> None:
    rows = [row for file in sorted((run / "ledger").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    kept = sorted((row for row in rows if row["fate"] == "kept"), key=lambda row: row["key"])
    assert _ids_after(html, '<h3 class="group">Kept</h3>') == [row["id"] for row in kept[:9]]
    few = [row for row in rows if row["rule"] == "gopher_quality.too_few_words"]
    few.sort(key=lambda row: (abs(row["value"] - 50), row["key"]))
    assert len(few) > 3
    name = "<strong>gopher_<wbr>quality.<wbr>too_<wbr>few_<wbr>words"
    assert _ids_after(html, name) == [row["id"] for row in few[:3]]


@pytest.mark.parametrize(("origin", "folder"), [("web", "ledger"), ("synthetic", "ledger/synthetic")])
def test_examples_are_those_a_loop_would_choose_of_one_origin(run: Path, origin: Literal["web", "synthetic"], folder: str) -> None:
    rows = [row for file in sorted((run / folder).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    typical = report._typical(Location.of(run), origin)
    assert set(typical) == {row["rule"] for row in rows} - {None}
    for rule, seen in typical.items():
        assert seen.example == min((row["key"], row["id"]) for row in rows if row["rule"] == rule)[1]


def test_huge_strings_stay_small(run: Path, html: str) -> None:
    assert "word " * 200 not in html
    assert len(html) < 200_000


def mark(out: Path) -> None:
    """Make a folder one of a run of ours."""
    (out / "run.json").write_text('{"made_by": "textbook-curation", "recipe": "toy", "sessions": []}')
    (out / RULES_FILE).write_bytes(encoded(rules_of(parse_recipe('description = "nothing"', "toy"))))


def test_a_run_that_kept_nothing_has_a_report(tmp_path: Path) -> None:
    mark(tmp_path)
    output_in(Location.of(tmp_path), "ledger").write("small-00-rejected", LEDGER.empty_table())
    assert "Curation report" in Path(write_report(str(tmp_path), print)).read_text("utf-8")


def test_a_rerun_writes_the_report_again_only_where_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(f'{{"id": "{i}", "text": "words number {i} of a text that is kept"}}\n' for i in range(5)))
    out, written = tmp_path / "out", []

    def run_again(*settings: str) -> bool:
        run_recipe(RunRequest(recipe="dedup", inputs=(str(texts),), out=str(out), quiet=True, settings=settings))
        state = (out / "report.html").stat()
        written.append((state.st_ino, state.st_mtime_ns))  # a number of a file that is gone may be given to the next
        assert not verify(Location.of(out)).faults
        return len(written) > 1 and written[-1] != written[-2]

    run_again()
    assert not run_again()
    assert run_again("deduplicate.threshold=0.8")
    assert not run_again("deduplicate.threshold=0.8")
    page = (out / "report.html").read_bytes()
    (out / "report.html").write_bytes(page.replace(b"Curation report", b"Curation rep0rt"))
    assert run_again("deduplicate.threshold=0.8")
    assert b"Curation rep0rt" not in (out / "report.html").read_bytes()
    (out / "contents.json").write_bytes(b"{}")
    assert run_again("deduplicate.threshold=0.8")
    monkeypatch.setattr(report, "code_digest", lambda: "of another version")
    assert run_again("deduplicate.threshold=0.8")


def test_a_run_without_stages_has_a_report(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    for shard in (run / "stages").rglob("*.parquet"):
        shard.unlink()
    page = _Page(Path(write_report(str(run), print)).read_text("utf-8"))
    assert {attributes.get("id") for attributes in page.all("h2")} == {"funnel", "rules", "sources", "duplicates", "samples", "recipe"}


def test_a_report_bears_the_name_of_the_last_recipe_that_made_something(tmp_path: Path) -> None:
    out = Location.of(tmp_path / "a-folder")
    (tmp_path / "a-folder").mkdir()
    assert report._title(out) == "a-folder"
    sessions = [{"recipe": name, "stages": [{"made": made}]} for name, made in (("first", 1), ("second", 2), ("looked", 0))]
    (tmp_path / "a-folder/run.json").write_bytes(encode_record({"sessions": sessions}))
    assert report._title(out) == "second"


def test_charts_are_whole_markup_whatever_they_are_given() -> None:
    hostile = "</svg><script>\"'&"
    levels = [charts.FunnelLevel(hostile, 10, 0, "stays"), charts.FunnelLevel("kept", 0, 10, "dropped")]
    drawn = [
        charts.funnel_chart(levels, charts.WIDE),
        charts.funnel_chart(levels, charts.NARROW),
        charts.funnel_chart([], charts.WIDE),
        charts.histogram_chart(hostile, [Bin(0, 1, 5, 2, 1), Bin(1, 2, 0, 0, 0), Bin(2, 3, 10**9, 10, 0)], [0.5, 99.0]),
        charts.histogram_chart(hostile, [], []),
        charts.bars_chart(hostile, [(hostile, 5, 0), ("en", 1, 1)]),
        charts.share_bar(1.7),
    ]
    for markup in drawn:
        root = ElementTree.fromstring(markup)
        assert root.tag == "svg"
        assert not list(root.iter("script"))
        assert all(float(rect.attrib["width"]) >= 0 and float(rect.attrib["height"]) >= 0 for rect in root.iter("rect"))


def test_bars_of_a_histogram_fill_its_scale() -> None:
    root = ElementTree.fromstring(charts.histogram_chart("a", [Bin(0, 1, 4, 4, 0), Bin(1, 2, 1, 0, 1)], []))
    tall, short = (float(rect.attrib["height"]) for rect in root.iter("rect"))
    assert tall == pytest.approx(2 * short)


def test_reject_rows_alone_are_counted(tmp_path: Path) -> None:
    row = dict.fromkeys(LEDGER.names) | {
        "id": "a:0", "key": b"0" * 16, "source": "a", "file_path": "a", "offset": 0, "text_bytes": 0,
        "fate": "unreadable", "stage": "ingest", "rule": "bad_json", "cluster_size": 1,
    }  # fmt: skip
    mark(tmp_path)
    output_in(Location.of(tmp_path), "ledger").write("small-00-rejected", pa.Table.from_pylist([row], LEDGER))
    assert "bad_" in Path(write_report(str(tmp_path), print)).read_text("utf-8")


def test_a_run_without_input_is_shown_by_its_generated_rows_alone(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        'license = "cc0-1.0"\n[[filter]]\nname = "gopher_repetition"\n[synthesize]\nteacher = { name = "procedural" }\n'
        'tasks = [{ name = "worked_problem", count = 12 }]\n'
    )
    said = curate("run", tmp_path / "r.toml", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    card = (tmp_path / "out" / "dataset" / "README.md").read_text("utf-8")
    assert "From the teacher to the dataset" in said
    assert "The books balance: 12 generated rows, each with one fate." in said
    assert "all records" not in said
    assert "Records read" not in page
    assert "Documents from the web" not in page
    assert "generated rows: 12 left" in page
    assert "### Web" not in card
    assert "## From the teacher to the dataset" in card
