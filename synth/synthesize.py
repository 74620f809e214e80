"""Synthesize makes verified examples from kept documents, or from nothing, in two separate steps: get replies, then make rows.

    6-replies      one shard for every PART_REQUESTS requests, in the order of requests: each request with its reply from the log
    6-synthesize   maps over those shards: reads and checks each reply; an accepted one becomes a row of DOCUMENTS, any other a row of
                   REJECTS with the rule it broke

The first step runs in the driver, which owns the log; the key of its units consists of the keys of their requests and the digests of
their replies. The second is an ordinary stage. So rows are a pure function of the log, and a new check rereads stored replies for free.

Rules of REJECTS: the class of a final failure (`empty`, `truncated`, `refused`, ...), `teacher_failed` for a failure that may pass
(with its class), `collapsed` (`synth.diversity`), and those of the tasks (`unparsable`, `wrong_step`, `wrong_answer`, ...).

Invariants
    - Every request becomes exactly one row, in one of the two shards of its unit.
    - A row's key is that of its request; `offset` is the request's number, `file_path` is `synthetic/<task>`.
    - Requests contain no secrets, so shards cannot contain any.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from curation.choices import build
from curation.counting import counted
from curation.engine.runner import LocalRunner
from curation.engine.session import Sealed, Session
from curation.engine.stage import Output, Stage, Unit
from curation.errors import RecipeError
from curation.schema import DOCUMENTS, KEY, REJECTED, REJECTS
from curation.storage.carried import take_along
from curation.storage.digests import canonical, plain
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.resources import resolve
from curation.storage.shards import batches
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.prices import dates_of_prices
from synth.ask.reply_log import FILE, ReplyLog, require_log
from synth.ask.teacher import FINAL
from synth.asked import Asked
from synth.diversity import Diversity
from synth.offered import build_task
from synth.questions import Conversation, Question
from synth.router import Router
from synth.seeds import SeedPolicy, SeedShard, choose, trusted
from synth.task import Example, Heard, Rejected, Task

_ROWS_PER_BATCH = 500
_Row = TypeVar("_Row")

_MORE = pa.struct([pa.field("request_key", pa.string()), pa.field("text", pa.large_string()), pa.field("error", pa.string())])

REPLIES = pa.schema(
    [
        pa.field("key", KEY, nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("by_rule", pa.bool_(), nullable=False),
        pa.field("tries", pa.int64()),
        pa.field("template", pa.string(), nullable=False),
        pa.field("seed_ids", pa.list_(pa.string()), nullable=False),
        pa.field("request_key", pa.string(), nullable=False),
        pa.field("brief", pa.large_string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("more", pa.list_(_MORE), nullable=False),
    ]
)


@dataclass(frozen=True)
class SynthesisSettings:
    """The recipe's [synthesize].

    teacher   the teacher's name and parameters
    tasks     the name (or the file, for a task of your own), `count` and parameters of each task
    routes    teachers for some tasks and difficulties (`synth.router`)
    seeds     which documents are seeds (`synth.seeds`), for tasks that need them
    escalate  teachers above the first, cheapest first: asked where an answer fails a check
    prices    a TOML file with your own prices, in the form of `synth/ask/prices.toml`
    """

    teacher: Mapping[str, Any] = field(default_factory=lambda: {"name": "procedural"})
    tasks: tuple[Mapping[str, Any], ...] = ({"name": "worked_problem"},)
    routes: tuple[Mapping[str, Any], ...] = ()
    seeds: Mapping[str, Any] = field(default_factory=dict)
    escalate: tuple[Mapping[str, Any], ...] = ()
    prices: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if not self.tasks:
            raise RecipeError("synthesize needs at least one task: [[synthesize.tasks]] name = ...")
        names = [task.name() for task in self.built_tasks()]
        if len(set(names)) != len(names):
            raise RecipeError("synthesize: a task is listed twice; raise its count instead")
        self.router()
        self.seed_policy()

    def built_tasks(self) -> tuple[Task, ...]:
        """Return the tasks in order. Raises RecipeError."""
        return tuple(build_task(choice) for choice in self.tasks)

    def router(self) -> Router:
        """Return the router. Raises RecipeError."""
        return Router.of(self.teacher, self.routes, self.built_tasks(), self.escalate, self.prices)

    def dates_of_prices(self) -> list[str]:
        """Return the dates of the tables that the teachers' prices come from. Raises RecipeError."""
        ladders = [{"teacher": self.teacher, "escalate": self.escalate}, *self.routes]
        return dates_of_prices([each for ladder in ladders for each in (ladder["teacher"], *ladder.get("escalate", ()))], self.prices)

    def seed_policy(self) -> SeedPolicy:
        """Return which documents are seeds. Raises RecipeError."""
        return build(SeedPolicy, self.seeds, "synthesize: seeds")

    def carried(self, out: Location) -> "SynthesisSettings":
        """Put the user's own tasks into OUT, and return the settings that name those copies."""
        tasks = tuple({**task, "file": take_along(resolve(task["file"]), (), out)} if "file" in task else task for task in self.tasks)
        return replace(self, tasks=tasks)

    @property
    def needs_seeds(self) -> bool:
        """Return whether any task needs documents."""
        return any(task.needs_seed for task in self.built_tasks())


