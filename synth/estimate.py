"""What a recipe's questions would cost, counted and priced before any of them is asked.

Questions are drawn as a run draws them, from the documents of a sample; of each task up to DRAWN, evenly over its count. With a log, all
are drawn and their conversations replayed (`synth.questions`): what the log answers costs nothing, and the rest still counts. The bounds:

    low       a token for five bytes of prompt, answers half as long as expected, and nothing asked after a first reply
    expected  a token for four bytes; an answer as long as the task's example (or USUAL_SHARE of its limit); every later call that a sound
              reply leads to; where teachers form a ladder, CLIMBING of the questions go up each rung
    high      a token for every byte, every answer at its limit and asked again with twice that, every later call, every repair, every rung

Calls are counted as expected and at most, as cost is expected and high; a call that fails or is cut off is repeated beside these. A teacher
without a known price has no cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synth.ask.answering import limit_of, most_prompt_tokens
from synth.ask.teacher import Reply, Request, Teacher
from synth.questions import Conversation, Question, converse, questions
from synth.router import Addressing, Router
from synth.task import Seed, Task

DRAWN = 200
USUAL_SHARE = 0.3
CLIMBING = 0.3
LATER_TOKENS = 200, 100
"""Tokens of a later call, such as a blind solve: of its instructions, beside half of the first answer, and of its answer."""


@dataclass(frozen=True)
class CostEstimate:
    """The questions of one task to one teacher: calls and tokens as expected, and cost in USD (None: its price is unknown).

    `answered` questions need no further call. `most_calls` adds every repair, and every rung of a ladder.
    """

    task: str
    teacher: str
    answered: int
    calls: int
    most_calls: int
    prompt_tokens: int
    answer_tokens: int
    low: float | None
    expected: float | None
    high: float | None


@dataclass
class _Sum:
    answered: float = 0.0
    calls: float = 0.0
    most_calls: float = 0.0
    prompt: float = 0.0
    answer: float = 0.0
    low: float | None = 0.0
    expected: float | None = 0.0
    high: float | None = 0.0

    def told(self, task: str, teacher: str) -> CostEstimate:
        answered, calls, most, prompt, answer = map(round, (self.answered, self.calls, self.most_calls, self.prompt, self.answer))
        return CostEstimate(task, teacher, answered, calls, most, prompt, answer, self.low, self.expected, self.high)


@dataclass(frozen=True)
class _Left:
    """What a teacher may still be asked of a question: the first call, later calls as expected and at most, and how likely that is."""

    first: int
    later: int
    most: int
    share: float


def estimate(
    router: Router, tasks: Sequence[Task], seeds: Sequence[Seed], known: Callable[[Request], Reply | None] | None = None
) -> list[CostEstimate]:
    """Return what the questions of each task would cost at each teacher; `known` returns the final reply that a log holds to a request."""
    sums: dict[tuple[str, str], _Sum] = {}
    for question in questions(router, tasks, seeds, DRAWN if known is None else None):
        task, drawn = question.task, question.task.count if known is not None else min(question.task.count, DRAWN)
        told = converse(question, known or _nothing)
        weight = task.count / drawn
        for rung, teacher in enumerate(question.ladder[told.tries - 1 :]):
            total = sums.setdefault((task.name(), teacher.label), _Sum())
            if not told.missing:
                total.answered += weight
                break
            left = _left(task, teacher, told) if rung == 0 else _left(task, teacher, None, CLIMBING**rung)
            _add(total, question, teacher, left, weight)
    return [total.told(*kind) for kind, total in sums.items()]


def _nothing(request: Request) -> None:
    del request


def _left(task: Task, teacher: Teacher, told: Conversation | None, share: float = 1.0) -> _Left:
    """Return what a teacher may still be asked, after what it `told` (None: it has not been asked)."""
    later, repairs = (0, 0) if teacher.proves else (task.later_calls, task.repairs)
    if told is None or not told.exchanges:
        return _Left(1, later, later + repairs, share)
    said = [request for request, _ in told.exchanges[1:]]
    sound, wanted = (sum("repair" not in request.brief for request in requests) for requests in (said, told.missing))
    return _Left(0, max(wanted, later - sound) + len(told.missing) - wanted, later + repairs - len(said), share)


def _add(total: _Sum, question: Question, teacher: Teacher, left: _Left, weight: float) -> None:
    request = question.request if teacher == question.teacher else Addressing.above(question.request, question.draft, teacher)
    limit, most = limit_of(request), most_prompt_tokens(request)
    usual = question.draft.usual_tokens or round(USUAL_SHARE * limit)
    prompt = left.first * most / 4 + left.later * (LATER_TOKENS[0] + usual / 2)
    answer = left.first * usual + left.later * LATER_TOKENS[1]
    total.calls += weight * left.share * (left.first + left.later)
    total.most_calls += weight * (left.first + left.most)
    total.prompt += weight * left.share * prompt
    total.answer += weight * left.share * answer
    least = teacher.price(left.first * most // 5, left.first * usual // 2)
    total.low = _plus(total.low, least, weight if left.share == 1 else 0.0)
    total.expected = _plus(total.expected, teacher.price(round(prompt), round(answer)), weight * left.share)
    total.high = _plus(total.high, teacher.worst_cost(request), weight * (left.first + left.most))


def _plus(sum_before: float | None, cost: float | None, weight: float) -> float | None:
    return None if sum_before is None or cost is None else sum_before + weight * cost
