"""A corpus to measure with: the documentation that Debian ships, as JSON Lines, with copies planted whose originals are known.

    python tests/benchmark/corpus.py DIR [--mb 224] [--seed 7] [--packages FOLDER]     needs apt-get and dpkg-deb; about ten minutes

The pages of some sixty packages are reduced to their main text; lines that stood before in the same package are dropped, and so are lines
of code and tables, told by their share of letters. What is left is cut at line ends into documents of log-normal length (median 2.3 KB, as
on the web). Then 5 % exact and 20 % near copies are planted: a
near copy has 1 to 10 % of its words replaced, left out or inserted; one original in a thousand has twenty.

    DIR/texts-*.jsonl   the corpus, `--mb` megabytes of text, in four files: lines of id, text, url
    DIR/more-*.jsonl    as much again, in words that the first half does not hold: what memory is measured with when the input doubles
    DIR/small.jsonl     the first megabytes, to warm up with
    DIR/truth.jsonl     of every planted copy: id, the id it was copied `of`, kind (exact, near)
    DIR/packages.json   names and versions of the packages: the same ones give the same corpus

Documentation is not the web: it repeats itself more and reads less like prose, so what filters keep of it says nothing about filters.
"""

import argparse
import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

from resiliparse.extract.html2text import extract_plain_text

PACKAGES = (Path(__file__).parent / "packages.txt").read_text().split()
"""Documentation in Debian 12 that is mostly English. A package that the release does not have is left out, and said."""

PAGES_PER_PACKAGE = 150_000_000
"""Bytes of pages taken of one package, so that none makes up the corpus."""

FILES = 4
LETTERS = 0.88
"""Least share of letters and spaces in a line."""

SMALL_MB = 2
MIN_CHARACTERS, MEDIAN_CHARACTERS, MAX_CHARACTERS = 200, 2300, 80_000

