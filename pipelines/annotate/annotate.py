"""Teachers label texts: from documents to a label file that `curate train score` reads.

One or several teachers score a sample of excerpts (`pipelines.annotate.choosing`), once or several times, by the rubric of `synth.judging`.
An excerpt's label is the median of its votes. If people labelled the excerpt, their label counts, and the teachers' votes only measure
agreement.

Replies are logged before they are read (`synth.ask.reply_log`): after a kill, or when the budget is spent, the same command continues where
it stopped and pays for no reply twice. The label file is written once all replies have arrived.

Invariant: the same texts, model, teachers and replies give the same label file.
"""

import io
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curation.choices import read_toml
from curation.errors import RecipeError, Refused, UsageError
from curation.storage.location import Location
from curation.storage.resources import resolve
from filters.support.models import load_model
from pipelines.annotate.agreement import Agreement, agreements
from pipelines.annotate.choosing import choose_excerpts
from pipelines.annotate.excerpts import Excerpt, read_excerpts
from pipelines.train.labels import read_labels
from pipelines.train.trainers import level_of
from synth.ask.asking import ask_missing
from synth.ask.budget import Budget
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import Request, Teacher, build_teacher
from synth.judging import TASK, judging_request, score_in
from synth.task import Rejected

PEOPLE = "people"
"""The rater of labels by people."""
ENDING = ".parquet"
MODEL = "filters:models/edu.safetensors"
_OURS = frozenset({"text", "score", "votes", "vote_min", "vote_max", "by"})


@dataclass(frozen=True)
class Annotation:
    """The result of an annotation."""

    labels: str
    rows: int
    by_score: Mapping[str, int]
    unanswered: int
    """Excerpts without a label, because no reply about them could be read."""
    refused: Mapping[str, int]
    """Replies without a vote, by reason."""
    asked: int
    """Requests that this command sent."""
    usd: float
    agreement: tuple[Agreement, ...]


@dataclass(frozen=True)
class _Vote:
    excerpt: str
    rater: str
    request: Request
    teacher: Teacher


def annotate(
    inputs: Sequence[str],
    out: str,
    teachers: str,
    *,
    count: int,
    repeats: int = 1,
    text: str = "text",
    model: str = MODEL,
    active: bool = False,
    people: Sequence[str] = (),
    budget: float | None = None,
    replies: str | None = None,
    tell: Callable[[str], None],
) -> Annotation:
    """Label a sample of the texts in `inputs`. `teachers` is a TOML file of [[teacher]] tables, as a recipe has one.

    Raises InputError for texts that cannot be read, UsageError and RecipeError for wrong settings, Refused where the budget is met or `out`
    is a file that is not ours.
    """
    place = _place_of(out)
    asked = read_teachers(teachers)
    scorer, _ = load_model(resolve(model))
    chosen = choose_excerpts(read_excerpts(inputs, text, scorer), count, active=active)
    own = {row.text: row for given in people for row in read_labels([given], "text", "score", "text")}
    votes = [
        _Vote(excerpt, f"{teacher.label}{f' #{turn + 1}' if repeats > 1 else ''}", judging_request(excerpt, teacher, turn), teacher)
        for excerpt in dict.fromkeys([*own, *(excerpt.text for excerpt in chosen)])
        for teacher in asked
        for turn in range(repeats)
    ]
    with ReplyLog.open(Path(replies) if replies is not None else place.with_suffix(".replies")) as log:
        spent = Budget(budget, log.spent_before)
        sent = ask_missing([(vote.request, vote.teacher) for vote in votes], log, spent, tell)
        given, refused = _read(votes, log)
    by_people = dict(zip(own, level_of(np.array([row.score for row in own.values()])).tolist(), strict=True))
    rows = list(_rows(chosen, given, {excerpt: row.score for excerpt, row in own.items()}))
    if not rows:
        raise Refused(
            f"no reply could be read ({', '.join(f'{reason}: {count}' for reason, count in refused.items())}); nothing is written"
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    Location.of(place).write_bytes(_parquet(frame))
    counts = frame.group_by(pl.col("score").round().cast(pl.Int64)).len().sort("score")
    return Annotation(
        labels=str(place),
        rows=frame.height,
        by_score={str(score): number for score, number in counts.iter_rows()},
        unanswered=sum(excerpt.text not in given for excerpt in chosen),
        refused=refused,
        asked=sent,
        usd=round(spent.spent - log.spent_before, 6),
        agreement=agreements({**_by_rater(given), **({PEOPLE: by_people} if by_people else {})}),
    )


def read_teachers(path: str) -> list[Teacher]:
    """Return the teachers of a TOML file. Raises RecipeError if it has a fault."""
    try:
        table = read_toml(resolve(path).read_text("utf-8"), path)
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    entries = table.get("teacher")
    if table.keys() != {"teacher"} or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RecipeError(f'{path}: give one [[teacher]] table or several and nothing else, each with name = "openai", model and base_url')
    made = [build_teacher(entry) for entry in entries]
    for teacher in made:
        if teacher.tasks is not None and TASK not in teacher.tasks:
            raise RecipeError(f"{path}: teacher {teacher.label} cannot judge texts; give one that is a language model")
    if len({teacher.label for teacher in made}) < len(made):
        raise RecipeError(f"{path}: a teacher is listed twice; ask it several times with --repeats")
    return made


def _place_of(out: str) -> Path:
    place = Location.of(out)
    if not place.is_local or not place.name.endswith(ENDING):
        raise UsageError(f"--out {out}: name a local file that ends in {ENDING}")
    path = Path(place.path)
    if path.exists():
        try:
            names = set(pl.read_parquet_schema(path))
        except (pl.exceptions.PolarsError, OSError):
            names = set()
        if not names >= _OURS:
            raise Refused(f"{path} is not a label file that was made here; move it, or give another --out")
    return path


def _read(votes: Sequence[_Vote], log: ReplyLog) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Return excerpt -> rater -> vote, and the number of replies without a vote, by reason."""
    given: dict[str, dict[str, int]] = {}
    refused: dict[str, int] = {}
    for vote in votes:
        reply = log.get(vote.request.key)
        try:
            if reply.error is not None:
                raise Rejected(reply.error)
            given.setdefault(vote.excerpt, {})[vote.rater] = score_in(reply.text)
        except Rejected as rejected:
            refused[rejected.rule] = refused.get(rejected.rule, 0) + 1
    return given, dict(sorted(refused.items()))


def _by_rater(given: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for excerpt, votes in given.items():
        for rater, vote in votes.items():
            found.setdefault(rater, {})[excerpt] = vote
    return found


def _rows(chosen: Sequence[Excerpt], given: Mapping[str, Mapping[str, int]], people: Mapping[str, float]) -> Iterator[dict[str, object]]:
    """Yield the rows of the label file: labels by people first, then the sample in its order."""
    known = {excerpt.text: excerpt for excerpt in chosen}
    for text in dict.fromkeys([*people, *known]):
        votes = sorted(given.get(text, {}).values())
        if text not in people and not votes:
            continue
        excerpt = known.get(text)
        yield {
            "text": text,
            "score": people[text] if text in people else float(statistics.median(votes)),
            "votes": len(votes),
            "vote_min": votes[0] if votes else None,
            "vote_max": votes[-1] if votes else None,
            "by": PEOPLE if text in people else "teachers",
            "source": excerpt.source if excerpt else PEOPLE,
            "group": excerpt.group if excerpt else PEOPLE,
            "license": excerpt.license if excerpt else None,
            "url": excerpt.url if excerpt else None,
            "model_score": excerpt.score if excerpt else None,
        }


def _parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()
