"""Answering one request: make calls, repeat them where that helps, add up their cost, and return one reply.

    passing failures   rate, server, timeout and bad_response: the call is repeated after a pause, up to `max_attempts` calls
    cut or empty       the request is asked once more. The limit of tokens doubles if the answer was cut, or if it had only thoughts, which
                       use up the limit. The second answer counts: `truncated` and `empty` are final then
    all others         become the reply

Money: the worst case of a call is recorded before the call is sent, and its answer is recorded before it is read. So a process may be
killed anywhere and loses no answer that it has received, and forgets no cent. A resumed request begins with its recorded answers. A call
with an unknown outcome (a timeout, a broken connection, no credible usage) counts at its worst case, because it may be billed. Usage above
ABSURD times the worst case is not believed. Usage above the worst case is counted and reported, and it strains the budget
(`synth.ask.budget`).

Invariant: nothing that an endpoint sends raises an exception here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from synth.ask.completion import Completion, ErrorBody, Usage, read_completion, read_error
from synth.ask.desk import Desk, Unfinished
from synth.ask.failures import Failure, Where, failure_of
from synth.ask.pace import Pacer
from synth.ask.retrying import pause
from synth.ask.teacher import PASSING, Reply, Request

ABSURD = 16
DEFAULT_MAX_TOKENS = 2048
_OVERHEAD_TOKENS = 64
"""Tokens that a chat format may add to a prompt."""
_BYTES_PER_TOKEN = 4
_LOOK = 0.2
_STRUCK_OUT = "[key]"


@dataclass(frozen=True)
class Arrival:
    """An HTTP answer: status, headers (names in lower case), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Manner:
    """How to ask an endpoint: its description for messages, its secret ("": none), pauses, and token prices (None: unknown)."""

    where: Where
    secret: str
    max_attempts: int
    first_pause: float
    longest_pause: float
    price: Callable[[int, int], float | None]


class Sender(Protocol):
    """A way to send a call."""

    def __call__(self, request: Request, limit: int, call: int, known: int) -> Awaitable[Arrival]:
        """Send call number `call` of a request and return its answer. `known` counts the earlier calls whose outcome is known.

        Raises Failure where nothing readable arrives.
        """


def limit_of(request: Request) -> int:
    """Return the most tokens that a request's answer may have at first."""
    return int(request.parameters.get("max_tokens", DEFAULT_MAX_TOKENS))


def most_prompt_tokens(request: Request) -> int:
    """Return the most tokens that the prompt may have: no tokenizer makes more tokens than there are bytes."""
    return request.prompt_bytes + _OVERHEAD_TOKENS


@dataclass
class _Bill:
    """Calls, tokens and cost of answering one request so far."""

    calls: int = 0
    lost: int = 0
    failures: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float = 0.0