_PAGE = re.compile(r"\.(html?(\.en)?|txt|pod)$")
_OTHER = re.compile(
    r"/(_static|_sources|search|genindex|py-modindex)|[./-](de|fr|es|it|ja|ko|pt|ru|tr|zh|ca|cs|hu|nl|pl)([-_][A-Za-z]+)?[./]"
)
_GAPS = re.compile(r"\n{3,}")
_POD_COMMAND = re.compile(r"^=\w+ ?", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """A line of the corpus; `of` and `kind` for a planted copy."""

    id: str
    text: str
    url: str
    of: str | None = None
    kind: str | None = None


def fetch(folder: Path) -> dict[str, str]:
    """Download and unpack the packages below `folder`; return their versions."""
    folder.mkdir(parents=True, exist_ok=True)
    known = subprocess.run(["apt-cache", "pkgnames"], check=True, capture_output=True, text=True).stdout.split()
    missing = sorted(set(PACKAGES) - set(known))
    if missing:
        print(f"not in this release, left out: {' '.join(missing)}")
    wanted = [package for package in PACKAGES if package not in missing and not list(folder.glob(f"{package}_*.deb"))]
    if wanted:
        subprocess.run(["apt-get", "download", "-q", *wanted], check=True, cwd=folder, capture_output=True)
    versions = {}
    for archive in sorted(folder.glob("*.deb")):
        package, version, _ = archive.name.split("_")
        versions[package] = version.replace("%3a", ":")
        if not (folder / package).is_dir():
            subprocess.run(["dpkg-deb", "-x", archive, folder / package], check=True)
    return versions


def pages_of(package: Path) -> list[Path]:
    """Return a package's English pages, at most PAGES_PER_PACKAGE bytes of them, chosen and ordered by a hash of their paths."""
    found = [path for path in package.rglob("*") if _PAGE.search(path.name) and path.is_file() and not path.is_symlink()]
    names = {path: f"/{path.relative_to(package)}" for path in found}
    english = [path for path in found if not _OTHER.search(names[path])]
    shuffled = sorted(english, key=lambda path: _digest(names[path]))
    sizes = accumulate(path.stat().st_size for path in shuffled)
    return sorted(path for path, size in zip(shuffled, sizes, strict=True) if size <= PAGES_PER_PACKAGE)


def text_of(page: Path) -> str:
    """Return a page's main text."""
    content = page.read_bytes().decode("utf-8", "replace")
    if page.suffix == ".txt":
        return content
    if page.suffix == ".pod":
        return _POD_COMMAND.sub("", content)
    return str(extract_plain_text(content, main_content=True, alt_texts=False, links=False, list_bullets=False))


def new_prose(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts without lines that are mostly no letters, and without those that stood before in any of them; short ones stay."""
    seen: set[bytes] = set()
    for text in texts:
        lines = []
        for line in map(str.rstrip, text.replace("\0", "").splitlines()):
            if line and sum(letter.isalpha() or letter == " " for letter in line) < LETTERS * len(line):
                continue
            digest = _digest(line)
            if len(line) < 25 or digest not in seen:
                lines.append(line)
                seen.add(digest)
        yield _GAPS.sub("\n\n", "\n".join(lines)).strip()


def cut(text: str, random: Random) -> Iterator[str]:
    """Cut a text at line ends into pieces of log-normal length; what is short is dropped."""
    piece: list[str] = []
    held, wanted = 0, 0.0
    for line in [*text.split("\n"), None]:
        if held > wanted or line is None:
            made = "\n".join(piece).strip()
            if MIN_CHARACTERS <= len(made) <= MAX_CHARACTERS:
                yield made
            piece, held = [], 0
            wanted = MEDIAN_CHARACTERS * random.lognormvariate(0, 1)
        if line is not None:
            piece.append(line)
            held += len(line) + 1


def originals(folder: Path, packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (url, text) of every document cut out of the packages."""
    with ProcessPoolExecutor() as pool:
        for package in sorted(packages):
            pages = pages_of(folder / package)
            size = 0
            for page, text in zip(pages, new_prose(pool.map(text_of, pages, chunksize=16)), strict=True):
                url = f"https://{package}.example.org/{page.name}"
                for piece in cut(text, Random(url)):
                    size += len(piece)
                    yield url, piece
            print(f"{package:28} {len(pages):6} pages {size / 1e6:6.1f} MB")


def with_copies(texts: Iterable[tuple[str, str]], seed: int) -> Iterator[Document]:
    """Yield documents, each followed by the copies planted of it."""
    texts = list(texts)
    words = [word for _, text in texts[:: max(1, len(texts) // 2000)] for word in text.split()[:50]]
    for number, (url, text) in enumerate(texts):
        random = Random(f"{seed}:{number}")
        name = f"{number:07d}"
        yield Document(name, text, url)
        exact = random.random() < 1 / 15
        near = 20 if random.random() < 1 / 1000 else random.random() < 1 / 4
        if exact:
            yield Document(f"{name}-exact", text, f"https://copy.example.net/{name}", name, "exact")
        for copy in range(near):
            changed = near_copy(text, words, random)
            yield Document(f"{name}-near{copy}", changed, f"https://mirror{copy}.example.net/{name}", name, "near")


def near_copy(text: str, words: list[str], random: Random) -> str:
    """Return the text with 1 to 10 % of its words replaced, left out or inserted."""
    rate = random.uniform(0.01, 0.10)
    made = []
    for word in re.split(r"(\s+)", text):
        if word.isspace() or random.random() >= rate:
            made.append(word)
        else:
            made.append(random.choice((random.choice(words), "", f"{word} {random.choice(words)}")))
    return "".join(made)


def in_other_words(document: Document) -> Document:
    """Return the document with every longer word turned round: another text, of which filters hold about the same."""
    text = re.sub(r"[a-z]{5,}", lambda found: found.group()[::-1], document.text)
    return Document(f"{document.id}-more", text, f"{document.url}?more", document.of and f"{document.of}-more", document.kind)


def build(folder: Path, megabytes: int, seed: int, packages: Path | None = None) -> None:
    """Make the corpus in `folder`, of packages that lie unpacked in folders of another one, or else of Debian's."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = fetch(folder / "packages") if packages is None else {package.name: "as given" for package in packages.iterdir()}
    texts = sorted(originals(packages or folder / "packages", versions), key=lambda found: _digest(f"{seed}:{found[0]}:{found[1]}"))
    documents: list[Document] = []
    size = 0
    for document in with_copies(texts, seed):
        size += len(document.text.encode())
        if size > megabytes * 1_000_000:
            break
        documents.append(document)
    else:
        raise SystemExit(f"the packages give {size / 1e6:.0f} MB only; ask for less with --mb")
    documents.sort(key=lambda document: _digest(f"{seed}:{document.id}"))
    write(folder, "texts", documents, megabytes)
    write(folder, "more", map(in_other_words, documents), megabytes)
    (folder / "small.jsonl").write_text("".join(map(_line, _first(documents, SMALL_MB))), "utf-8")
    planted = [{"id": document.id, "of": document.of, "kind": document.kind} for document in documents if document.of]
    (folder / "truth.jsonl").write_text("".join(f"{json.dumps(copy)}\n" for copy in planted), "utf-8")
    (folder / "packages.json").write_text(json.dumps({"seed": seed, "megabytes": megabytes, "packages": versions}, indent=1), "utf-8")
    print(f"{len(documents)} documents, {len(planted)} of them copies")


def write(folder: Path, name: str, documents: Iterable[Document], megabytes: int) -> None:
    """Write documents to FILES numbered files of about the same size."""
    files: list[list[str]] = [[] for _ in range(FILES)]
    size = 0
    for document in documents:
        files[min(size * FILES // (megabytes * 1_000_000), FILES - 1)].append(_line(document))
        size += len(document.text.encode())
    for number, lines in enumerate(files):
        (folder / f"{name}-{number:02d}.jsonl").write_text("".join(lines), "utf-8")


def _first(documents: Iterable[Document], megabytes: int) -> Iterator[Document]:
    size = 0
    for document in documents:
        size += len(document.text.encode())
        if size > megabytes * 1_000_000:
            return
        yield document


def _line(document: Document) -> str:
    facts = asdict(document)
    return json.dumps({name: facts[name] for name in ("id", "text", "url")}, ensure_ascii=False) + "\n"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def main() -> None:
    """Make the corpus as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mb", type=int, default=224, help="megabytes of text (10^6 bytes of UTF-8)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--packages", type=Path, help="a folder of folders with pages, in place of Debian's packages")
    asked = parser.parse_args()
    build(asked.folder, asked.mb, asked.seed, asked.packages)


if __name__ == "__main__":
    main()
