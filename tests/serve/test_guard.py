"""Who is let in: tokens, hosts and origins; what every answer carries; that a run is only looked at."""

import hashlib
import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.serving import Server, serving
from tests.toy_run import HOSTILE_URL, write_run
from tests.verbs import call


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("served") / "toy")


@pytest.fixture(scope="module")
def server(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(run, labels=tmp_path_factory.mktemp("labels") / "labels.parquet") as started:
        yield started


def test_only_who_has_the_token_sees_anything(server: Server) -> None:
    for path in ("/", "/documents", "/static/app.js", "/api/threshold?signal=gopher_quality.words&at=1"):
        assert server.ask(path, Cookie="")[0] == 403
        assert server.ask(path, Cookie=f"curate-{server.port}=wrong")[0] == 403
    assert server.ask("/?token=wrong", Cookie="")[0] == 403
    status, headers, _ = server.ask(f"/documents?fate=kept&token={server.token}", Cookie="")
    assert (status, headers["location"]) == (303, "/documents?fate=kept")
    assert re.fullmatch(rf"curate-{server.port}={server.token}; HttpOnly; Path=/; SameSite=strict", headers["set-cookie"])
    assert server.ask(f"//evil.example/?token={server.token}", Cookie="")[1].get("location", "/").startswith("/evil.example")
    assert server.ask("/documents?fate=kept")[0] == 200


def test_names_that_point_here_are_refused(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", f"127.0.0.1:{server.port + 1}", ""):
        assert server.ask("/", Host=host)[0] == 421
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
        assert server.ask("/", Host=host)[0] == 200


def test_a_change_must_come_from_the_page_itself(server: Server) -> None:
    body = json.dumps({"undo": True}).encode()
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://localhost:{server.port}"}):
        assert server.ask("/api/label", "POST", body, **origin)[0] == 403
    assert server.ask("/api/label", "POST", body, Origin=server.base)[0] == 200


def test_every_answer_carries_the_policy(server: Server) -> None:
    for path, given in (("/", {}), ("/nothing", {}), ("/static/app.js", {}), ("/", {"Cookie": ""}), ("/", {"Host": "evil.example"})):
        _, headers, _ = server.ask(path, **given)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


PAGES = ("/", "/signals", "/signals?signal=fineweb_quality.newline_ratio", "/lab", "/lab?t.gopher_quality.too_few_words=20", "/documents")
PAGES += ("/duplicates", "/synthetic", "/label", "/document?id=doc-004", "/compare?a=doc-004&b=copy-1", "/document?id=crawl.warc.gz%3A9000")


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_script_of_their_own_and_no_link_out(server: Server, path: str) -> None:
    status, headers, text = server.ask(path)
    assert status == 200, text
    assert headers["content-type"].startswith("text/html")
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/app.js" defer>']
    assert not re.search(r"<style|<[^>]*\s(?:on\w+|style)\s*=", re.sub(r'"[^"]*"', '""', text), re.IGNORECASE)
    links = {*re.findall(r'(?:href|src|action)="([^"]*)"', text)} - {"#main"}
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert f'href="{HOSTILE_URL}' not in text


def test_what_cannot_be_is_told_and_nothing_breaks(server: Server) -> None:
    for path, status, said in (
        ("/document?id=nobody", 400, "knows no record"),
        ("/signals?signal=nothing", 400, "nothing"),
        ("/signals?at=many", 400, "at must be a number"),
        ("/documents?q=/(/", 400, "is no regular expression"),
        ("/documents?run=other", 404, "No run of that name"),
        ("/documents?page=1e9", 200, "Nothing is found"),
        ("/api/threshold?signal=gopher_quality.words&at=nan", 400, "at must be a number"),
        ("/nowhere", 404, "Not Found"),
    ):
        found, _, text = server.ask(path)
        assert (found, said in text) == (status, True), (path, text[-600:])
    for body in (b"[]", b"{}", b'{"key": "zz", "score": 1}', b'{"key": "00", "score": true}', b"no json"):
        assert server.ask("/api/label", "POST", body, Origin=server.base)[0] in (400, 404)


def test_a_threshold_is_what_inspect_says(server: Server, run: Path) -> None:
    met = 0
    for signal in ("gopher_quality.words", "fineweb_quality.newline_ratio", "gopher_quality.mean_word_length"):
        for at in (-1.0, 0.0, 0.05, 4.5, 30.0, 50.0, 100.0, 1e6):
            said = call("inspect", run, "--signal", signal, "--at", at, "--json")
            told = json.loads(server.ask(f"/api/threshold?signal={signal}&at={at}")[2])["effect"]
            assert told == json.loads(said.out)
            met += told["otherwise_kept"]["then"]["documents"] not in (0, told["otherwise_kept"]["of"]["documents"])
    assert met > 2


def test_the_nearest_documents_stand_around_the_threshold(server: Server) -> None:
    told = json.loads(server.ask("/api/threshold?signal=gopher_quality.words&at=60&near=1")[2])
    below, above = ([sample["value"] for sample in told[side]] for side in ("below", "above"))
    assert below == sorted(below, reverse=True)
    assert above == sorted(above)
    assert len(below) == len(above) == 10
    assert max(below) < 60 <= min(above)


def test_searches_find_what_is_there(server: Server) -> None:
    def ids(query: str) -> set[str]:
        return {*re.findall(r'<span class="id"><bdi>(.*?)</bdi>', server.ask(f"/documents?{query}")[2])}

    assert ids("q=one+more+line&in=text") == {"copy-1"}
    assert ids("q=/remark+4+of+part+1[0-9]%5C./&in=text") > {"doc-011"}
    assert ids("q=COPY-&in=id") == {"copy-1", "copy-2"}
    assert ids("fate=duplicate") == {"copy-1", "copy-2"}
    assert ids("q=/page/12$/&in=url") == {"doc-012"}
    assert ids("rule=http_status") == {"crawl.warc.gz:9000"}
    assert ids("origin=synthetic&fate=dropped") == {"made-1"}
    assert ids("signal=gopher_quality.words&low=1000") == {"doc-005"}
    falling = re.findall(r'class="value">([\d,]+)<', server.ask("/documents?signal=gopher_quality.words&sort=down")[2])
    numbers = [int(value.replace(",", "")) for value in falling]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 50
    assert server.ask("/documents?page=2")[2].count('<li class="row">') == 16


def test_a_generated_row_is_shown_with_its_request_and_reply(server: Server) -> None:
    def said(name: str) -> list[tuple[str, str]]:
        return re.findall(
            r'<p class="kicker"><bdi>(\w+)</bdi></p><pre class="body"[^>]*>(.*?)</pre>', server.ask(f"/document?id={name}")[2]
        )

    assert said("made-0") == [("user", "Ask for problem 0."), ("assistant", "The reply.")]
    assert said("made-2") == said("doc-004") == []


def test_each_level_of_the_funnel_leads_to_its_documents(server: Server) -> None:
    """As many documents are listed as the level removed, or kept, or as all that came."""
    levels = re.findall(r'<a href="(/documents[^"]*)"><title>([^<]*)</title>', server.ask("/")[2])
    assert len(levels) >= 2 * 5  # drawn for wide and for narrow pages
    for address, told in levels[: len(levels) // 2]:
        label, left, taken = re.fullmatch(r"(.*): ([\d,]+) left, ([\d,]+) removed", told).groups()  # type: ignore[union-attr]
        wanted = left if label in ("documents", "kept") else taken
        found = re.search(r"<h1>([\d,]+) documents</h1>", server.ask(html.unescape(address))[2])
        assert found is not None
        assert label == "records read" or found[1] == wanted, told


def test_looking_writes_nothing_in_the_run(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "recipe.toml").write_text((copy / "recipe.toml").read_text() + '\n[[filter]]\nfile = "evil.py"\n')
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'harmed')!r}, 'w')")

    def state() -> dict[str, str]:
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(copy.rglob("*")) if path.is_file()}

    before = state()
    with serving(copy, labels=tmp_path / "labels.parquet") as server:
        for path in PAGES:
            assert server.ask(path)[0] == 200
        key = re.findall(r'data-key="(\w+)"', server.ask("/label")[2])[0]
        assert server.ask("/api/label", "POST", json.dumps({"key": key, "score": 4}).encode(), Origin=server.base)[0] == 200
    assert state() == before
    assert (tmp_path / "labels.parquet").exists()
    assert not (tmp_path / "harmed").exists()