@dataclass(frozen=True)
class GatherReplies(Stage):
    """Writes requests and replies from the log, in order. Runs where the log is; its units are asked for in order."""

    asked: Asked
    name: ClassVar[str] = "6-replies"
    version: ClassVar[int] = 3

    def fields(self) -> Any:
        """Return nothing: all values are in the units."""
        return {}

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write one part."""
        number = int(unit.name.rsplit("-", 1)[1])
        count = 0
        with output.shard(unit.name, REPLIES) as writer:
            for rows in batched(map(_row_of_replies, self.asked.part(number)), _ROWS_PER_BATCH):
                writer.write(pa.Table.from_pylist(rows, REPLIES))
                count += len(rows)
        return {"requests": count}


def _row_of_replies(told: tuple[Question, Conversation]) -> dict[str, Any]:
    question, conversation = told
    request, reply = conversation.exchanges[0]
    return {
        "key": record_key(None, None, bytes.fromhex(request.key)),
        "number": question.number,
        "task": request.task,
        "teacher": conversation.teacher.label,
        "by_rule": conversation.teacher.proves,
        "tries": conversation.tries if len(question.ladder) > 1 else None,
        "template": question.draft.template,
        "seed_ids": list(question.draft.seed_ids),
        "request_key": request.key,
        "brief": canonical(request.brief),
        "text": reply.text,
        "error": reply.error,
        "detail": reply.detail,
        "more": [{"request_key": other.key, "text": answer.text, "error": answer.error} for other, answer in conversation.exchanges[1:]],
    }


@dataclass(frozen=True)
class Synthesize(Stage):
    """Turns replies into rows by the recipe's tasks."""

    tasks: tuple[Task, ...]
    name: ClassVar[str] = "6-synthesize"
    version: ClassVar[int] = 4

    def fields(self) -> Any:
        """Return the tasks and their versions."""
        return [plain(task.identity()) for task in self.tasks]

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the accepted and the rejected rows of one part."""
        tasks = {task.name(): task for task in self.tasks}
        rejects: list[dict[str, Any]] = []
        diversity = Diversity()
        with output.shard(unit.name, DOCUMENTS) as writer:
            for batch in batches(unit.shard("replies")):
                rows = batch.to_pylist()
                accepted = [row for row in (_row(tasks[row["task"]], row, rejects, diversity) for row in rows) if row is not None]
                writer.write(pa.Table.from_pylist(accepted, DOCUMENTS))
            documents = writer.rows
        output.write(f"{unit.name}{REJECTED}", pa.Table.from_pylist(rejects, REJECTS))
        counts = {"documents": documents, "rejects": len(rejects), "records": unit.shard("replies").rows}
        return {**counts, "diversity": diversity.counts()}


def _row(task: Task, asked: Mapping[str, Any], rejects: list[dict[str, Any]], diversity: Diversity) -> dict[str, Any] | None:
    """Return the row for a reply; return None and add a row to `rejects` if it is rejected."""
    place = {
        "key": asked["key"],
        "id": f"synthetic:{asked['key'].hex()}",
        "url": None,
        "source": asked["task"],
        "file_path": f"synthetic/{asked['task']}",
        "offset": asked["number"],
    }
    try:
        if asked["error"] is not None:
            raise Rejected(
                asked["error"] if asked["error"] in FINAL else "teacher_failed", {"class": asked["error"], "detail": asked["detail"]}
            )
        example = _example(task, asked)
        diversity.add(task.name(), example, asked["by_rule"])
    except Rejected as rejected:
        fate = "unreadable" if rejected.rule == "unparsable" else "dropped"
        evidence = json.dumps({**rejected.evidence, "request": asked["request_key"]}, ensure_ascii=False, sort_keys=True)
        rejects.append({**place, "fate": fate, "rule": rejected.rule, "value": None, "threshold": None, "evidence": evidence})
        return None
    metadata = {
        "origin": "synthetic",
        "task": asked["task"],
        "teacher": asked["teacher"],
        "verifier": example.verifier,
        "verdict": example.verdict,
        **({"agreement": example.agreement} if example.agreement is not None else {}),
        **({"tries": str(asked["tries"])} if asked["tries"] is not None else {}),
        "template": asked["template"],
        "seed_ids": json.dumps(asked["seed_ids"], ensure_ascii=False),
        "request": asked["request_key"],
        "answer": example.answer,
        "messages": canonical(example.messages),
        **example.facts,
    }
    return {**place, "crawled_at": None, "text_bytes": len(example.text.encode()), "text": example.text, "metadata": list(metadata.items())}


def _example(task: Task, asked: Mapping[str, Any]) -> Example:
    """Replay a conversation from its row. Raises Rejected."""
    work = task.work(json.loads(asked["brief"]), Heard(asked["text"], asked["by_rule"]))
    more = iter(asked["more"])
    try:
        drafts = next(work)
        while True:
            replies = list(islice(more, len(drafts)))
            drafts = work.send([None if reply["error"] is not None else reply["text"] for reply in replies])
    except StopIteration as end:
        example: Example = end.value
        return example


def batched(rows: Iterable[_Row], size: int) -> Iterator[list[_Row]]:
    """Yield lists of `size` rows; the last may be shorter."""
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch


def synthesize(
    session: Session, seeds: Sequence[SeedShard], settings: SynthesisSettings, replies_dir: Location, budget: float | None = None
) -> Sealed:
    """Send the missing requests, make rows of all replies, and return the sealed stage: shards of DOCUMENTS, and of REJECTS (`-rejected`).

    Raises Refused (budget reached, a wrong set-up, the endpoint is down, a frozen session would have to ask), and errors of the stages.
    """
    require_log(replies_dir)
    offered = choose(seeds, settings.seed_policy()) if settings.needs_seeds else []
    chosen = trusted(offered)
    if len(chosen) < len(offered):
        many = f"{counted(len(offered) - len(chosen), 'document')} of {len(offered)}"
        session.watcher.tell(f"{many} chosen as seeds speak to models (orders, prompts, roles) or sell things, and are not used")
    with ReplyLog.open(Path(replies_dir.path)) as log:
        if log.damaged_lines:
            session.watcher.tell(_damage_told(log))
        asked = Asked(settings.router(), settings.built_tasks(), chosen, log)
        desk = Desk(Budget(budget, log.spent_before), log, session.watcher.tell, log.folder)
        known = len(log)
        if session.frozen and session.was_sealed(GatherReplies(asked)):
            asked.require_answered()
        try:
            units = asked.complete(desk)
        finally:
            facts = {"requests": asked.count, "new_replies": len(log) - known, "usd": round(desk.budget.spent - log.spent_before, 6)}
            session.note("synthesis", {**facts, "usd_of_all_sessions": round(desk.budget.spent, 6)})
        with _in_driver(session):
            gathered = session.run(GatherReplies(asked), units)
    units = [Unit(unit.name, {"replies": unit.shards}) for unit in gathered.units]
    made = session.run(Synthesize(settings.built_tasks()), units)
    session.note("spending", asked.spending.table(made.shards))
    return made


def _damage_told(log: ReplyLog) -> str:
    """Return a message that replies are lost, which cost something to get."""
    lines, are = counted(log.damaged_lines, "line"), "is" if log.damaged_lines == 1 else "are"
    again = "their requests are sent again, and paid for again if the teacher charges"
    return f"{lines} of {log.folder / FILE} {are} incomplete or damaged and {are} skipped: {again}"


@contextmanager
def _in_driver(session: Session) -> Iterator[None]:
    """Run stages in this process inside the block: they read files that only this machine has."""
    before, session.runner = session.runner, LocalRunner(1)
    try:
        yield
    finally:
        session.runner = before
