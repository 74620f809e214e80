"""Drift told: what a session says where the recipe, the code or the input differs from what a folder was made with.

A session that makes things again says why, stage by stage. A frozen one makes nothing again: it goes on with what a stage made before, so
that later stages are compared too, and then refuses with all that it found. It begins nothing new once something has drifted.

A run over input files of which none was read before is refused, unless it is to replace what is there.

Invariants
    - A reason is told once, in the first stage that has it.
    - A message has at most LINES lines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from curation.arrays import JsonMapping
from curation.counting import counted
from curation.engine.drift import LINES, changed_inputs, changes, fingerprints, told, words_of_stage
from curation.engine.stage import SEAL, Job, Stage, Workspace
from curation.errors import Refused
from curation.storage.digests import digest_of
from curation.storage.location import Location
from curation.storage.records import CorruptRecord, find_record
from curation.storage.source_file import SourceFile


class DriftTeller:
    """Tells the drift of one session; `note` records a fact in run.json, which `rest` names for what does not fit into a message."""

    def __init__(self, frozen: bool, rest: str, tell: Callable[[str], None], note: Callable[[str, Any], None]) -> None:
        """Begin with no drift."""
        self._frozen, self._rest, self._tell, self._note = frozen, rest, tell, note
        self._reasons: list[str] = []
        self._remade = False
        self._found: list[str] = []

    def compare(self, stage: Stage, identity: Any, seal: JsonMapping | None, jobs: Sequence[Job], pending: int) -> bool:
        """Say why units that were made before are made again.

        Return whether the session is frozen and the stage has drifted. Raises Refused if an earlier one has, and this one has no seal.
        """
        if seal is None:
            self.stop()
            return False
        is_less = not pending and seal["digest"] != digest_of([(job.unit.name, job.key) for job in jobs])
        if not pending and not (is_less and self._frozen):
            return False
        inputs = changed_inputs(seal.get("inputs", {}), inputs_of(jobs))
        lines = [inputs] if inputs else []
        lines += [line for line in changes(seal["identity"], identity) if line not in self._reasons]
        if not lines and not self._remade and not is_less:
            lines = ["its input or its output has changed"]
        self._remade = True
        if lines:
            self._reasons += lines
            self._note("drift", self._reasons)
        work = f"{words_of_stage(stage.name)} again, {pending:,} of {counted(len(jobs), 'unit')}"
        if is_less:
            gone = inputs or f"{words_of_stage(stage.name)} has units whose input no longer exists"
            self._found.append(f"{gone}; without --frozen its output is removed")
        elif self._frozen:
            self._found.append(told(lines, work, self._rest) if lines else work)
        elif lines:
            self._tell(told(lines, work, self._rest))
        return self._frozen

    def require_no(self, retired: Sequence[str]) -> None:
        """Raise Refused if the session is frozen and something drifted, or there are stages that the recipe does not have."""
        if self._frozen:
            self._found += [
                f"{folder}, a stage that the recipe does not have: without --frozen its output is removed" for folder in retired
            ]
        self.require_none()

    def stop(self) -> None:
        """Raise Refused if something drifted so far, and say that the rest cannot be compared before it is made again."""
        if self._found:
            self._found.append("what follows cannot be compared before that is made again")
        self.require_none()

    def require_none(self) -> None:
        """Raise Refused with all that drifted in a frozen session, if anything did and it was not told yet."""
        lines = "\n".join(self._found).splitlines()
        self._found.clear()
        if lines:
            shown = lines if len(lines) < LINES else [*lines[: LINES - 2], f"and {len(lines) - LINES + 2:,} more: {self._rest}"]
            head = "--frozen: the recipe, a model or the input differs from what this folder was made with"
            raise Refused("\n  ".join([head, *shown]))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse at the end of the block if something drifted; an error on the way may come from comparing what was made before."""
        try:
            yield
        except Refused:
            raise
        except Exception:
            self.stop()
            raise
        self.require_none()


def inputs_of(jobs: Sequence[Job]) -> dict[str, str]:
    """Return the fingerprints of the input files that a stage reads; only ingest reads any."""
    return fingerprints(source for job in jobs for source in job.unit.sources)


def require_known_input(out: Location, stage: type[Stage], sources: Iterable[SourceFile]) -> None:
    """Raise Refused if OUT holds a run over other input files only: its dataset would be replaced."""
    try:
        before = (find_record(Workspace(out).sidecars(stage) / SEAL) or {}).get("inputs") or {}
    except CorruptRecord:
        return
    given = {source.relative for source in sources}
    if before and given and not before.keys() & given:
        held = f"{out} holds a run over {counted(len(before), 'other input')}, such as {min(before)}"
        raise Refused(f"{held}; none is read now, and its dataset would be replaced; choose another --out, or add --replace")
