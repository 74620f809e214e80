"""Every family: an evaluator that shares no code with it agrees, what is corrupted is rejected, and the language is sound and diverse.

What it makes is pinned in `families.json`, wrong solutions too: rows of one seed may change only with the version of the family.

    python -m tests.synth.test_procedural      pins what the families make now
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from synth.arithmetic import equations, numbers, plain_signs
from synth.procedural import LEVELS, Exercise, Slip, every_family, family
from synth.procedural.chance import Chance, worlds
from synth.procedural.grammar import Noun, Number, plural, with_article, with_noun
from synth.procedural.phrasebook import book, sentences, wordings
from synth.procedural.proof import prove, read_exercise
from synth.procedural.realise import exercise
from synth.task import Rejected
from tests.synth.evaluators import answers, evaluator, false_sums, language_faults, repeated_sentences

SEEDS = 30
TOPICS = tuple(every_family())
PINNED = Path(__file__).with_name("families.json")


@cache
def exercises(topic: str, count: int = SEEDS) -> list[Exercise]:
    return [exercise(family(topic), LEVELS[seed % len(LEVELS)], f"test {seed}", {}) for seed in range(count)]


def rejected(changed: Exercise, topic: str) -> bool:
    try:
        prove(changed, family(topic))
    except Rejected:
        return True
    return False


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_made_is_true(topic: str) -> None:
    for made in exercises(topic):
        true = evaluator(topic)(made.facts)
        body = "\n\n".join(made.steps)
        assert answers(made.answer, true), (made, true)
        assert false_sums(f"{made.problem}\n{body}") == []
        assert made.slip is None or not answers(made.slip.answer, true)
        again = read_exercise(json.dumps(asdict(made), ensure_ascii=False))
        assert again == made
        assert prove(again, family(topic)) == f"facts.{topic}@{family(topic).version}"


def made_now(topic: str) -> list[Any]:
    """Return the version of a family, and a digest of its exercises."""
    rows = json.dumps([asdict(made) for made in exercises(topic)], sort_keys=True)
    return [family(topic).version, hashlib.sha256(rows.encode()).hexdigest()[:16]]


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_made_changes_with_the_version_alone(topic: str) -> None:
    version, digest = json.loads(PINNED.read_text("utf-8")).get(topic, (None, None))
    now, changed = made_now(topic)
    assert (version == now) <= (digest == changed), (
        f"{topic} makes other rows under its version {now}: bump it (or that of what they share)"
    )
    assert (version, digest) == (now, changed), "look whether the new rows are right, then run python -m tests.synth.test_procedural"


@pytest.mark.full
@pytest.mark.parametrize("topic", TOPICS)
def test_two_hundred_thousand_rows_are_true_and_sound(topic: str) -> None:
    for seed in range(200_000 // len(TOPICS) + 1):
        made = exercise(family(topic), LEVELS[seed % len(LEVELS)], f"full {seed}", {})
        body = "\n\n".join(made.steps)
        true = evaluator(topic)(made.facts)
        assert answers(made.answer, true), (made, true)
        assert made.slip is None or not answers(made.slip.answer, true), made
        assert false_sums(f"{made.problem}\n{body}") == []
        assert language_faults(f"{made.title}\n\n{made.problem}\n\n{made.attempt}\n\n{body}") == []
        assert repeated_sentences(body) == []
        prove(made, family(topic))


def test_language_is_sound() -> None:
    for topic in TOPICS:
        for made in exercises(topic):
            body = "\n\n".join(made.steps)
            assert (
                language_faults("\n\n".join([made.title, made.problem, made.attempt, body, *(made.slip.steps if made.slip else ())])) == []
            )
            assert repeated_sentences(body) == [], (topic, body)


@pytest.mark.parametrize(
    ("topic", "text", "untrue"),
    [
        ("stacks", "queue", "(?i)last in"),
        ("speed", "towards each other|opposite ends", "(?i)two parts|average"),
        ("means", "(?i)median", "(?i)mean\\b|average"),
        ("percentages", r"\d% of", "(?i)rise|change"),
    ],
)
def test_a_title_is_true_of_every_kind_of_problem_in_its_family(topic: str, text: str, untrue: str) -> None:
    met = [made for made in exercises(topic, 300) if re.search(text, made.problem)]
    assert len(met) > 20
    assert {made.title for made in met if re.search(untrue, made.title)} == set()


def test_the_judge_of_language_knows_faults() -> None:
    faults = ("a orange one", "1 more days", "an roll", "7 euro", "the the end", "So so", "a  b", "Wait ..", "so {n} is", "a hour ago")
    assert [text for text in faults[:-1] if not language_faults(text)] == []
    assert language_faults("An hour, a unit, 1 euro, 8 euros, once; 2.5 hours and `a  b`.") == []
    assert repeated_sentences("We add the two. And so on. We add the two.") == ["We add the two."]
    assert false_sums("so 2 + 3 = 6, but 2 × (1 + 1) = 4 and x + 1 = 7") == ["2 + 3 = 6"]


@pytest.mark.parametrize("topic", TOPICS)
def test_making_is_a_function_of_seed_and_level(topic: str) -> None:
    for level in (1, 3, 5):
        assert exercise(family(topic), level, "one", {}) == exercise(family(topic), level, "one", {})
        assert exercise(family(topic), level, "one", {}) != exercise(family(topic), level, "two", {})


@pytest.mark.parametrize("topic", TOPICS)
def test_a_wrong_answer_is_rejected(topic: str) -> None:
    for made in exercises(topic)[::3]:
        figures = numbers(made.answer)
        wrong = made.answer.replace(figures[0], str(int(float(figures[0])) + 1), 1) if figures else "the third of May"
        assert rejected(replace(made, answer=wrong), topic), (made.answer, wrong)
        slip = Slip("some slip", made.steps, made.answer)
        assert rejected(replace(made, slip=slip), topic)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_changed_number_in_any_step_is_rejected(topic: str) -> None:
    """Put a number that is nowhere else in the place of each number of each step."""
    for made in exercises(topic)[::10]:
        strange = str(max([int(float(n)) for n in numbers(json.dumps(asdict(made)))] or [1]) + 7919)
        for place, step in enumerate(made.steps):
            for number in re.finditer(r"\d+(?:\.\d+)?", step):
                mutated = step[: number.start()] + strange + step[number.end() :]
                steps = (*made.steps[:place], mutated, *made.steps[place + 1 :])
                assert rejected(replace(made, steps=steps), topic), mutated


def test_an_equation_that_is_off_by_one_is_rejected() -> None:
    changed = 0
    for topic in TOPICS:
        for made in exercises(topic)[::6]:
            for place, step in enumerate(made.steps):
                printed = plain_signs(step)
                for equation in equations(step):
                    wrong = printed.replace(f"= {equation.right}", f"= {equation.right}1", 1)
                    steps = (*made.steps[:place], wrong, *made.steps[place + 1 :])
                    changed += 1
                    assert rejected(replace(made, steps=steps), topic), wrong
    assert changed > 200


def test_facts_that_the_problem_does_not_state_are_rejected() -> None:
    changed = 0
    for topic in TOPICS:
        for made in exercises(topic)[::10]:
            told = json.dumps(made.facts, ensure_ascii=False)
            figures = numbers(told)
            if figures:
                other = json.loads(str(int(float(figures[-1])) + 7919).join(told.rsplit(figures[-1], 1)))
                changed += 1
                assert rejected(replace(made, facts=other), topic), other
    assert changed > 20


def test_facts_that_are_nonsense_are_a_rejection_and_no_crash() -> None:
    for topic in TOPICS:
        for facts in ({"x": []}, {"numbers": ["a"]}, {"program": "import os", "values": [1]}, {"shape": ")(", "letters": ["p"]}):
            nonsense = Exercise("t", "1 2 3", "h", ("1 + 1 = 2",), "2", facts, "worked")
            with pytest.raises(Rejected, match=r"unsolvable|unstated_fact|wrong_answer|wrong_step"):
                prove(nonsense, family(topic))


def test_a_reply_that_is_no_exercise_is_unparsable() -> None:
    for text in ("", "[]", "{", json.dumps({"steps": 1, "facts": {"a": 1}}), json.dumps({"steps": [], "facts": 1})):
        with pytest.raises(Rejected, match="unparsable"):
            read_exercise(text)


def masked(made: Exercise) -> str:
    """Return a problem without names, numbers and nouns: those of worlds, and those that the facts name."""
    text = made.problem
    for told in sorted(set(_texts(made.facts)), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(told)}(?:e?s)?(?!\w)", "N", text, flags=re.IGNORECASE)
    text = re.sub(r"-?\d+(?:[./]\d+)*", "#", _world_words().sub("N", text))
    return re.sub(r"([#N])(?:(?:,? and|,) \1)+", r"\1", text)


@cache
def _world_words() -> re.Pattern[str]:
    words = {text for text in _texts(worlds()) if len(text) < 40}
    return re.compile(
        "|".join(rf"\b{re.escape(word)}\b" for word in sorted(words | set(map(plural, words)), key=len, reverse=True)), re.IGNORECASE
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _texts(part)]


@pytest.mark.parametrize("topic", TOPICS)
def test_problems_have_many_skeletons(topic: str) -> None:
    """Of 60 problems without names, numbers and nouns nearly all differ: with 200 alike, 52 would."""
    assert len({masked(made) for made in exercises(topic, 60)}) >= 48


@pytest.mark.full
@pytest.mark.parametrize("topic", TOPICS)
def test_two_hundred_skeletons_in_1250(topic: str) -> None:
    assert len({masked(made) for made in exercises(topic, 1250)}) >= 200


def own_steps(topic: str) -> dict[str, list[str]]:
    own = book(f"families/{topic}").get("steps", {})
    return {kind: own[kind] + (book("steps")["plain"] if not any("{what}" in option for option in own[kind]) else []) for kind in own}


def test_every_step_type_has_twenty_wordings() -> None:
    shared = book("steps")
    kinds = {f"steps.{kind}": [*shared["calc"], *shared[kind]] for kind in ("calc", "add", "sub", "mul", "div")}
    kinds |= {f"steps.{kind}": shared[kind] for kind in ("state", "check", "fraction")}
    for topic in TOPICS:
        kinds |= {f"{topic}.{kind}": options for kind, options in own_steps(topic).items()}
    assert len(kinds) > 10
    assert {kind: count for kind, options in kinds.items() if (count := sum(map(wordings, options))) < 20} == {}


def test_every_slip_is_explained_and_occurs() -> None:
    for topic in TOPICS:
        made = {made.slip.name for made in exercises(topic, 60) if made.slip is not None}
        assert set(book(f"families/{topic}").get("slips", {})) == set(family(topic).slips), topic
        assert len(made) >= min(1, len(family(topic).slips)), topic
    names = Counter(made.slip is not None for topic in TOPICS for made in exercises(topic))
    assert names[True] > names[False]


def test_a_solution_with_an_error_has_a_wrong_line() -> None:
    """An attempt that only stops early, or answers another question, is shown nowhere as one with a wrong line."""
    met = 0
    for topic in TOPICS:
        for made in exercises(topic):
            if made.attempt:
                right = tuple(step.claim.casefold() for step in family(topic).work(made.facts))
                lines = [line.casefold() for line in made.attempt.splitlines() if line.startswith("- ")]
                assert not all(line.endswith(right) for line in lines), (topic, made.attempt)
                met += 1
    assert met > 40


def test_layouts_take_turns_and_connectives_are_rare() -> None:
    layouts: Counter[str] = Counter()
    leads = re.compile("|".join(re.escape(lead.strip().capitalize()) for lead in book("layouts")["connectives"]))
    led = steps = 0
    for topic in TOPICS:
        for made in exercises(topic):
            layouts[made.layout] += 1
            if made.layout == "worked":
                led += len(leads.findall("\n".join(made.steps)))
                steps += sum(1 for part in made.steps for sentence in part.split(". ") if sentence) - 2
    assert set(layouts) == {"worked", "terse", "table", "tutor", "hints", "cases", "find_error"}
    assert 0 < led <= 0.3 * steps


def test_a_solution_has_at_most_one_closer() -> None:
    """Where the last sentence only says the answer, no sentence before it has said it as a result already."""
    twice = Counter[str]()
    for topic in TOPICS:
        words = book(f"families/{topic}")
        closers = [*book("layouts")["closers"], *words.get("closers", ()), *words.get("endings", ())]
        for made in exercises(topic):
            *before, last = [said for said in sentences("\n".join(made.steps)) if said.strip()]
            is_closer = any(re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", re.escape(closer)), last) for closer in closers)
            if is_closer and re.search(rf"(?<!\w){re.escape(made.answer)}[.*`]*$", before[-1]) and not re.search("[=?]|now", before[-1]):
                twice[topic] += 1
    assert twice.total() <= 0.005 * len(TOPICS) * SEEDS, twice


def test_both_sides_of_an_equation_are_checked() -> None:
    seen = 0
    for made in exercises("linear_equations"):
        if "d" in made.facts and made.layout != "hints":
            x = int(made.answer.partition(" = ")[2])
            sides = [f"{made.facts[a]} × {x} + {made.facts[b]} = {made.facts[a] * x + made.facts[b]}" for a, b in ("ab", "de")]
            assert all(side in "\n".join(made.steps) for side in sides), made.steps
            seen += 1
    assert seen > 5


def test_a_tower_is_measured_in_metres_and_a_syllogism_says_what_follows() -> None:
    for made in exercises("similar_triangles"):
        assert re.fullmatch(r"[\d.]+ metres?", made.answer)
        assert f"{made.facts['c']} metre" in made.problem
    for made in exercises("syllogisms"):
        assert re.fullmatch(r"it (?:follows|does not follow) that (?:all|no|some) .+", made.answer)


def test_a_tutor_praises_only_what_was_said_and_no_connective_meets_another() -> None:
    shared, praised, led = book("layouts"), 0, 0
    leads = "|".join(re.escape(lead.capitalize()) for lead in shared["connectives"])
    for topic in TOPICS:
        for made in exercises(topic):
            text = "\n".join(made.steps)
            led += len(re.findall(rf"(?:{leads})", text))
            assert re.findall(rf"(?:{leads})(?:so|thus|hence|therefore|now|then|next|here|finally)\b", text) == [], (topic, text)
            if made.layout == "tutor":
                tutor = [part.removeprefix("Tutor: ") for part in made.steps if part.startswith("Tutor: ")]
                assert len(tutor) * 2 == len(made.steps), text
                assert not set(shared["tutor"]["praise"]) & set(re.split(r"(?<=\.) ", tutor[0] + " " + tutor[1])), text
                assert all(len(part) > len("Tutor: ") for part in made.steps), text
                praised += sum(turn.startswith(tuple(shared["tutor"]["praise"])) for turn in tutor)
    assert min(praised, led) > 40


def test_levels_make_longer_solutions() -> None:
    length = Counter[int]()
    for topic in TOPICS:
        for seed in range(12):
            for level in (1, 5):
                length[level] += len("".join(exercise(family(topic), level, str(seed), {}).steps))
    assert length[5] > 1.3 * length[1]


def test_a_knob_can_be_turned() -> None:
    made = family("arithmetic_story")
    assert len(made.draw(Chance.of("a", 1, made.knobs, {"moves": 4}))["moves"]) == 4
    assert len(made.draw(Chance.of("a", 1, made.knobs, {}))["moves"]) == 1


@pytest.mark.parametrize(
    ("word", "one", "many"),
    [
        ("orange", "an orange", "oranges"), ("hour", "an hour", "hours"), ("unit", "a unit", "units"), ("box", "a box", "boxes"),
        ("box of tea", "a box of tea", "boxes of tea"), ("loaf", "a loaf", "loaves"),
        ("European city", "a European city", "European cities"),
        ("pair of trousers", "a pair of trousers", "pairs of trousers"), ("day", "a day", "days"),
        ("8-sided die", "an 8-sided die", "8-sided dice"),
        ("one-way street", "a one-way street", "one-way streets"), ("child", "a child", "children"),
    ],
)  # fmt: skip
def test_articles_and_plurals(word: str, one: str, many: str) -> None:
    assert (with_article(word), plural(word)) == (one, many)
    assert (f"{Noun(word)}", f"{Noun(word):a}", f"{Noun(word):s}") == (word, one, many)
    assert (f"{Number(1)}", f"{Number(1):more day}", f"{Number(3):more day}", with_noun(Number(20), "%")) == (
        "1",
        "1 more day",
        "3 more days",
        "20%",
    )


if __name__ == "__main__":
    PINNED.write_text("{\n" + ",\n".join(f" {json.dumps(topic)}: {json.dumps(made_now(topic))}" for topic in TOPICS) + "\n}\n", "utf-8")
