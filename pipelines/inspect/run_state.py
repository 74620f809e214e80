"""The state of a run: whether it has ended, and if not, which stages are done, and whether a session is at work on it.

A finished run has contents.json (`curation.storage.contents`). An unfinished run can be inspected too: its shards are complete, because
shards are written whole and named by their sidecars, but more will follow, so every view adds a note. A session that is at work holds the
lock of the folder; one that did not record its end and does not hold the lock was killed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.counting import counted
from curation.engine.run_report import DONE, RUNNING, UNTOLD
from curation.engine.stage import SEAL
from curation.errors import BooksUnbalanced
from curation.storage.contents import CONTENTS, Contents, read_contents
from curation.storage.location import Location
from curation.storage.ownership import RUN, is_live
from curation.storage.records import CorruptRecord, find_record
from pipelines.terminal.wording import printable


@dataclass(frozen=True)
class RunState:
    """Whether a run has ended; `told` describes its progress, and `fault` a damaged record of its state.

    `concluded` is true when every stage is done and the books balance, `unbalanced` when they do not.
    """

    ended: bool
    told: str
    contents: Contents | None = None
    fault: str | None = None
    concluded: bool = False
    unbalanced: bool = False


def state_of(out: Location) -> RunState:
    """Return the state of a run."""
    try:
        contents = read_contents(out)
    except CorruptRecord as error:
        return RunState(True, "", fault=str(error))
    if contents is not None:
        return RunState(True, "", contents)
    try:
        content = find_record(out / RUN) or {}
    except CorruptRecord as error:
        return RunState(False, _how_far(out, None), fault=str(error))
    if content.get("closed"):
        return RunState(True, "", fault=f"{out / CONTENTS} is missing though the run has ended; run its command again, which writes it")
    sessions = content.get("sessions")
    last = sessions[-1] if isinstance(sessions, list) and sessions and isinstance(sessions[-1], dict) else {}
    outcome = str(last.get("outcome", ""))
    return RunState(False, _how_far(out, last), concluded=outcome == DONE, unbalanced=outcome.startswith(BooksUnbalanced.__name__))


def note_on(folder: str) -> str | None:
    """Return a note on the state of a folder for everyone who inspects it; None for a finished run and for a folder that is not a run."""
    out = Location.of(folder)
    if not any((out / name).exists() for name in ("stages", RUN)):
        return None
    state = state_of(out)
    if state.fault is not None:
        return f"{state.fault}; `curate verify {folder}` tells all that is damaged"
    return state.told if not state.ended else None


def _how_far(out: Location, session: Mapping[str, Any] | None) -> str:
    """Say that a run has not ended, which stages are done, and how its last session ended, or that it is at work."""
    stages: dict[str, bool] = {}
    units = 0
    for facts in (out / "stages").files(recursive=True):
        name, stage = facts.location.name, facts.location.parent.path.rpartition("/stages/")[2]
        if name.endswith(".json"):
            stages[stage] = stages.get(stage, False) or name == SEAL
            units += name != SEAL
    done, begun = [name for name, sealed in stages.items() if sealed], [name for name, sealed in stages.items() if not sealed]
    lines = [f"this run has not ended: {counted(units, 'unit')} and {counted(len(done), 'stage')} are done"]
    if begun:
        from pipelines.recipes.stage_words import in_words  # knows recipes, which take long to import

        lines.append(f"in the middle of {printable(', '.join(dict.fromkeys(map(in_words, begun))))}")
    if not (out / "ledger").is_folder():
        lines.append("no document has a fate yet")
    return ", ".join(lines) + "; " + _what_next(out, session)


def _what_next(out: Location, session: Mapping[str, Any] | None) -> str:
    """Say how the last session ended, and who goes on with the run: the session that is at work on it, or the same command."""
    outcome = printable(str((session or {}).get("outcome") or "").partition("\n")[0], 200)
    if outcome not in ("", RUNNING, DONE):
        said = f"its last session was {outcome}" if outcome.startswith("ended by ") else f"its last session ended with {outcome}"
        return f"{said}; the same command resumes it"
    live = is_live(out)
    if live:
        told = [printable(str((session or {}).get(name) or "?"), 80) for name in ("machine", "began")]
        return f"a session on {told[0]}, which began {told[1]}, is at work on it"
    if live is None:
        return "the same command resumes it"
    resumed = "resumes it" if out.is_local else "resumes it, with --take-over where it is asked for"
    return f"its last session {UNTOLD}; the same command {resumed}"
