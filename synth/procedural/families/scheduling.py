"""Tasks that wait for others: when is everything done? The second way moves a clock forward."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import listed, with_noun
from synth.procedural.steps import Steps, add, state


class Scheduling(Family):
    """Four to six tasks with durations, some of which need others first."""

    about = "earliest times of tasks that depend on each other"
    knobs = by_level(tasks=(3, 4, 4, 5, 6), longest=(5, 8, 12, 15, 20))
    slips = ("all_in_a_row", "takes_shorter")

    def draw(self, chance: Chance) -> Values:
        """Draw tasks in an order in which each may need earlier ones."""
        world = chance.of_world("projects")
        tasks = []
        for at, name in enumerate(world["tasks"][: chance.knob.tasks]):
            needs = sorted(chance.sample(range(at), min(at, 1 + (at > 1 and chance.chances(0.6)))))
            tasks.append([name, chance.between(2, chance.knob.longest), [world["tasks"][need] for need in needs]])
        return {"tasks": tasks, "project": world["project"], "unit": world["unit"], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the tasks as a list."""
        waits = [f" (only after {listed([_quoted(need) for need in needs])})" if needs else "" for *_, needs in facts["tasks"]]
        lines = [f"- {task[0]}: {with_noun(task[1], facts['unit'])}{wait}" for task, wait in zip(facts["tasks"], waits, strict=True)]
        return {"list": "\n".join(lines)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find for each task the earliest start and the end."""
        unit, end = facts["unit"], dict[str, int]()
        if slip == "all_in_a_row":
            yield add("the total time", *(length for _, length, _ in facts["tasks"]), unit=unit)
            return
        for name, length, needs in facts["tasks"]:
            start = (min if slip == "takes_shorter" else max)((end[need] for need in needs), default=0)
            yield (step := add(f"the finishing time of {_quoted(name)}", start, length, unit=unit))
            end[name] = int(step.value)
        last = max(end.values())
        yield state("the total time", f"the last task ends after {with_noun(last, unit)}", "ended", value=with_noun(last, unit))

    def recheck(self, facts: Facts) -> list[str]:
        """Move a clock forward, and work at whatever can be worked at."""
        left, clock = {name: length for name, length, _ in facts["tasks"]}, 0
        needs = {name: need for name, _, need in facts["tasks"]}
        while any(left.values()):
            ready = [name for name, rest in left.items() if rest and not any(left[need] for need in needs[name])]
            for name in ready:
                left[name] -= 1
            clock += 1
        return [str(clock)]


def _quoted(task: str) -> str:
    return f'"{task}"'
