"""Asking: one loop sends all requests without a final reply, and writes every reply to the log before anyone reads it.

Requests go to their teachers in order; a teacher works on many at once. The loop stops early in these cases, always after pending replies
have arrived and are logged. The same command then continues where it stopped:

    the budget is reached or outrun    Refused (exit 3)
    the set-up is wrong                Refused (exit 3): a key is refused, no credit is left, a model does not exist; every request would
                                       fail, so nothing is stored as an answer
    the endpoint seems to be down      Refused (exit 3): PATIENCE requests in a row failed after all their attempts
    a signal asks to end               pending replies have DRAIN_SECONDS to arrive (`synth.ask.draining`)

If an endpoint refuses a request without a clear reason (`bad_request`), either the request or the set-up is at fault. The refusal is held
back, and is stored only after another request is answered. If none is answered, or PATIENCE requests in a row are refused, the set-up is
at fault.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing

from curation.counting import counted
from curation.errors import Refused, UsageError
from synth.ask.budget import Budget
from synth.ask.desk import Desk
from synth.ask.draining import draining
from synth.ask.reply_log import ReplyLog
from synth.ask.teacher import PASSING, SETUP, Reply, Request, Teacher

PATIENCE = 25


def ask_missing(asked: Sequence[tuple[Request, Teacher]], log: ReplyLog, budget: Budget, tell: Callable[[str], None]) -> int:
    """Send every request without a final reply in the log, teacher by teacher; return the number of requests sent."""
    missing: dict[Teacher, list[Request]] = {}
    for request, teacher in asked:
        if not log.answered(request.key):
            missing.setdefault(teacher, []).append(request)
    sent = sum(map(len, missing.values()))
    desk = Desk(budget, log, tell, log.folder)
    for teacher, requests in missing.items():
        tell(f"{teacher.label}: asking for {counted(len(requests), 'reply', 'replies')}, {len(asked) - sent} are in the log already")
        ask_all(teacher, requests, len(requests), log, desk)
    return sent


def ask_all(teacher: Teacher, requests: Iterable[Request], count: int, log: ReplyLog, desk: Desk) -> None:
    """Send `count` requests to a teacher and log the replies."""
    asyncio.run(_ask(teacher, _priced(teacher, requests, desk), count, log, desk))


def _priced(teacher: Teacher, requests: Iterable[Request], desk: Desk) -> Iterable[Request]:
    """Yield the requests. Raises UsageError if there is a budget and no price."""
    for request in requests:
        if desk.budget.limit is not None and teacher.worst_cost(request) is None:
            raise UsageError(f"a budget needs prices, and teacher {teacher.label} has none; set input_price and output_price in the recipe")
        yield request


async def _ask(teacher: Teacher, requests: Iterable[Request], count: int, log: ReplyLog, desk: Desk) -> None:
    budget = desk.budget
    answered = failed_in_a_row = 0
    worked = False
    broken: Reply | None = None
    held: list[tuple[Request, Reply]] = []
    with draining(budget, desk.tell) as ending:
        async with aclosing(teacher.ask(requests, desk)) as replies:  # type: ignore[type-var]
            async for request, reply in ending.until_ended(replies):
                answered += 1
                ending.answered(reply.error not in PASSING)
                if reply.error in SETUP:
                    broken, budget.closed = broken or reply, True
                    continue
                if reply.error == "bad_request":
                    held.append((request, reply))
                else:
                    log.append(request, reply)
                    worked = worked or reply.error not in PASSING
                    failed_in_a_row = failed_in_a_row + 1 if reply.error in PASSING else 0
                    _store(held if reply.error not in PASSING else [], log)
                if broken is None and max(failed_in_a_row, len(held)) >= PATIENCE:
                    broken, budget.closed = reply, True
        if worked and len(held) < PATIENCE:
            _store(held, log)
        log.sync()
    _tell_end(teacher, broken or (held[-1][1] if held else None), (answered, count), desk)


def _store(held: list[tuple[Request, Reply]], log: ReplyLog) -> None:
    for request, reply in held:
        log.append(request, reply)
    held.clear()


def _tell_end(teacher: Teacher, broken: Reply | None, sent: tuple[int, int], desk: Desk) -> None:
    """Raise Refused if the loop stopped early."""
    budget, (answered, count) = desk.budget, sent
    if broken is not None and broken.error not in PASSING:
        every = "" if broken.error in SETUP else "every request is refused: "
        raise Refused(f"teacher {teacher.label}: {every}{broken.detail}; nothing was stored as an answer, so the same command asks again")
    if broken is not None:
        raise Refused(
            f"teacher {teacher.label}: {PATIENCE} requests in a row failed, the last because {broken.detail}; try the same command later"
        )
    if budget.outrun:
        raise Refused(
            f"teacher {teacher.label} bills more than is reserved for its calls ({budget.billed:.6f} USD for {budget.covered:.6f}), so a "
            f"budget cannot be kept; {budget.spent:.6f} USD spent, every reply is kept; correct the prices or choose another endpoint"
        )
    if budget.next_worst is not None:
        raise Refused(
            f"budget of {budget.limit:g} USD: the worst case of the next request, {budget.next_worst:.6f} USD, does not fit beside "
            f"{budget.spent:.6f} spent and {max(0.0, budget.reserved):.6f} reserved; {count - answered} of {counted(count, 'request')} to "
            f"{teacher.label} not sent; every reply is kept, the same command with a larger --budget goes on from here"
        )
