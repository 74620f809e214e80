"""Arithmetic on text, forgiving JSON, grounding, and the reading of solutions."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.arithmetic import agrees, equations, numbers, value_of_expression, written
from synth.grounding import require_known_numbers, require_own_words, require_quoted
from synth.instructions import refuse_meta_talk
from synth.loose_json import read_object, text_field, text_list
from synth.procedural.grammar import begun
from synth.procedural.phrasebook import paragraph, sentences, several
from synth.procedural.tiny_python import TinyPython
from synth.solution import Solution, check, same_answer
from synth.task import Rejected
from tests.meeting import meets, met


def found(text: str) -> list[tuple[str, bool]]:
    return [(str(equation), equation.holds) for equation in equations(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so 3 + 5 = 8.", [("3 + 5 = 8", True)]),
        ("then 3 + 5 = 9, and", [("3 + 5 = 9", False)]),
        ("(2 + 3) × 4 = 20 cm", [("(2 + 3) * 4 = 20", True)]),
        ("x = 5 - 2 = 3", [("5 - 2 = 3", True)]),
        ("15% of 80 = 0.15 × 80 = 12", [("0.15 * 80 = 12", True)]),
        ("2 × 1,200 = 2,400 eggs", [("2 * 1200 = 2400", True)]),
        ("10 ÷ 3 = 3.33", [("10 / 3 = 3.33", True)]),
        ("10 ÷ 3 = 3.34", [("10 / 3 = 3.34", False)]),
        ("3² + 4² = 25", [("3**2 + 4**2 = 25", True)]),
        (r"$\frac{1}{2} + \frac{1}{3} = \frac{5}{6}$", [("((1)/(2)) + ((1)/(3)) = ((5)/(6))", True)]),
        ("12 / 5 = 2.4. Then 2.4 + 1 = 3.4", [("12 / 5 = 2.4", True), ("2.4 + 1 = 3.4", True)]),
        ("and -2 + 3 = 1", [("-2 + 3 = 1", True)]),
        ("- 2 + 3 = 5\n* 7 - 1 = 6", [("2 + 3 = 5", True), ("7 - 1 = 6", True)]),
        ("-2 + 3 = 1\n- 2 + 3 = 1", [("-2 + 3 = 1", True), ("2 + 3 = 1", False)]),
        ("2x + 3 = 13", []),
        ("x² - 5x + 6 = 0", []),
        ("y - 3 = 4", []),
        ("2 × 3 = 6 + x", []),
        ("4 × 5 = 20% of", []),
        ("7 = 7", []),
        ("== nothing = here", []),
    ],
)
def test_equations_in_prose(text: str, expected: list[tuple[str, bool]]) -> None:
    assert found(text) == expected


@meets(products=10, several=20, negative=6)
@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 999)), min_size=1, max_size=6), st.integers(0, 999))
def test_an_equation_holds_exactly_if_python_says_so(rest: list[tuple[str, int]], first: int) -> None:
    expression = str(first) + "".join(f" {sign} {number}" for sign, number in rest)
    value = eval(expression)
    (true,) = equations(f"we see that {expression} = {value} holds")
    (false,) = equations(f"we see that {expression} = {value + 1} holds")
    assert true.holds
    assert not false.holds
    met["products"] += "*" in expression
    met["several"] += len(rest) > 1
    met["negative"] += value < 0


PIECES = ["so 1 + 2 = 3 cm", "so 2 × 3 = 7. ", "1/0 = ", " = ", "=", "3", "2 × 3", " so ", "**", "(", "9" * 70]


@meets(true=6, false=5)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=12))
def test_any_text_can_be_searched(parts: list[str]) -> None:
    for equation in equations(" ".join(parts)):
        met["true" if equation.holds else "false"] += 1


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os')",
        "9**9**9",
        "1/0",
        "(" * 300 + "1",
        "1e9",
        "True",
        "a",
        "1,2",
        "2**1000",
        "0x10",
        "'a'*3",
        "1_000",
        "[1]",
        "",
        "9" * 80,
    ],
)
def test_hostile_expressions_have_no_value(hostile: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        value_of_expression(hostile)


@meets(several=20, numbers=10)
@given(
    st.lists(st.sampled_from(["1", "٣", "0", ",", ".", "200", "x", "é", "ß", "÷", "A", "*", "(", "!", "?", " ", "\n", "\t", "a b"])).map(
        "".join
    )
)
def test_quick_searches_find_what_plain_ones_find(text: str) -> None:
    """Searches that are written for speed, beside what they mean."""
    met["several"] += several(text)
    met["numbers"] += len(numbers(text)) > 1
    assert numbers(text) == re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    assert sentences(text) == re.split(r"(?<=[.!?])\s+|\n+", text)
    assert several(text) == (re.search(r"[.!?]\**\s|\n", text) is not None)
    assert paragraph([text, "", text]) == re.sub(
        r" *\n *(?=\n|$)| (?=\n)|(?<=\n\n) ", lambda found: found[0].strip(" "), f"{text} {text}" if text else ""
    )
    beginning = re.match(r"([\"“*(]*)([a-zà-ÿ])(?=[a-zà-ÿ]|(?<=a)\s[a-z])", text)
    assert begun(text) == (text if beginning is None else beginning[1] + beginning[2].upper() + text[beginning.end() :])


@meets(fractions=10, whole=10)
@given(st.fractions(min_value=-1000, max_value=1000, max_denominator=2000))
def test_what_is_written_is_read_back(value: Fraction) -> None:
    assert agrees(value, written(value))
    met["whole" if value.denominator == 1 else "fractions"] += 1


@pytest.mark.parametrize(
    ("stated", "true", "same"),
    [
        ("12 apples", "12", True),
        ("12", "12.0", True),
        ("0.75", "3/4", True),
        ("3/4 of it", "0.75", True),
        ("12 or 13", "12", False),
        ("13", "12", False),
        ("Monday", "monday", True),
        ("x = 3", "x = 3", True),
        ("y = 3", "x = 3", False),
        ("x = -3 or x = 2", "x = -3 or x = 2", True),
        ("x = 3 or x = 2", "x = -3 or x = 2", False),
    ],
)
def test_same_answer(stated: str, true: str, same: bool) -> None:
    assert same_answer(stated, true) is same


def test_a_models_solution_is_checked_by_equations_and_expression() -> None:
    good = Solution(
        "Tiles", "A wall has 4 rows of 6 tiles and 3 more. How many tiles?", ("4 × 6 = 24, and 24 + 3 = 27 tiles.",), "27 tiles", "4*6+3"
    )
    assert check(good) == "equations+expression"
    for wrong, rule in (
        (Solution(good.title, good.problem, ("4 × 6 = 25, and 25 + 3 = 28.",), "28 tiles", "4*6+3"), "wrong_step"),
        (Solution(good.title, good.problem, good.steps, "26 tiles", "4*6+3"), "wrong_answer"),
        (Solution(good.title, good.problem, good.steps, "29 tiles"), "unsupported_answer"),
        (Solution(good.title, good.problem, good.steps, "27 tiles", "import os"), "unparsable"),
    ):
        with pytest.raises(Rejected, match=rule):
            check(wrong)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b"}',
        'Here you are:\n```json\n{"a": "b"}\n```\nGood luck!',
        '```\n{"a": "b",}\n```',
        'I think {"a": "b"} is it.',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    assert read_object(text) == {"a": "b"}


def test_newlines_and_commas_inside_strings_survive() -> None:
    assert read_object('{"code": "x = [1,\n2,]\n",}') == {"code": "x = [1,\n2,]\n"}


@pytest.mark.parametrize("text", ["", "no", "[1]", '{"a": ', "{" * 5000, '{"a": "b"'])
def test_what_is_no_object_is_rejected(text: str) -> None:
    with pytest.raises(Rejected, match="unparsable"):
        read_object(text)


@pytest.mark.parametrize("value", ["", "  ", 3, None, "a\0b", "\ud800"])
def test_fields_must_be_text(value: object) -> None:
    with pytest.raises(Rejected, match="unparsable"):
        text_field({"a": value}, "a")
    with pytest.raises(Rejected, match="unparsable"):
        text_list({"a": [value]}, "a")


PASSAGE = "The kiln reached 1,240 degrees after nine hours. Its bricks “breathe”: they swell, and the door sticks until evening."


def test_quotations_must_stand_in_the_passage() -> None:
    require_quoted(['its bricks "breathe": they  swell'], PASSAGE, 4)
    for evidence in ("the bricks melt in the heat", "nine hours"):
        with pytest.raises(Rejected, match="ungrounded"):
            require_quoted([evidence], PASSAGE, 4)


def test_numbers_must_stand_in_the_passage() -> None:
    require_known_numbers(["It was 1240 degrees."], PASSAGE)
    with pytest.raises(Rejected, match="ungrounded_number"):
        require_known_numbers(["It was 1250 degrees."], PASSAGE)


def test_copying_is_rejected() -> None:
    require_own_words(["Heat makes fired clay expand, and so a door may jam for a while."], PASSAGE, 0.3)
    with pytest.raises(Rejected, match="near_copy"):
        require_own_words([PASSAGE], PASSAGE, 0.3)


@pytest.mark.parametrize("text", ["As an AI language model, I think", "I'm sorry, but no", "I cannot help with that", "Sure! Of course"])
def test_meta_talk_is_rejected(text: str) -> None:
    with pytest.raises(Rejected, match="meta_talk"):
        refuse_meta_talk(text)


def test_talk_about_models_is_no_meta_talk() -> None:
    refuse_meta_talk("A language model assigns a probability to a text. The prompt is what it is given.")


def test_an_expression_may_have_so_many_characters_digits_and_powers() -> None:
    """Each limit from both sides: what is one longer is refused for its length, before it is parsed."""
    ones = "+".join(["1"] * 199)
    assert value_of_expression(ones + "+11") == 210
    assert len(ones + "+111") == 401
    with pytest.raises(ValueError, match="longer than 400 characters"):
        value_of_expression(ones + "+111")
    with pytest.raises(ValueError, match="longer than 400 characters"):
        value_of_expression("(" * 1_000_000 + "1")
    assert value_of_expression("9" * 60) == 10**60 - 1
    with pytest.raises(ValueError, match="not a plain number"):
        value_of_expression("9" * 61)
    assert (value_of_expression("2**64"), value_of_expression("2**-64"), value_of_expression("999999**2")) == (
        2**64,
        Fraction(1, 2**64),
        999_999**2,
    )
    for expression in ("2**65", "2**-65", "1000000**2", "2**0.5"):
        with pytest.raises(ValueError, match="not allowed"):
            value_of_expression(expression)


@meets(doubled=49, lessened=100)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(2, 9))
def test_the_little_evaluator_agrees_with_python(values: list[int], k: int) -> None:
    program = (
        f"def f(numbers):\n    r = {k}\n    for n in numbers:\n        if n % {k} == 0:\n            r = r + n * 2\n"
        "        else:\n            r = r - 1\n    return r"
    )
    scope: dict[str, object] = {}
    exec(program, scope)
    tiny = TinyPython(program, "r")
    assert tiny.call("f", values) == scope["f"](values)  # type: ignore[operator]
    assert len(tiny.seen) == len(values)
    met.update("doubled" if value % k == 0 else "lessened" for value in values)


@pytest.mark.parametrize(
    "program",
    [
        "import os",
        "def f(a):\n    return open(a)",
        "def f(a):\n    r = 0\n    for n in a:\n        r = __import__('os')\n    return r",
        "def f(a):\n    while 1 == 1:\n        a = 1",
        "def f(a):\n    return a[0].bit_length()",
        "f(",
    ],
)
def test_the_little_evaluator_refuses_everything_else(program: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        TinyPython(program).call("f", [1])


@pytest.mark.parametrize(
    "facts",
    [
        {"rectangle": [10_000_000, 10_000_000], "holes": []},
        {"letters": list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "statement": "A"},
        {"n": "9" * 501},
    ],
)
def test_facts_too_large_to_count_are_refused(facts: dict[str, object]) -> None:
    from synth.procedural import are_small

    assert not are_small(facts, 1000)
    assert are_small({"rectangle": [20, 30], "holes": [[2, 3]], "name": "a garden", "nothing": None}, 1000)
