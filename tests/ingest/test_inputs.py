"""Expanding inputs to files, on a local disk, in packages, on an object store and over HTTP; and reading from there."""

import fnmatch
import gzip
import os
import socket
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.ingest.inputs import _expression, _public, expand
from curation.ingest.readers import Record, Tally, read_records
from curation.storage.location import Location
from curation.storage.source_file import Fields
from tests.ingest.test_readers_archives import page
from tests.meeting import meets, met
from tests.object_store import BUCKET, object_store

LINE = b'{"text": "x"}\n'


@dataclass(frozen=True)
class Given:
    path: str
    source: str | None = None
    fields: Fields = field(default_factory=Fields)


def relatives(*paths) -> list[str]:
    return [source.relative for source in expand([Given(str(path)) for path in paths])]


@pytest.fixture
def tree(tmp_path):
    for name in (
        "b.jsonl",
        "a.jsonl",
        "sub/c.jsonl",
        "sub/deep/d.jsonl",
        "sub/e.html",
        "x[1].jsonl",
        ".hidden.jsonl",
        ".git/f.jsonl",
        "sub/.tmp-1-g.jsonl",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINE)
    return tmp_path


def test_a_file_is_called_by_its_name(tree):
    [source] = expand([Given(str(tree / "sub" / "c.jsonl"), "web", Fields(text="body"))])
    assert (source.relative, source.source, source.size, source.fields.text) == ("c.jsonl", "web", len(LINE), "body")
    assert source.changed == (tree / "sub" / "c.jsonl").stat().st_mtime_ns
    assert expand([Given(str(tree / "sub" / "c.jsonl"))])[0].source == "c.jsonl"


PARTS = st.lists(st.sampled_from(["*", "?", "[ab]", "[!a]", "[^a]", "[!]a]", "[", "a", "b", ".", "!"]), min_size=1, max_size=4).map("".join)
NAMES = st.lists(st.text("ab.]^!", min_size=1, max_size=3), min_size=1, max_size=3)


def is_asked_for(parts: list[str], names: list[str]) -> bool:
    """The plain twin: `fnmatch` for a name, and `**` for any number of folders, or for all that is left."""
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return len(parts) == 1 or is_asked_for(parts[1:], names) or is_asked_for(parts, names[1:])
    return fnmatch.fnmatchcase(names[0], parts[0]) and is_asked_for(parts[1:], names[1:])


LAST = st.one_of(PARTS, st.just("**"), PARTS.map(lambda part: f"{part}[ab]"))


@meets(found=15, other=60, brackets_at_the_end=4)
@given(st.lists(st.one_of(PARTS, st.just("**")), max_size=2), LAST, st.lists(NAMES, min_size=8, max_size=12))
def test_a_pattern_asks_for_what_the_plain_twin_says(begin: list[str], last: str, paths: list[list[str]]) -> None:
    parts = [*begin, last]
    pattern = _expression(parts)
    for names in paths:
        expected = is_asked_for(parts, names)
        assert (pattern.fullmatch("/".join(names)) is not None) == expected, (parts, names)
        met["found" if expected else "other"] += 1
    met["brackets_at_the_end"] += parts[-1].endswith("]")


def labels(*patterns: str) -> list[str]:
    return sorted({source.source for source in expand([Given(pattern) for pattern in patterns])})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("https://user:secret@h.example/a.jsonl?signature=secret", "https://h.example/a.jsonl"),
        ("http://h.example?signature=secret", "http://h.example"),
        ("s3://key:secret@bucket/part-?.jsonl", "s3://bucket/part-?.jsonl"),
        ("folder/part-?.jsonl", "folder/part-?.jsonl"),
    ],
)
def test_what_is_told_of_an_input_holds_no_secret_of_its_address(written, told):
    assert _public(written) == told


