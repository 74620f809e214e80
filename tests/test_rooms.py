"""Every room's README names its files, and says truly from where it imports."""

import re
from pathlib import Path

import pytest

from tests.test_imports import ARROWS, MODULES, ROOT, modules_imported, room_of

PAGE = 60
"""Lines of a page."""

TESTED_ELSEWHERE = {"pipelines/recipes", "pipelines/notebook", "filters"}
"""Folders whose README is written by a command, or is all examples: other tests compare or run them."""

PARTS = (
    "curation/ingest/edits",
    "curation/ingest/extraction",
    "curation/ingest/extraction/page_blocks",
    "curation/ingest/readers",
    "pipelines/reexport/formats",
    "pipelines/train/extractor",
    "synth/procedural",
)
"""Folders that are parts of a room: their README says who imports them."""

OTHER_FOLDERS = ("curation", "pipelines", *PARTS)
"""Folders whose README names their files and is not a room's: two packages of rooms, and the parts of rooms."""

LISTED_ABOVE = {"synth/procedural/families"}
"""Folders of files of one kind, which the README above them describes."""

ROOMS = sorted(
    room
    for room in ARROWS
    if Path(ROOT, *room.split(".")).is_dir() and (room.count(".") or room == "synth") and room.replace(".", "/") not in TESTED_ELSEWHERE
)


def imports_line(room: str) -> str:
    """Say from which rooms a room imports."""
    used = {room_of(imported) for module in MODULES if room_of(module) == room for imported in modules_imported(MODULES[module])}
    rooms = sorted(used - {room, "curation"})
    ground = ["the ground (`curation/*.py`)"] if "curation" in used else []
    folders = [f"`{other.replace('.', '/')}`" for other in rooms]
    return f"Imports from: {', '.join([*ground, *folders])}."


@pytest.mark.parametrize("folder", [*(room.replace(".", "/") for room in ROOMS), *OTHER_FOLDERS])
def test_a_readme_names_the_files_of_its_folder(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text("utf-8")
    named = re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)
    there = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py"}
    there |= {f"{path.parent.name}/" for path in (ROOT / folder).glob("*/__init__.py")}
    assert sorted(named) == sorted(there)
    assert len(text.splitlines()) <= PAGE


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_tells_from_where_it_imports(room: str) -> None:
    text = Path(ROOT, *room.split("."), "README.md").read_text("utf-8")
    assert imports_line(room) in text.replace("\n", " ")


def importers_line(folder: str) -> str:
    """Say from which folders a part of a room is imported."""
    name = folder.replace("/", ".")
    inside = {module for module in MODULES if f"{module}.".startswith(f"{name}.")}
    users = {path.parent for module, path in MODULES.items() if module not in inside and modules_imported(path) & inside}
    return f"Imported by: {', '.join(f'`{user.relative_to(ROOT).as_posix()}`' for user in sorted(users))}."


@pytest.mark.parametrize("folder", PARTS)
def test_a_part_of_a_room_tells_who_imports_it(folder: str) -> None:
    assert importers_line(folder) in (ROOT / folder / "README.md").read_text("utf-8").replace("\n", " ")


def test_every_folder_of_the_product_has_a_readme() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in MODULES.values()}
    assert {folder for folder in folders if not (ROOT / folder / "README.md").is_file()} == LISTED_ABOVE
    assert len(folders) > 30


def test_there_are_rooms() -> None:
    assert len(ROOMS) > 15


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("the rule that picks the survivor", "curation/duplicates/survivors.py"),
        ("The WARC reader", "curation/ingest/readers/warc.py"),
        ("the funnel's colours", "pipelines/templates/report.css"),
        ("A unit's key is made", "curation/engine/stage.py"),
        ("the seals", "curation/engine/session.py"),
        ("the phrases of a family", "synth/phrases/families/bayes.toml"),
        ("A threshold's default", "filters/gopher_readings.py"),
        ("the section on licences", "pipelines/templates/card.md"),
        ("the pace of an endpoint", "synth/ask/pace.py"),
        ("its exit code (`curation/errors.py`", "curation/errors.py"),
        ("the limits on the size of records", "curation/ingest/readers/outcomes.py"),
        ("e-mail and IP addresses, phone numbers", "curation/ingest/edits/pii.py"),
        ("the lock of a run on an object store", "curation/storage/store_lock.py"),
        ("repeats units after a store did not answer", "curation/engine/tries.py"),
        ("The order is a hash of key, seed and copy", "pipelines/reexport/chance.py"),
        ("the prices of tokens", "synth/ask/prices.py"),
        ("who may see the page", "pipelines/serve/guard.py"),
        ("A new fate or a new check", "curation/ledger/books.py"),
        ("units with a record that kills or blocks its reader", "curation/ingest/quarantine.py"),
    ],
)
def test_a_reader_finds_the_file_in_the_readme_of_one_room(question: str, file: str) -> None:
    """Each question is answered in the README of one room, by the name of a file that is there or of its folder."""
    assert (ROOT / file).is_file()
    texts = [path.read_text("utf-8") for path in ROOT.glob("*/**/README.md")]
    named = Path(file).name if Path(file).suffix != ".toml" else f"{Path(file).parent}/"
    assert len([text for text in texts if question in text and named in text]) == 1


@pytest.mark.parametrize(
    ("asked", "file", "holds"),
    [
        ("survivor", "curation/duplicates/survivors.py", "which one of several duplicates stays"),
        ("WARC reader", "curation/ingest/readers/warc.py", "class WarcReader"),
        ("funnel's colours", "pipelines/templates/report.css", "--kept: #"),
        ("unit's key", "curation/engine/stage.py", "def key_of("),
        ("filters", "filters/README.md", "gopher_quality"),
        ("more", "pipelines/notebook/README.md", "open_run"),
    ],
)
def test_the_front_page_links_the_file_that_people_ask_for(asked: str, file: str, holds: str) -> None:
    """One hop: the front page has a link to the file itself, whose words name what is there, and it is there."""
    links = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert [path for words, path in links if asked in words] == [file]
    assert holds in (ROOT / file).read_text("utf-8")
