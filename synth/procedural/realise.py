"""The realiser writes an exercise: it chooses a layout and words for facts and typed steps.

    worked      paragraphs; a connective at no more than three steps in ten, at most one closing sentence
    terse       a list with a line a step
    table       a row a step
    tutor       a conversation, in which the pupil finds each step
    hints       a ladder of hints that give nothing away, then the solution
    cases       a line a case, for families whose steps are cases
    find_error  somebody's solution with a slip, and its correction; no pair is made of it, because its problem shows the slip

Invariant: every layout says the claims of the same steps in order, so one check (`synth.solution`) reads them all.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from synth.procedural import Exercise, Facts, Family, Slip
from synth.procedural.chance import Chance
from synth.procedural.grammar import capitalised, ordinal
from synth.procedural.phrasebook import Speaker, book, paragraph, wordings
from synth.procedural.steps import WorkStep

_LAYOUTS = ("worked",) * 9 + ("terse", "table", "hints") * 2 + ("tutor", "find_error") * 3
_OPERATIONS = frozenset({"calc", "add", "sub", "mul", "div", "check", "fraction"})
_MOST_LED = 0.3

_ENOUGH = 20
"""A kind of steps with fewer wordings of its own is also said in plain ones, which give no reason."""


def exercise(family: Family, level: int, seed: str, knobs: Mapping[str, int]) -> Exercise:
    """Return the exercise of a seed at a level."""
    chance = Chance.of(seed, level, family.knobs, knobs)
    facts = family.draw(chance)
    words = _of_shape(family.name(), facts)
    say = Speaker(chance, {**facts, **family.words(facts)})
    steps = list(family.work(facts))
    answer = _answer(steps)
    slip, wrong = _slip(family, facts, answer, chance)
    layout = chance.choice((*_LAYOUTS, *("cases",) * 12) if family.cases else _LAYOUTS)
    if layout == "find_error" and _first_error(steps, wrong) is None:
        layout = "worked"
    problem = _problem(say, words, facts)
    attempt, rejected = "", None
    if layout == "find_error":
        attempt = _attempt(say, wrong)
        written = _correction(say, words, steps, wrong, slip)
    else:
        form = _FORMS[layout]
        style = chance.random()
        chance.seed(style)
        written = _closed(form(say, words, steps), say, words, steps, layout)
        if wrong:  # in the same style, so that only the mistake tells the two apart
            chance.seed(style)
            say_wrong, ending = say.again(), _answer(wrong)
            rejected = Slip(slip, tuple(_closed(form(say_wrong, words, wrong), say_wrong, words, wrong, layout)), ending)
    title, heading = say.say(words["titles"]), chance.choice(book("layouts")["headings"][layout])
    return Exercise(title, problem, heading, tuple(part for part in written if part), answer, facts, layout, attempt, rejected)


def _last(steps: Sequence[WorkStep]) -> WorkStep:
    last: WorkStep = next(step for step in reversed(steps) if step.kind != "check")
    return last


def _answer(steps: Sequence[WorkStep]) -> str:
    return _last(steps).result


def _slip(family: Family, facts: Facts, answer: str, chance: Chance) -> tuple[str, list[WorkStep]]:
    """Return a misconception that leads to a wrong answer here, and its steps; nothing if there is none."""
    for slip in chance.sample(family.slips, len(family.slips)):
        steps = list(family.work(facts, slip))
        if steps and _answer(steps) not in ("", answer):
            return slip, [step for step in steps if step.kind != "check"]
    return "", []


def _of_shape(topic: str, facts: Facts) -> Mapping[str, Any]:
    """Return a family's words, with the problem and the ideas for the shape of these facts."""
    words = book(f"families/{topic}")
    tables = {part: words[part] for part in ("problem", "ideas") if isinstance(words[part], Mapping)}
    return {**words, "topic": topic, **{part: table.get(facts["shape"]) or table["any"] for part, table in tables.items()}}


def _problem(say: Speaker, words: Mapping[str, Any], facts: Facts) -> str:
    told = []
    for part in words["problem"]:
        if isinstance(part, Mapping):  # one sentence for each entry of a list of facts, of the entry's kind
            told += [say.say(words["entries"][kind], **dict(zip("abc", rest, strict=False))) for kind, *rest in facts[part["each"]]]
        else:
            told.append(say.say(part))
    return paragraph(told)


def _closed(told: list[str], say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep], layout: str) -> list[str]:
    """Return a solution with the sentence that closes it; none where its last step states the answer, which would be said twice."""
    last = _last(steps)
    concludes = last.kind not in _OPERATIONS and last.result in last.claim and last.claim.casefold() in "\n".join(told).casefold()
    if layout == "tutor" or concludes:
        return told
    own = words.get("endings") or (words.get("closers") if say.chance.chances(0.5) else None)
    return [*told, say.say(own or book("layouts")["closers"], answer=last.result)]


@cache
def _wordings(topic: str, kind: str) -> Sequence[str]:
    own: Mapping[str, Sequence[str]] = book(f"families/{topic}").get("steps", {})
    shared = book("steps")
    if kind in own:
        enough = any("{what}" in option for option in own[kind]) or sum(map(wordings, own[kind])) >= _ENOUGH
        return own[kind] if enough else [*own[kind], *shared["plain"]]
    return [*shared["calc"], *shared[kind]] if kind in _OPERATIONS - {"calc", "check", "fraction"} else shared[kind]


def _said(say: Speaker, options: Sequence[str], step: WorkStep, **values: Any) -> str:
    if step.what in step.claim:
        options = [option for option in options if "{what}" not in option or "{claim}" not in option] or options
    elif step.how.startswith("work out"):
        options = [option for option in options if "{how}" not in option]
    return say.say(options, what=step.what, claim=step.claim, how=step.how, **step.more, **values)


