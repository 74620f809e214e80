"""The flow of requests to an endpoint: a limited number at once, each after its worst case is reserved, each yielded as it ends.

Requests start in order. One that does not fit into the budget waits at the head of the line until others have returned; if none is pending
and it still does not fit, the budget is reached. Once the budget is stopped, nothing new starts, and pending replies are yielded.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from synth.budget import Budget
from synth.teacher import Reply, Request


async def bounded(
    requests: Sequence[Request],
    answer: Callable[[Request, float], Awaitable[Reply]],
    worst_cost: Callable[[Request], float],
    at_once: int,
    budget: Budget,
) -> AsyncIterator[tuple[Request, Reply]]:
    """Yield (request, reply) as replies come. `answer` gets a request and its reservation, and settles the reservation itself."""
    line = list(reversed(requests))
    running: dict[asyncio.Future[Reply], Request] = {}
    try:
        while True:
            while line and len(running) < at_once and not budget.stopped:
                worst = worst_cost(line[-1])
                if budget.reserve(worst):
                    request = line.pop()
                    running[asyncio.ensure_future(answer(request, worst))] = request
                elif running:
                    break
                else:
                    budget.reached = True
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield running.pop(task), task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
