"""The flow of requests to an endpoint: a limited number at once, each after its worst case is reserved, each yielded as it ends.

Requests start in order and are drawn from their source only when there is room, so memory holds those under way and no others. One that
does not fit into the budget waits at the head of the line until others have returned; if none is pending and it still does not fit, the
budget is reached. Once the budget is stopped, nothing new starts, and pending replies are yielded. While it is unproven what an endpoint
bills, one call goes alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from synth.ask.budget import Budget
from synth.ask.teacher import Reply, Request


async def bounded(
    requests: Iterable[Request],
    answer: Callable[[Request, float], Awaitable[Reply | None]],
    worst_cost: Callable[[Request], float],
    at_once: Callable[[], int],
    budget: Budget,
    prove: bool = True,
) -> AsyncIterator[tuple[Request, Reply]]:
    """Yield (request, reply) as replies arrive.

    `answer` gets a request and its reservation, and settles the reservation itself; it returns None if it did not send the request. Without
    `prove` nothing goes alone.
    """
    source = iter(requests)
    waiting: Request | None = None
    running: set[asyncio.Task[None]] = set()
    ended: asyncio.Queue[tuple[Request, Reply | None, BaseException | None]] = asyncio.Queue()

    async def work(request: Request, worst: float) -> None:
        try:
            ended.put_nowait((request, await answer(request, worst), None))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # told to the one who asked, below, whatever it is: nobody else looks at this task
            ended.put_nowait((request, None, error))

    under_way = 0
    try:
        while True:
            while under_way < (1 if prove and budget.unproven else at_once()) and not budget.stopped:
                waiting = waiting if waiting is not None else next(source, None)
                if waiting is None:
                    break
                worst = worst_cost(waiting)
                if budget.reserve(worst):
                    task = asyncio.ensure_future(work(waiting, worst))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    waiting, under_way = None, under_way + 1
                elif under_way:
                    break
                else:
                    budget.next_worst = worst
            if not under_way:
                return
            request, reply, error = await ended.get()
            under_way -= 1
            if error is not None:
                raise error
            if reply is not None:
                yield request, reply
    finally:
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