def _worked(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    chance, shared = say.chance, book("layouts")["connectives"]
    led = set(chance.sample(range(1, len(steps)), int(_MOST_LED * len(steps)))) if len(steps) > 1 else set()
    leads = chance.sample(shared, min(len(shared), len(led)))
    paragraphs = [say.say(words["ideas"])] if chance.chances(0.75) else []
    for place, step in enumerate(steps):
        lead = leads.pop() if place in led and leads else ""
        text = _said(say, _wordings(words["topic"], step.kind), step, lead=lead) or f"{capitalised(step.claim)}."
        if place and chance.chances(0.35) and "\n" not in text:
            paragraphs[-1] = f"{paragraphs[-1]} {text}"
        else:
            paragraphs.append(text)
    return paragraphs


def _terse(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    del words
    forms = book("layouts")["terse"]["lines"]
    form = say.chance.choice(forms) if len({step.claim for step in steps}) == len(steps) else forms[0]
    lines = [_line_form(form, step).format(what=step.what, claim=step.claim) for step in steps]
    return ["\n".join(f"- {capitalised(line)}" for line in lines)]


def _line_form(form: str, step: WorkStep) -> str:
    """Return the form of a line: what a statement is about stands before it, unless the statement says it."""
    if step.kind in _OPERATIONS:
        return form
    return "{claim}" if step.what in step.claim else "{what}: {claim}"


def _table(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    shared = book("layouts")["table"]
    rows = [f"| {capitalised(step.what)} | {step.claim.replace('|', ' ')} |" for step in steps]
    table = "\n".join([f"| {say.chance.choice(shared['heads'])} |", "| --- | --- |", *rows])
    return [say.say(words["ideas"] if say.chance.chances(0.5) else shared["before"]), table]


def _tutor(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    shared, asks = book("layouts")["tutor"], book("steps")["ask"]
    turns = [("Tutor", say.say(shared["open"])), ("Pupil", say.say(shared["unsure"])), ("Tutor", say.say(words["ideas"]))]
    for place, step in enumerate(steps):
        calculated = step.kind in _OPERATIONS
        question = _said(say, asks["calc" if calculated else "state"], step)
        if place:
            praise = say.say(shared["praise"]) if say.chance.chances(0.4) else ""
            turns.append(("Tutor", f"{praise} {question}".strip()))
        else:
            turns[-1] = ("Tutor", f"{turns[-1][1]} {question}")
        turns.append(("Pupil", _said(say, shared["reply" if calculated else "tell"], step) or f"{capitalised(step.claim)}."))
    turns += [("Tutor", say.say(shared["end"])), ("Pupil", say.say(words.get("endings", shared["final"]), answer=_answer(steps)))]
    return [f"{who}: {text}" for who, text in turns]


def _hints(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    shared, hints = book("layouts")["hints"], book("steps")["hint"]
    told = [say.say(words["ideas"])]
    chosen = [step for step in steps if step.kind != "check"][:4]
    told += [_said(say, hints["calc" if step.kind in _OPERATIONS else "state"], step) for step in chosen]
    form = say.chance.choice(shared["rung"])
    rungs = [form.format(place=ordinal(place).capitalize(), hint=hint) for place, hint in enumerate(filter(None, told), 1)]
    return [*rungs, say.say(shared["solution"]), *_terse(say, words, steps)]


def _cases(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep]) -> list[str]:
    shared = book("layouts")["cases"]
    form = say.chance.choice(shared["line"])
    lines = [form.format(what=capitalised(step.what), claim=step.claim) for step in steps]
    return [say.say(words["ideas"] if say.chance.chances(0.6) else shared["before"]), "\n".join(lines)]


_FORMS: Mapping[str, Callable[[Speaker, Mapping[str, Any], Sequence[WorkStep]], list[str]]] = {
    "worked": _worked,
    "terse": _terse,
    "table": _table,
    "tutor": _tutor,
    "hints": _hints,
    "cases": _cases,
}


def _attempt(say: Speaker, wrong: Sequence[WorkStep]) -> str:
    shared, pupil = book("layouts")["find_error"], say.chance.person()
    lines = [capitalised(_line_form("{what}: {claim}", step).format(what=step.what, claim=step.claim)) for step in wrong]
    return "\n\n".join([say.say(shared["before"], pupil=pupil), "\n".join(f"- {line}" for line in lines), say.say(shared["ask"])])


def _first_error(steps: Sequence[WorkStep], wrong: Sequence[WorkStep]) -> int | None:
    """Return the place of the first wrong line; None where every line is right, and the answer of another question."""
    claims = [step.claim for step in steps]
    return next((at for at, step in enumerate(wrong) if at >= len(claims) or step.claim != claims[at]), None)


def _correction(say: Speaker, words: Mapping[str, Any], steps: Sequence[WorkStep], wrong: Sequence[WorkStep], slip: str) -> list[str]:
    """Say which line is the first that differs, why it is wrong, and go on from there."""
    shared = book("layouts")["find_error"]
    place = _first_error(steps, wrong) or 0
    where = say.say(shared["right_before"], place=ordinal(place + 1)) if place else say.say(shared["at_once"])
    why = say.say(words["slips"][slip])
    rest = [_said(say, _wordings(words["topic"], step.kind), step) or f"{capitalised(step.claim)}." for step in steps[place:]]
    instead = say.say(shared["instead"]) if rest else ""
    return _closed([f"{where} {why} {instead}".strip(), " ".join(rest)], say, words, steps, "find_error")
