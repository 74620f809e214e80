"""What a recipe's questions would cost, counted and priced before any of them is asked.

Questions are drawn as a run draws them, from the documents of a sample; of each task up to DRAWN, evenly over its count. The bounds:

    low       a token for five bytes of prompt, answers half as long as expected, and nothing asked after a first reply
    expected  a token for four bytes; an answer as long as the task's example (or USUAL_SHARE of its limit); every later call that a sound
              reply leads to; where teachers form a ladder, CLIMBING of the questions go up each rung
    high      a token for every byte, every answer at its limit and asked again with twice that, every later call, every rung

A teacher without a known price has no cost. A question that a log holds the reply to costs nothing, nor what was asked after it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from synth.ask.answering import limit_of, most_prompt_tokens
from synth.ask.teacher import Request, Teacher
from synth.router import Addressing, Router
from synth.task import Draft, Seed, Task

DRAWN = 200
USUAL_SHARE = 0.3
CLIMBING = 0.3
LATER_TOKENS = 200, 100
"""Tokens of a later call, such as a blind solve: of its instructions, beside half of the first answer, and of its answer."""


@dataclass(frozen=True)
class CostEstimate:
    """The questions of one task to one teacher: calls and tokens as expected, and cost in USD (None: its price is unknown).

    `answered` questions have their reply already and are not counted.
    """

    task: str
    teacher: str
    answered: int
    calls: int
    prompt_tokens: int
    answer_tokens: int
    low: float | None
    expected: float | None
    high: float | None


@dataclass
class _Sum:
    answered: float = 0.0
    calls: float = 0.0
    prompt: float = 0.0
    answer: float = 0.0
    low: float | None = 0.0
    expected: float | None = 0.0
    high: float | None = 0.0

    def add(self, weight: float, calls: float, tokens: tuple[float, float], costs: Sequence[float | None]) -> None:
        self.calls += weight * calls
        self.prompt += weight * tokens[0]
        self.answer += weight * tokens[1]
        self.low, self.expected, self.high = (
            None if old is None or cost is None else old + weight * cost
            for old, cost in zip((self.low, self.expected, self.high), costs, strict=True)
        )


def estimate(
    router: Router, tasks: Sequence[Task], seeds: Sequence[Seed], answered: Callable[[str], bool] | None = None
) -> list[CostEstimate]:
    """Return what the questions of each task would cost at each teacher; `answered` tells whether a request (its key) has a reply."""
    sums: dict[tuple[str, str], _Sum] = {}
    addressing = Addressing(router)
    for task in tasks:
        for draft, weight in _drawn(task, seeds):
            for rung, teacher in enumerate(router.ladder_for(task.name(), draft.difficulty)):
                request, _ = addressing.request(task, draft, teacher)
                total = sums.setdefault((task.name(), teacher.label), _Sum())
                if answered is not None and answered(request.key):
                    total.answered += weight
                    break
                _add(total, task, draft, request, teacher, weight, CLIMBING**rung)
    return [
        CostEstimate(
            task,
            label,
            round(total.answered),
            round(total.calls),
            round(total.prompt),
            round(total.answer),
            total.low,
            total.expected,
            total.high,
        )
        for (task, label), total in sums.items()
    ]


def _drawn(task: Task, seeds: Sequence[Seed]) -> Iterator[tuple[Draft, float]]:
    """Yield some of a task's questions, and for how many each stands."""
    if task.needs_seed and not seeds:
        return
    count = min(task.count, DRAWN)
    for at in range(count):
        number = at * task.count // count
        yield task.draft(number, seeds[number % len(seeds)] if task.needs_seed else None), task.count / count


def _add(total: _Sum, task: Task, draft: Draft, request: Request, teacher: Teacher, weight: float, share: float) -> None:
    later, limit, most = 0 if teacher.proves else task.later_calls, limit_of(request), most_prompt_tokens(request)
    usual = draft.usual_tokens or round(USUAL_SHARE * limit)
    prompt = most / 4 + later * (LATER_TOKENS[0] + usual / 2)
    answer = usual + later * LATER_TOKENS[1]
    worst = teacher.worst_cost(request)
    total.add(
        weight,
        share * (1 + later),
        (share * prompt, share * answer),
        (
            _times(0.0 if share < 1 else 1.0, teacher.price(most // 5, usual // 2)),
            _times(share, teacher.price(round(prompt), round(answer))),
            _times(1 + later + task.repairs, worst),
        ),
    )


def _times(factor: float, cost: float | None) -> float | None:
    return None if cost is None else factor * cost