def test_a_source_without_a_label_is_called_as_the_input_was_written(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert labels("sub") == labels("sub/") == ["sub"]
    assert labels("*.jsonl") == ["*.jsonl"]
    assert labels(f"{tree}/sub/**/*.jsonl") == [f"{tree}/sub/**/*.jsonl"]
    assert labels("sub/c.jsonl", "a.jsonl") == ["a.jsonl", "c.jsonl"]
    assert labels("a.jsonl", "*.jsonl") == labels("*.jsonl", "a.jsonl") == ["*.jsonl"]
    assert labels("sample_data:texts/*.jsonl") == ["sample_data:texts/*.jsonl"]


def test_files_that_a_shell_named_one_by_one_are_one_source(tree, monkeypatch):
    monkeypatch.chdir(tree)
    names = [f"many/{number:03}.jsonl" for number in range(200)]
    (tree / "many").mkdir()
    for name in names:
        (tree / name).write_bytes(LINE)
    assert labels(*names, "a.jsonl") == ["a.jsonl", "many"]
    assert labels(*names[:3]) == ["000.jsonl", "001.jsonl", "002.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["a.jsonl", "b.jsonl", "sub/c.jsonl", "sub/deep/d.jsonl", "sub/e.html", "x[1].jsonl"]),
        ("sub", ["c.jsonl", "deep/d.jsonl", "e.html"]),
        ("*.jsonl", ["a.jsonl", "b.jsonl", "x[1].jsonl"]),
        ("?.jsonl", ["a.jsonl", "b.jsonl"]),
        ("[!a].jsonl", ["b.jsonl"]),
        ("[ab].jsonl", ["a.jsonl", "b.jsonl"]),
        ("[a-c].jsonl", ["a.jsonl", "b.jsonl"]),
        ("x[1].jsonl", ["x[1].jsonl"]),
        ("x[[]1].*", ["x[1].jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "b.jsonl", "sub/c.jsonl", "sub/deep/d.jsonl", "x[1].jsonl"]),
        ("**", ["a.jsonl", "b.jsonl", "sub/c.jsonl", "sub/deep/d.jsonl", "sub/e.html", "x[1].jsonl"]),
        ("sub/**/*.jsonl", ["c.jsonl", "deep/d.jsonl"]),
        ("s*/*.jsonl", ["sub/c.jsonl"]),
        (".git/*", ["f.jsonl"]),
        (".hidden.jsonl", [".hidden.jsonl"]),
    ],
)
def test_patterns(tree, pattern, expected):
    assert relatives(tree / pattern) == expected


def test_the_list_does_not_depend_on_order_folder_or_repetition(tree, monkeypatch):
    monkeypatch.chdir(tree)
    whole = relatives("sub/deep", "a.jsonl", "b.jsonl")
    assert whole == relatives("b.jsonl", tree / "a.jsonl", "sub/deep/", "./b.jsonl") == ["a.jsonl", "b.jsonl", "d.jsonl"]


def test_two_files_of_one_name_are_refused(tree):
    (tree / "other").mkdir()
    (tree / "other" / "a.jsonl").write_bytes(LINE)
    with pytest.raises(InputError) as refused:
        relatives(tree / "a.jsonl", tree / "other")
    assert str(tree / "a.jsonl") in str(refused.value)
    assert str(tree / "other" / "a.jsonl") in str(refused.value)


@pytest.mark.parametrize("pattern", ["nothing", "nothing/*.jsonl", "*.parquet", "sample_data:nothing.jsonl", "ftp://a.example/x", "empty"])
def test_what_is_not_there_is_an_input_error(tree, pattern):
    (tree / "empty").mkdir()
    with pytest.raises(InputError, match=r"nothing|\*|ftp|empty"):
        relatives(pattern if ":" in pattern else tree / pattern)


def test_files_of_packages():
    assert relatives("sample_data:texts/*.jsonl")
    assert relatives("sample_data:texts/textbook.jsonl") == ["textbook.jsonl"]


@pytest.fixture
def bucket(monkeypatch):
    with object_store() as store:
        for name, value in store.env.items():
            monkeypatch.setenv(name, value)
        for name, content in files().items():
            store.client.put_object(Bucket=BUCKET, Key=f"2024/{name}", Body=content)
        yield f"s3://{BUCKET}"


def files() -> dict[str, bytes]:
    parquet = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["x", "y"]}), parquet)
    return {
        "a.warc.gz": gzip.compress(page(1)) + gzip.compress(page(2)),
        "b.jsonl": LINE * 2,
        "sub/c.parquet": parquet.getvalue().to_pybytes(),
    }


