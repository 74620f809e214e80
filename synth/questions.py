"""Questions: what a recipe asks, in order, and the conversation that each question becomes.

A question begins with one request. Its task may ask more once the reply is there (`Task.work`): the conversation is replayed from the log,
and what has no reply yet is missing. So questions need not be kept: they are drawn again, as a stream, whenever a pass needs them, and
memory does not grow with their number.

Invariants
    - The order, and each request, depends only on settings, seeds and replies.
    - Replaying a conversation asks nothing and pays nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from synth.ask.teacher import Reply, Request, Teacher
from synth.router import Addressing, Router
from synth.task import Draft, Heard, Rejected, Seed, Task


@dataclass(frozen=True)
class Question:
    """A request with its place in the order, and the values for its row."""

    number: int
    task: Task
    request: Request
    draft: Draft
    teacher: Teacher


@dataclass(frozen=True)
class Conversation:
    """What is known of a question: its requests with their replies, in order, and the requests that are missing."""

    exchanges: Sequence[tuple[Request, Reply]]
    missing: Sequence[Request]


def questions(router: Router, tasks: Sequence[Task], seeds: Sequence[Seed]) -> Iterator[Question]:
    """Yield all questions, task by task."""
    addressing = Addressing(router)
    number = 0
    for task in tasks:
        if task.needs_seed and not seeds:
            continue
        for turn in range(task.count):
            draft = task.draft(turn, seeds[turn % len(seeds)] if task.needs_seed else None)
            request, teacher = addressing.request(task, draft)
            yield Question(number, task, request, draft, teacher)
            number += 1


def converse(question: Question, known: Callable[[Request], Reply | None]) -> Conversation:
    """Replay a question's conversation from known replies."""
    first = known(question.request)
    if first is None:
        return Conversation([], [question.request])
    exchanges = [(question.request, first)]
    if first.error is not None or not question.task.asks_more or question.teacher.proves:
        return Conversation(exchanges, [])
    work = question.task.work(question.request.brief, Heard(first.text, question.teacher.proves))
    try:
        drafts = next(work)
        while True:
            asked = [Addressing.following(question.request, draft) for draft in drafts]
            replies = [known(request) for request in asked]
            missing = [request for request, reply in zip(asked, replies, strict=True) if reply is None]
            exchanges += [(request, reply) for request, reply in zip(asked, replies, strict=True) if reply is not None]
            if missing:
                return Conversation(exchanges, missing)
            drafts = work.send([None if reply is None or reply.error is not None else reply.text for reply in replies])
    except (StopIteration, Rejected):
        return Conversation(exchanges, [])
    finally:
        work.close()
