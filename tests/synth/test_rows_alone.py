"""A run that makes rows and reads nothing: every word about it is of rows; and one in which no reply became a row fails and says so."""

import json
import re
from pathlib import Path

import pytest

from tests.endpoint import completion, serving
from tests.running import curate

FEW = ("--set", 'synthesize.tasks=[{name="worked_problem",count=60}]')


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rows") / "out"
    curate("run", "reasoning", *FEW, "--out", out, "--quiet")
    return out


def test_card_report_and_verification_speak_of_rows_and_count_verdicts(run: Path) -> None:
    funnel = json.loads(curate("inspect", run, "--json"))
    kept = funnel["synthetic"]["kept"]["documents"]
    assert funnel["dataset"]["verdicts"] == {"proved": kept}
    assert "The books balance: 60 generated rows, each with one fate." in curate("verify", run)
    card = (run / "dataset" / "README.md").read_text()
    assert f"| Generated rows by verdict | {kept} proved |" in card
    assert "| Stage | Rule | Rows |" in card and f"| worked_problem | 60 | {kept} |" in card
    told = card.partition("## Columns")[0] + card.partition("## Sources")[2]
    assert not re.search(r"\b(?:documents?|records?)\b", told, re.IGNORECASE), re.findall(r".*(?:ocument|ecord).*", told)
    report = (run / "report.html").read_text()
    said = " ".join(re.sub(r"<(style|svg)\b.*?</\1>|<[^>]+>", " ", report, flags=re.DOTALL).split())
    assert "of 60 rows asked for" in said and f"by verdict: {kept} proved" in said
    assert not re.search(r"\b(?:documents?|records?)\b", said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("I can't help with that.", "refused"),
        ("<think>Hm, I am sorry to say so.</think>I’m sorry, but I must decline to write this.", "refused"),
        ("Writing this would be against my content policy.", "refused"),
        ("The sorry tale of a bridge.", "unparsable"),
        ('{"title": "A", "problem": "I can\'t help with that.", "steps": ["1 + 1 = 2."], "answer": "2"}', "meta_talk"),
    ],
)
def test_a_run_without_a_sound_reply_fails_and_says_why(reply: str, rule: str, tmp_path: Path) -> None:
    with serving(lambda body, _: completion(reply)) as endpoint:
        teacher = f'{{name="openai",model="m",base_url="{endpoint.url}",key_variable=""}}'
        settings = ("--set", f"synthesize.teacher={teacher}", "--set", 'synthesize.tasks=[{name="worked_problem",count=3}]')
        said = curate("run", "reasoning", *settings, "--out", tmp_path / "out", "--quiet", code=1)
        again = curate("run", "reasoning", *settings, "--out", tmp_path / "out", "--quiet", "--json", code=1)
    assert f"none of 3 replies became a row: {rule} 3" in " ".join(said.split())
    assert "none of 3 replies became a row" in again
    assert len(endpoint.bodies) == 3
    assert "The books balance" in curate("verify", tmp_path / "out")