def test_an_object_store(bucket):
    assert relatives(f"{bucket}/2024") == relatives(f"{bucket}/2024/**") == ["a.warc.gz", "b.jsonl", "sub/c.parquet"]
    assert relatives(f"{bucket}/2024/*.gz", f"{bucket}/2024/b.jsonl") == ["a.warc.gz", "b.jsonl"]
    for source in expand([Given(f"{bucket}/2024")]):
        assert source.size == len(files()[source.relative])
        assert source.changed
        assert [type(outcome) for outcome in read_records(source, Tally())] == [Record, Record]
    for absent in ("2024/z.jsonl", "2024/*.arc", "2025"):
        with pytest.raises(InputError, match=absent.replace("*", r"\*")):
            relatives(f"{bucket}/{absent}")
    with pytest.raises(InputError):
        relatives("s3://no-such-bucket/x.jsonl")


def test_the_endpoint_is_the_one_that_the_environment_names_now(bucket, site, monkeypatch):
    assert Location.of(f"{bucket}/2024/b.jsonl").exists()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("AWS_ENDPOINT_URL_S3", site)  # a server that knows no bucket
        assert not Location.of(f"{bucket}/2024/b.jsonl").exists()
    assert Location.of(f"{bucket}/2024/b.jsonl").exists()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    for name, content in files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=os.fspath(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_http(site):
    sources = expand([Given(f"{site}/{name}") for name in ("b.jsonl", "a.warc.gz")])
    assert [source.relative for source in sources] == ["a.warc.gz", "b.jsonl"]
    for source in sources:
        assert source.size == len(files()[source.relative])
        assert [type(outcome) for outcome in read_records(source, Tally())] == [Record, Record]
    with pytest.raises(InputError, match=r"none\.jsonl"):
        relatives(f"{site}/none.jsonl")


def test_a_url_that_cannot_be_read_says_what_happened(site, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/a.jsonl"
    told = {
        f"{site}/none.jsonl": "the server answers 404 File not found: nothing is there",
        f"{site}/none*.jsonl": "404",
        closed: "the connection is refused",
        "http://no-such-host.invalid/a.jsonl": "this host name cannot be resolved",
        site.replace("http:", "https:") + "/b.jsonl": "no secure connection can be made",
    }
    for url, words in told.items():
        with pytest.raises(InputError) as caught:
            relatives(url)
        assert str(caught.value).startswith(f"{url}: cannot be read: ")
        assert words in str(caught.value)


def test_what_lies_in_a_folder_is_told_through_links(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "apart").mkdir()
    for name in ("out/a", "out/deep/b", "apart/c"):
        (tmp_path / name).write_text("x")
    (tmp_path / "apart" / "to-file").symlink_to(tmp_path / "out" / "a")
    (tmp_path / "apart" / "to-folder").symlink_to(tmp_path / "out" / "deep")
    (tmp_path / "outside").mkdir()
    inside = ["out/a", "out/deep/b", "apart/to-file", "apart/to-folder/b", "apart/../out/a"]
    outside = ["apart/c", "outside", "out", "out/../apart/c", "apart/to-folder/.."]
    folder = Location.of(tmp_path / "out")
    found = folder.holds_which(Location("", f"{tmp_path}/{name}") for name in [*inside, *outside])
    assert found == [True] * len(inside) + [False, False, False, False, False]
    assert not folder.holds(Location.of("s3://bucket/a"))


def test_a_name_that_is_no_text_is_named_and_nothing_is_guessed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/whole.jsonl").write_bytes(LINE)
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(LINE)
    for path in (tmp_path / "in", tmp_path / "in/*.jsonl", tmp_path / "in" / os.fsdecode(b"caf\xe9.jsonl"), tmp_path / "a\0b"):
        with pytest.raises(InputError, match="its name is not UTF-8") as raised:
            expand([Given(str(path))])
        assert str(raised.value).isascii()
    assert relatives(tmp_path / "in/w*.jsonl") == ["whole.jsonl"]


def test_a_link_to_nowhere_is_named_where_it_is_asked_for(tmp_path):
    (tmp_path / "whole.jsonl").write_bytes(LINE)
    (tmp_path / ".#whole.jsonl").symlink_to("nobody@nowhere")
    assert relatives(tmp_path) == ["whole.jsonl"]
    (tmp_path / "lost.jsonl").symlink_to("nowhere")
    (tmp_path / "itself.jsonl").symlink_to("itself.jsonl")
    assert relatives(tmp_path / "w*.jsonl") == ["whole.jsonl"]
    for path, named in ((tmp_path, "itself.jsonl is a link"), (tmp_path / "l*", "lost.jsonl is a link to nowhere")):
        with pytest.raises(InputError, match=named):
            expand([Given(str(path))])
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "lost.jsonl", "/dev/null"):
        with pytest.raises(InputError, match="neither a file nor a folder"):
            expand([Given(str(path))])


def test_links_that_go_round_in_circles_are_not_followed(tmp_path):
    """Two links to their own folder lead to 2^40 paths, until the operating system refuses to go on."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jsonl").write_bytes(LINE)
    (tmp_path / "b").symlink_to("a")
    for link, target in (("a/here", "."), ("a/again", "."), ("a/up", ".."), ("a/all", str(tmp_path))):
        (tmp_path / link).symlink_to(target)
    assert relatives(tmp_path) == ["a/x.jsonl", "b/x.jsonl"]
    assert relatives(tmp_path / "**/x.jsonl") == ["a/x.jsonl", "b/x.jsonl"]


CARD = b"---\nlicense: odc-by\n---\n# A dataset\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": CARD, "manifest.json": b"{}", "sft/a.jsonl": LINE, "data/x/b.jsonl": LINE}, ["data/x/b.jsonl"]),
        ({"README.md": CARD.replace(b"\n", b"\r\n"), "en/a.jsonl": LINE}, ["en/a.jsonl"]),
        ({"README.md": b"# Notes\n", "data/a.jsonl": LINE}, ["README.md", "data/a.jsonl"]),
        ({"README.md": b"", "a.jsonl": LINE}, ["README.md", "a.jsonl"]),
        ({"sub/README.md": CARD, "data/a.jsonl": LINE}, ["data/a.jsonl", "sub/README.md"]),
    ],
)
def test_of_a_dataset_the_texts_are_read(tmp_path, files, expected):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert relatives(tmp_path) == expected


def test_the_folder_of_a_run_is_no_input_but_its_dataset_is_named(tmp_path):
    for name in ("run.json", "ledger/a.parquet", "dataset/README.md", "dataset/data/a.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(CARD)
    with pytest.raises(InputError, match=r"folder of a run.*give its dataset: .*/dataset$"):
        relatives(tmp_path)
    assert relatives(tmp_path / "dataset") == ["data/a.jsonl"]


def test_a_name_that_is_too_long_is_told_without_a_number(tmp_path):
    with pytest.raises(InputError, match="longer than the file system allows") as raised:
        relatives(tmp_path / ("a" * 300))
    assert "Errno" not in str(raised.value)
