"""One page of hard cases, whole: powers and formulas in every way that pages write them, code with numbers beside it, tables, lists, ruby.

The page was written for this test. Its text and its Markdown stand beside it; whoever changes them on purpose reads them and writes them
anew. What a reader must find, however the rest may change, is said here once more.
"""

from pathlib import Path

import pytest

from curation.ingest.extraction import extractor_named

PAGES = Path(__file__).parent / "pages"
HARD = (PAGES / "hard.html").read_text("utf-8")


@pytest.mark.parametrize(("form", "expected"), [("text", "hard.txt"), ("markdown", "hard.md")])
def test_the_hard_page_is_written_as_its_golden_text(form, expected):
    assert extractor_named("blocks")(format=form).extract(HARD).text + "\n" == (PAGES / expected).read_text("utf-8")


@pytest.mark.parametrize(
    "told",
    [
        "6.02 × 10^{23}",
        "9.1 × 10^{−31} kg, and water is H_2O",
        "x − y",
        "x_{i+1}",
        "2^n ≠ n^2",
        "On the 3rd of May",
        r"$\frac{−b±\sqrt{b^2−4ac}}{2a}$",
        r"$e^{i\pi} + 1 = 0$, which",
        "Drawn alone: $x^2$ stays",
        "$F = m a$ is Newton's law",
        r"$\int_0^1 x^2\,dx = \frac{1}{3}$ and $a_i$.",
        r"MathJax 3: $v=\frac{s}{t}$ is",
        "def cool(t):\n    for i in range(3):\n        print(t * 0.5 ** i)\n",
        "\nconst g = 9.81;\nconsole.log(g < 10);\n",
        'fn main() {\n    println!("ok");\n}\n',
        "\nspeed = 9.81\nprint(speed)\n",
        "Substance | Point | Remark\n--- | --- | ---\nWater | 100 |\nEthanol | 78 | at sea level\nHelium | |\n",
        "3. Weigh the water.\n  a. Use a dry cup.\n",
        "9. Wait.",
        "the rate of cooling is proportional",
        "漢(kan)字(ji)",
    ],
)
def test_what_a_reader_must_find(told):
    assert told in extractor_named("blocks")().extract(HARD).text


@pytest.mark.parametrize("furniture", ["great post lol", "Ten cups you must own", "Privacy", "Copy", "1 speed"])
def test_what_no_reader_came_for(furniture):
    assert furniture not in extractor_named("blocks")().extract(HARD).text


def test_code_elsewhere_on_a_page_breaks_no_table_that_has_a_caption():
    table = "<table><caption>Boiling points</caption><tr><th>Body</th><th>Point</th></tr><tr><td>Water</td><td>100</td></tr></table>"
    prose = "<p>This lesson explains how a warm body cools, and why it does so slowly at the end.</p>"
    page = f"<main>{prose}<pre>one line of code\nand another\n</pre>{prose}{table}{prose}</main>"
    assert "Body | Point\n--- | ---\nWater | 100\n" in extractor_named("blocks")().extract(page).text