@dataclass
class Answering:
    """Answers requests through one sender at one pace."""

    line: Sender
    manner: Manner
    pacer: Pacer
    desk: Desk
    _earlier: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    async def answer(self, request: Request, reserved: float) -> Reply | None:
        """Return the reply to a request and settle its reservation. Return None if the command stopped before the request was sent."""
        bill, extra, lost = _Bill(), 0.0, 0.0
        left = self.desk.record.unfinished(request.key)
        if left is not None:
            lost = self._take_over(request, left, bill)
        repeated, limit = False, limit_of(request)
        try:
            while True:
                try:
                    completion = await self._call(request, limit, bill)
                    if completion is None:
                        return None if bill.calls == 0 else self._failed(bill, "server", "the run was stopped before this was asked again")
                    again = self._again(completion, limit)
                    if again is None or repeated:
                        return self._read(completion, bill, limit)
                    repeated, limit = True, again
                except Failure as failure:
                    bill.failures += 1
                    ended = failure.error not in PASSING or bill.failures >= self.manner.max_attempts or self.desk.budget.stopped
                    one_call = self._worst(request, limit) if failure.maybe_billed else 0.0
                    if ended or not self.desk.budget.reserve(one_call):
                        return self._failed(bill, failure.error, failure.detail)
                    self._warn(failure)
                    extra += one_call
                    await self._pause(request, bill.failures, failure)
        finally:
            self.desk.budget.settle(reserved + extra, bill.cost - lost)
            self._earlier.pop(request.key, None)

    def _warn(self, failure: Failure) -> None:
        """Warn the user once that an endpoint fails. A refusal for the rate is no failure."""
        if failure.error != "rate":
            line = f"{self._without_secret(failure.detail)}; such requests are asked again"
            self.desk.warn_once(self.manner.where.address, failure.error, line)

    def worst(self, request: Request) -> float:
        """Return the most that a request may cost: one answer, and a second one with the longer limit."""
        limit = limit_of(request)
        return self._worst(request, limit) + self._worst(request, 2 * limit)

    def _take_over(self, request: Request, left: Unfinished, bill: _Bill) -> float:
        """Read the answers that an ended command left. Return the cost of its lost calls, which is spent already."""
        lost = sum(left.pending.values())
        self.desk.budget.spent -= left.worst - lost
        bill.calls, bill.lost = left.calls - len(left.bodies), len(left.lost)
        bill.cost = lost
        self._earlier[request.key] = [(call, body) for call, _, body in left.bodies]
        return lost

    async def _call(self, request: Request, limit: int, bill: _Bill) -> Completion | None:
        """Make one call, or take an answer that arrived earlier; None if the command has stopped. Raises Failure."""
        worst = self._worst(request, limit)
        earlier = self._earlier.get(request.key, [])
        while earlier:
            bill.calls += 1
            call, said = earlier.pop(0)
            try:
                return self._completion(Arrival(200, {}, said.encode()), request, limit, bill, call)
            except Failure:
                continue  # the earlier command met an error; the endpoint may be repaired now
        estimated = most_prompt_tokens(request) // _BYTES_PER_TOKEN + limit
        if not await self.pacer.slot(estimated, lambda: self.desk.budget.stopped):
            return None
        bill.calls += 1
        call, sent_at = bill.calls, time.monotonic()
        headers: Mapping[str, str] = {}
        arrival: Arrival | None = None
        self.desk.record.sending(request.key, call, worst)
        try:
            arrival = await self.line(request, limit, call, call - 1 - bill.lost)
            headers = arrival.headers
            if arrival.status != 200:
                raise failure_of(arrival.status, read_error(arrival.body), headers, self.manner.where)
            body = arrival.body.decode("utf-8", "replace")
            self.desk.record.arrived(request.key, call, self._without_secret(body))
        except Failure as failure:
            cost = worst if failure.maybe_billed else 0.0
            lost = failure.maybe_billed and arrival is None
            bill.cost += cost
            bill.lost += lost
            self.desk.record.failed(request.key, call, cost, lost)
            self._learn(failure, sent_at, headers)
            raise
        try:
            completion = self._completion(arrival, request, limit, bill, call)
        except Failure as failure:
            self._learn(failure, sent_at, headers)
            raise
        used = (bill.prompt_tokens or 0) + (bill.completion_tokens or 0) if completion.usage is not None else None
        self.pacer.accepted(headers, estimated, used)
        return completion

    def _completion(self, arrival: Arrival, request: Request, limit: int, bill: _Bill, call: int) -> Completion:
        """Read an answer and add its cost. Record that the call brought no answer, and raise Failure, if it cannot be read."""
        read = read_completion(arrival.body)
        cost = 0.0 if isinstance(read, ErrorBody) else self._cost(read.usage, request, limit, bill)
        bill.cost += cost
        if isinstance(read, Completion) and read.ending != "broken":
            return read
        self.desk.record.failed(request.key, call, cost)
        if isinstance(read, ErrorBody):
            raise failure_of(200, read, arrival.headers, self.manner.where)
        if isinstance(read, Completion):
            raise Failure("server", f"{self.manner.where.address} broke an answer off")
        raise Failure("bad_response", f"{self.manner.where.address} sent no chat completion: {read.why}")

    def _cost(self, usage: Usage | None, request: Request, limit: int, bill: _Bill) -> float:
        """Return the cost of an answer by its usage, or the worst case if the usage is not credible."""
        where, most, worst = self.manner.where.address, most_prompt_tokens(request), self._worst(request, limit)
        priced = self.manner.price(0, 0) is not None
        if usage is not None and (usage.prompt_tokens > ABSURD * most or usage.completion_tokens > ABSURD * limit):
            self.desk.warn_once(where, "absurd", f"{where} reports an impossible usage ({usage}); the worst case counts instead")
            usage = None
        elif usage is None and priced:
            self.desk.warn_once(where, "unknown", f"{where} reports no usage that can be counted; the worst case counts instead")
        if usage is None:
            return worst
        bill.prompt_tokens = (bill.prompt_tokens or 0) + usage.prompt_tokens
        bill.completion_tokens = (bill.completion_tokens or 0) + usage.completion_tokens
        cost = self.manner.price(usage.prompt_tokens, usage.completion_tokens) or 0.0
        if usage.completion_tokens > limit or usage.prompt_tokens > most:
            told = f"{where} bills more than it was allowed to use ({usage}, at most {most} and {limit} tokens)"
            self.desk.warn_once(where, "more", f"{told}; this is counted, and with a budget the run stops once it passes what is reserved")
            if worst > 0:
                self.desk.budget.strain = max(self.desk.budget.strain, cost / worst)
        return cost

    def _learn(self, failure: Failure, sent_at: float, headers: Mapping[str, str]) -> None:
        if failure.error == "rate":
            self.pacer.refused(sent_at, failure.ordered, headers)
        elif failure.error in ("timeout", "server"):
            self.pacer.overloaded()
            if failure.ordered is not None:
                self.pacer.hold(failure.ordered)

    def _again(self, completion: Completion, limit: int) -> int | None:
        """Return the limit of tokens for asking again, or None if the answer stands."""
        if completion.ending == "length":
            return 2 * limit
        if completion.ending == "stop" and not completion.text.strip():
            return 2 * limit if completion.thought else limit
        return None

    def _read(self, completion: Completion, bill: _Bill, limit: int) -> Reply:
        """Return the reply made from the last answer."""
        if completion.ending == "filter":
            return self._failed(bill, "refused", "the endpoint or its model withheld the answer", completion)
        if completion.ending == "length":
            return self._failed(bill, "truncated", f"the answer is longer than {limit} tokens; raise max_tokens", completion)
        if not completion.text.strip():
            where = "only in the field for thoughts; switch thinking off or raise max_tokens" if completion.thought else "empty, twice"
            return self._failed(bill, "empty", f"the answer came {where}", completion)
        return self._reply(bill, completion, None, None)

    def _failed(self, bill: _Bill, error: str, detail: str, completion: Completion | None = None) -> Reply:
        return self._reply(bill, completion, error, detail)

    def _reply(self, bill: _Bill, completion: Completion | None, error: str | None, detail: str | None) -> Reply:
        return Reply(
            text=self._without_secret(completion.text) if completion is not None else "",
            finish_reason=completion.ending if completion is not None else None,
            prompt_tokens=bill.prompt_tokens,
            completion_tokens=bill.completion_tokens,
            error=error,
            detail=detail and self._without_secret(detail),
            attempts=bill.calls,
            cost=bill.cost if self.manner.price(0, 0) is not None else None,
        )

    def _without_secret(self, text: str) -> str:
        return text.replace(self.manner.secret, _STRUCK_OUT) if self.manner.secret else text

    def _worst(self, request: Request, limit: int) -> float:
        return (self.manner.price(most_prompt_tokens(request), limit) or 0.0) * self.desk.budget.strain

    async def _pause(self, request: Request, attempt: int, failure: Failure) -> None:
        """Wait before a call is repeated; stop waiting when the command stops. The pacer spaces refused calls itself."""
        if failure.ordered is not None:
            self.pacer.hold(failure.ordered)
        paced = failure.error == "rate" and failure.ordered is None and attempt == 1
        seconds = 0.0 if paced else pause(request.key, attempt, self.manner.first_pause, self.manner.longest_pause, failure.ordered)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.desk.budget.stopped:
            await asyncio.sleep(min(left, _LOOK))
