"""The lab's change to a recipe: one parameter of one filter has another value, and every other line stays as it is."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.inspect.rules import RunRules
from pipelines.serve.lab import changed_recipe
from tests.meeting import meets, met

FILTERS = ("gopher_quality", "gopher_quality_dclm", "gopher_quality_dolma")
LINES = ("min_words = 40", "  min_words=7  # few", "max_words = 900 # many", "# a remark", "")


@st.composite
def recipes(draw: Any) -> str:
    """Filters one after the other that know the same parameters; whatever one leaves out, the next may say."""
    tables = []
    for name in FILTERS:
        chosen = draw(st.lists(st.sampled_from(LINES), max_size=4, unique_by=lambda line: line.split("=")[0].strip() or line))
        lines = draw(st.permutations([f'name = "{name}"', *chosen]))
        tables.append("\n".join([draw(st.sampled_from(["[[filter]]", "[[filter]]  # judges"])), *lines]))
    return "\n".join(tables) + draw(st.sampled_from(["", "\n", "\n[export]\nmin_words = 3\n"]))


@meets(replaced=20, added=16)
@given(recipes(), st.sampled_from(FILTERS), st.sampled_from([("too_few_words", "min_words"), ("too_many_words", "max_words")]))
def test_one_value_changes_and_nothing_else(text: str, name: str, rule: tuple[str, str]) -> None:
    change = changed_recipe(RunRules("own", "", "", (), None, (), (), None, text), {f"{name}.{rule[0]}": 123.0})
    assert change.unknown == ()
    expected = tomllib.loads(text)
    table = next(table for table in expected["filter"] if table["name"] == name)
    known = rule[1] in table
    table[rule[1]] = 123
    assert tomllib.loads(change.text) == expected
    before, after = text.splitlines(), change.text.splitlines()
    assert len(after) == len(before) + (not known)
    assert sum(line not in after for line in set(before)) <= known
    assert ("# few" in text) <= ("# few" in change.text)
    met["replaced" if known else "added"] += 1
