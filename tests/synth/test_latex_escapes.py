"""LaTeX inside JSON: which backslashes are meant as themselves, and what stays as it is written."""

import json
from typing import Any

import pytest

from synth.latex_escapes import repaired_latex


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'{"a": "\frac{1}{2}, \beta"}', {"a": r"\frac{1}{2}, \beta"}),
        (r'{"a": "\(x\), \alpha and \underline{y}"}', {"a": r"\(x\), \alpha and \underline{y}"}),
        (r'{"a": "say \"so\" \/ \\ \u00e9"}', {"a": 'say "so" / \\ é'}),
        (r'{"a": "one\ntwo\t3\r"}', {"a": "one\ntwo\t3\r"}),
        (r'{"a": "\nabla f \times \right)"}', {"a": r"\nabla f \times \right)"}),
        (r'{"a": "$\nu$ and\nu, \(\to\) and\to"}', {"a": "$\\nu$ and\nu, \\(\\to\\) and\to"}),
        (r'{"a": "\b \f"}', {"a": "\b \f"}),
        ('{"a": [1, 2,], }', {"a": [1, 2]}),
        ('{"a": "1, ] and , }", "b": 2}', {"a": "1, ] and , }", "b": 2}),
    ],
)
def test_a_reply_is_read_as_it_was_meant(written: str, read: dict[str, Any]) -> None:
    assert json.loads(repaired_latex(written)) == read


def test_what_is_sound_stays_as_it_is_written() -> None:
    sound = json.dumps({"a": r"\frac{1}{2} \(x\)", "b": ["one\ntwo", '"quoted"'], "c": "é\u2028"})
    assert repaired_latex(sound) == sound
