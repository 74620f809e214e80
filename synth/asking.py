"""Asking: one loop sends all requests without a final reply, and writes every reply to the log before anyone reads it.

Requests go to their teachers in order; a teacher works on many at once. The loop stops early in three cases, always after pending replies
have arrived and are logged, so the same command continues where it stopped:

    the budget is reached          Refused (exit 3)
    the set-up is wrong            UsageError (exit 2): a key is refused, or a model does not exist; every request would fail
    the endpoint seems to be down  Refused (exit 3): PATIENCE requests in a row failed after all their attempts
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

from curation.counting import counted
from curation.errors import Refused, UsageError
from synth.budget import Budget
from synth.reply_log import ReplyLog
from synth.teacher import PASSING, SETUP, Reply, Request, Teacher

PATIENCE = 25


def ask_missing(asked: Sequence[tuple[Request, Teacher]], log: ReplyLog, budget: Budget, tell: Callable[[str], None]) -> int:
    """Send every request without a final reply in the log; return the number of requests sent."""
    missing: dict[Teacher, list[Request]] = {}
    count = 0
    for request, teacher in asked:
        if not log.answered(request.key):
            missing.setdefault(teacher, []).append(request)
            count += 1
    for teacher, requests in missing.items():
        _check_prices(teacher, requests[0], budget)
        tell(f"{teacher.label}: asking for {counted(len(requests), 'reply', 'replies')}, {len(asked) - count} are in the log already")
        asyncio.run(_ask(teacher, requests, log, budget))
    log.sync()
    return count


async def _ask(teacher: Teacher, requests: Sequence[Request], log: ReplyLog, budget: Budget) -> None:
    answered = failed_in_a_row = 0
    broken: Reply | None = None
    async with aclosing(teacher.ask(requests, budget)) as replies:  # type: ignore[type-var]
        async for request, reply in replies:
            log.append(request, reply)
            answered += 1
            failed_in_a_row = failed_in_a_row + 1 if reply.error in PASSING else 0
            if broken is None and (reply.error in SETUP or failed_in_a_row >= PATIENCE):
                broken, budget.closed = reply, True
    log.sync()
    if broken is not None and broken.error in SETUP:
        raise UsageError(f"teacher {teacher.label}: {broken.detail}")
    if broken is not None:
        raise Refused(
            f"teacher {teacher.label}: {PATIENCE} requests in a row failed, the last because {broken.detail}; try the same command later"
        )
    if budget.reached:
        raise Refused(
            f"budget of {budget.limit:g} USD reached: {budget.spent:.6f} spent, {len(requests) - answered} of {len(requests)} requests to "
            f"{teacher.label} not sent; every reply is kept, the same command goes on from here"
        )


def _check_prices(teacher: Teacher, request: Request, budget: Budget) -> None:
    if budget.limit is not None and teacher.worst_cost(request) is None:
        raise UsageError(f"a budget needs prices, and teacher {teacher.label} has none; set input_price and output_price in the recipe")
