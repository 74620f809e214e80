"""Questions: what a recipe asks, in order, and the conversation that each question becomes.

A question begins with one request to the first teacher of its ladder. Its task may ask more once the reply is there (`Task.work`); where a
check fails, or the reply is a failure of the request itself, the next teacher is asked the same from the beginning. All this is replayed
from the log, and what has no reply yet is missing. So questions need not be kept: they are drawn again, as a stream, whenever a pass needs
them, and memory does not grow with their number.

Invariants
    - The order, and each request, depends only on settings, seeds and replies.
    - Replaying a conversation asks nothing and pays nothing.
    - An endpoint that fails for the time being sends no question up the ladder: that would cost money, and the next run asks it again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from synth.ask.teacher import FINAL, Reply, Request, Teacher
from synth.router import Addressing, Router
from synth.task import Draft, Heard, Rejected, Seed, Task

Exchange = tuple[Request, Reply]


@dataclass(frozen=True)
class Question:
    """A request with its place in the order, and the values for its row; `ladder` begins with its teacher."""

    number: int
    task: Task
    request: Request
    draft: Draft
    ladder: tuple[Teacher, ...]

    @property
    def teacher(self) -> Teacher:
        """The teacher that is asked first."""
        return self.ladder[0]


@dataclass(frozen=True)
class Conversation:
    """What is known of a question: the requests to the last teacher that was asked, with their replies, in order, and what is missing.

    `tries` counts the teachers; `before` are the exchanges with those whose answers failed.
    """

    exchanges: Sequence[Exchange]
    missing: Sequence[Request]
    teacher: Teacher
    tries: int = 1
    before: Sequence[tuple[Teacher, Exchange]] = ()


def questions(router: Router, tasks: Sequence[Task], seeds: Sequence[Seed], most: int | None = None) -> Iterator[Question]:
    """Yield all questions, task by task, or up to `most` of each task, evenly over its count."""
    addressing = Addressing(router)
    number = 0
    for task in tasks:
        if task.needs_seed and not seeds:
            continue
        drawn = min(task.count, most or task.count)
        for turn in (at * task.count // drawn for at in range(drawn)):
            draft = task.draft(turn, seeds[turn % len(seeds)] if task.needs_seed else None)
            request, _ = addressing.request(task, draft)
            yield Question(number, task, request, draft, router.ladder_for(task.name(), draft.difficulty))
            number += 1


def converse(question: Question, known: Callable[[Request], Reply | None]) -> Conversation:
    """Replay a question's conversation from known replies, up the ladder as far as checks fail."""
    before: list[tuple[Teacher, Exchange]] = []
    for tries, teacher in enumerate(question.ladder, 1):
        request = question.request if tries == 1 else Addressing.above(question.request, question.draft, teacher)
        is_last = tries == len(question.ladder)
        exchanges, missing, passed = _talk(question.task, request, teacher, known, not is_last)
        if missing or passed or is_last:
            break
        before += [(teacher, exchange) for exchange in exchanges]
    return Conversation(exchanges, missing, teacher, tries, before)


def _talk(
    task: Task, request: Request, teacher: Teacher, known: Callable[[Request], Reply | None], judge: bool
) -> tuple[list[Exchange], list[Request], bool]:
    """Replay the conversation with one teacher. Return the known exchanges, the missing requests, and whether it passed.

    Without `judge`, a reply that needs no further question passes unchecked.
    """
    first = known(request)
    if first is None:
        return [], [request], False
    exchanges = [(request, first)]
    if first.error is not None:
        return exchanges, [], first.error not in FINAL
    if not judge and (not task.asks_more or teacher.proves):
        return exchanges, [], True
    work = task.work(request.brief, Heard(first.text, teacher.proves))
    try:
        drafts = next(work)
        while True:
            asked = [Addressing.following(request, draft) for draft in drafts]
            replies = [known(one) for one in asked]
            exchanges += [(one, reply) for one, reply in zip(asked, replies, strict=True) if reply is not None]
            missing = [one for one, reply in zip(asked, replies, strict=True) if reply is None]
            if missing:
                return exchanges, missing, False
            drafts = work.send([None if reply is None or reply.error is not None else reply.text for reply in replies])
    except StopIteration:
        return exchanges, [], True
    except Rejected:
        return exchanges, [], any(reply.error is not None and reply.error not in FINAL for _, reply in exchanges)
    finally:
        work.close()
