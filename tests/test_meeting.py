"""Every property test says what its examples must hold, and counts it: one that meets nothing passes whatever the code does."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.meeting import meets, met

TESTS = Path(__file__).parent


def decorators(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        yield called.id if isinstance(called, ast.Name) else "", decorator


def counts_nothing(source: str) -> list[str]:
    """Return the property tests of a file that ask for nothing, or do not count what they ask for."""
    found = []
    for function in ast.walk(ast.parse(source)):
        named = dict(decorators(function)) if isinstance(function, ast.FunctionDef) else {}
        if "given" in named:
            asked = {keyword.arg: ast.literal_eval(keyword.value) for keyword in getattr(named.get("meets"), "keywords", [])}
            counts = any(isinstance(node, ast.Name) and node.id == "met" for node in ast.walk(function))
            if not (asked and min(asked.values()) > 0 and counts):
                found.append(function.name)
    return found


def test_every_property_test_counts_what_it_met() -> None:
    missing = {str(path.relative_to(TESTS)): names for path in sorted(TESTS.rglob("*.py")) if (names := counts_nothing(path.read_text()))}
    assert missing == {}, "these need @meets above @given, with a count of what their examples hold"


@pytest.mark.parametrize(
    "written",
    ["@given(x)\ndef f(x): met['a'] += 1", "@meets(a=0)\n@given(x)\ndef f(x): met['a'] += 1", "@meets(a=1)\n@given(x)\ndef f(x): pass"],
)
def test_one_that_counts_nothing_is_found(written: str) -> None:
    assert counts_nothing(written) == ["f"]
    assert counts_nothing("@meets(a=1)\n@given(x)\ndef f(x): met['a'] += 1") == []


def test_too_few_examples_fail_the_test() -> None:
    @meets(even=10)
    @given(st.integers())
    def counted(number: int) -> None:
        met["even"] += number % 2 == 0

    @meets(huge=1)
    @given(st.integers(0, 9))
    def never(number: int) -> None:
        met["huge"] += number > 9

    counted()
    with pytest.raises(AssertionError, match=r"held only {'huge': 0} of {'huge': 1}"):
        never()
