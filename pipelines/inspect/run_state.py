"""The state of a run: whether it has ended, and if not, which stages are done.

A finished run has contents.json (`curation.storage.contents`). An unfinished run can be inspected too: its shards are complete, because
shards are written whole and named by their sidecars, but more will follow, so every view adds a note.
"""

from dataclasses import dataclass

from curation.counting import counted
from curation.engine.stage import SEAL
from curation.errors import BooksUnbalanced
from curation.storage.contents import CONTENTS, Contents, read_contents
from curation.storage.location import Location
from curation.storage.ownership import RUN
from curation.storage.records import CorruptRecord, find_record
from pipelines.terminal.wording import printable


@dataclass(frozen=True)
class RunState:
    """Whether a run has ended; `told` describes its progress, and `fault` a damaged record of its state.

    `unbalanced` is true when every stage is done but the books do not balance.
    """

    ended: bool
    told: str
    contents: Contents | None = None
    fault: str | None = None
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
    outcome = last.get("outcome")
    said = outcome if isinstance(outcome, str) else None
    return RunState(False, _how_far(out, said), unbalanced=said is not None and said.startswith(BooksUnbalanced.__name__))


def note_on(folder: str) -> str | None:
    """Return a note on the state of a folder for everyone who inspects it; None for a finished run and for a folder that is not a run."""
    out = Location.of(folder)
    if not any((out / name).exists() for name in ("stages", RUN)):
        return None
    state = state_of(out)
    if state.fault is not None:
        return f"{state.fault}; `curate verify {folder}` tells all that is damaged"
    return state.told if not state.ended else None


def _how_far(out: Location, outcome: str | None) -> str:
    """Say that a run has not ended, which stages are done, and what the last session said of its end."""
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
    if outcome and outcome not in ("running", "done"):
        said = printable(outcome.splitlines()[0], 200)
        lines.append(f"its last session was {said}" if said.startswith("ended by ") else f"its last session ended with {said}")
    if not (out / "ledger").is_folder():
        lines.append("no document has a fate yet")
    return ", ".join(lines) + "; the same command goes on with it"
