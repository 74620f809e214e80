"""Problems made by rule: rows a second on one core, made and proved, by family.

    python tests/benchmark/synthesis_speed.py [--rows 200] [--repeat 3] [--all]

A row goes the way of a run: the reply with the exercise as JSON, then the example that its proof accepts. What asking takes with any
teacher, the draft and the request's key, is not counted. Prints Markdown: rows a second of processor time of all families together, the
median of the repetitions and the best (which other work on the machine slows least), and of the slowest ten families (or all). Rows are
spread over the five levels.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from synth.ask.teacher import Request
from synth.procedural import LEVELS, every_family
from synth.procedural_teacher import ProceduralTeacher
from synth.task import Heard
from synth.tasks.worked_problem import WorkedProblem

_WARMED = 10
_SHOWN = 10


def requests_of(topic: str, count: int) -> list[Request]:
    """Return requests for problems of a family, with their keys."""
    teacher = ProceduralTeacher()
    briefs = [{"topic": topic, "difficulty": LEVELS[number % len(LEVELS)], "number": number} for number in range(count)]
    made = [Request("worked_problem", brief, (), {}, teacher.asked_model, teacher.identity()) for brief in briefs]
    assert all(request.key for request in made)
    return made


def seconds(requests: Sequence[Request]) -> tuple[float, float]:
    """Return the processor seconds that making the replies takes, and that proving them takes."""
    teacher, task = ProceduralTeacher(), WorkedProblem()
    began = time.process_time()
    heard = [Heard(teacher.answer(request).text, True) for request in requests]
    made = time.process_time()
    for request, reply in zip(requests, heard, strict=True):
        try:
            next(task.work(request.brief, reply))
        except StopIteration as end:
            assert end.value.verdict == "proved"
    return made - began, time.process_time() - made


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200, help="rows of each family")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="print every family")
    asked = parser.parse_args()
    requests = {topic: requests_of(topic, asked.rows) for topic in every_family()}
    for wanted in requests.values():
        seconds(wanted[:_WARMED])
    turns = [{topic: seconds(wanted) for topic, wanted in requests.items()} for _ in range(asked.repeat)]
    taken = {topic: [statistics.median(turn[topic][part] for turn in turns) for part in (0, 1)] for topic in requests}
    whole = sorted(([sum(took[part] for took in turn.values()) for part in (0, 1)] for turn in turns), key=sum)
    slowest = sorted(taken, key=lambda topic: -sum(taken[topic]))
    print("| family | rows/s | made | proved |\n|---|---:|---:|---:|")
    rows = [(name, len(requests) * asked.rows, *took) for name, took in (("all", whole[len(whole) // 2]), ("all, best", whole[0]))]
    rows += [(topic, asked.rows, *taken[topic]) for topic in (slowest if asked.all else slowest[:_SHOWN])]
    for name, count, made, proved in rows:
        print(f"| {name} | {count / (made + proved):,.0f} | {count / made:,.0f} | {count / proved:,.0f} |")


if __name__ == "__main__":
    main()
