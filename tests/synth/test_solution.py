"""What a solution must show: equations that hold, and steps that reach the answer."""

import pytest

from synth.solution import require_computed
from synth.task import Rejected


def test_an_answer_that_the_steps_reach_passes() -> None:
    require_computed("A shelf holds 3 rows of 4 cups.", "3 * 4 = 12\nSo there are 12 cups.", "12 cups")


@pytest.mark.parametrize(
    ("steps", "answer", "rule"),
    [
        ("There are twelve cups.", "12", "unchecked"),
        ("3 * 4 = 13", "13", "wrong_step"),
        ("3 * 4 = 12", "17", "unsupported_answer"),
    ],
)
def test_what_is_not_shown_is_refused(steps: str, answer: str, rule: str) -> None:
    with pytest.raises(Rejected) as rejected:
        require_computed("A shelf holds 3 rows of 4 cups.", steps, answer)
    assert rejected.value.rule == rule
