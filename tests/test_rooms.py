"""Every room's README names its files, and says truly from where it imports."""

import re
from pathlib import Path

import pytest

from tests.test_imports import ARROWS, MODULES, ROOT, modules_imported, room_of

PAGE = 60
"""Lines of a page."""

TESTED_ELSEWHERE = {"pipelines/recipes", "pipelines/notebook", "filters"}
"""Folders whose README is written by a command, or is all examples: other tests compare or run them."""

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


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_tells_what_it_holds(room: str) -> None:
    folder = Path(ROOT, *room.split("."))
    text = (folder / "README.md").read_text("utf-8")
    named = re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    there |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py") if list(path.parent.glob("*.py"))}
    assert sorted(named) == sorted(there)
    assert imports_line(room) in text.replace("\n", " ")
    assert len(text.splitlines()) <= PAGE


def test_there_are_rooms() -> None:
    assert len(ROOMS) > 15


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("the rule that picks the survivor", "curation/duplicates/survivors.py"),
        ("The WARC reader", "curation/ingest/readers/warc.py"),
        ("the funnel's colours", "pipelines/templates/report.css"),
        ("A unit's key is made", "curation/engine/stage.py"),
    ],
)
def test_a_reader_finds_the_file_in_one_hop(question: str, file: str) -> None:
    """Each question is answered in the README of a room, by the name of a file that is there."""
    assert (ROOT / file).is_file()
    answers = [
        path for path in ROOT.glob("*/*/README.md") if question in path.read_text("utf-8") and Path(file).name in path.read_text("utf-8")
    ]
    assert len(answers) == 1
