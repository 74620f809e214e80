"""`curate why` tells what moved the educational score, asking the run's own model and no other."""

import json
import shutil
from pathlib import Path

import pytest

from filters.educational_score import EducationalScore
from tests.running import reworded
from tests.verbs import call

LESSON, SHOP = (example[0] for example in EducationalScore.examples[:2])
RECIPE = '[[filter]]\nname = "educational_score"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    texts = {"lesson": LESSON, "mixed": f"{LESSON} " * 6 + f"{SHOP} \x1b[31m" * 12, "short": "Too short."}
    (folder / "in.jsonl").write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items()))
    (folder / "recipe.toml").write_text(RECIPE)
    assert call("run", folder / "recipe.toml", folder / "in.jsonl", "--out", folder / "run").code == 0
    return folder / "run"


def told(run: Path, name: str, *options: object) -> dict:
    said = call("why", run, name, "--json", *options)
    assert said.code == 0, said
    found = json.loads(said.out)[0]
    return {**(found["score"] or {}), "signals": found["signals"]}


def test_words_windows_and_the_best_span(made: Path) -> None:
    found = told(made, "mixed")
    assert len(found["windows"]) == 3
    assert max(found["windows"]) == found["best"]["value"] == found["signals"]["educational_score.score_max"]
    assert sum(found["windows"]) / 3 == pytest.approx(found["signals"]["educational_score.score"], abs=1e-4)
    assert "A function maps" in found["best"]["excerpt"]
    assert "function" in [word["words"] for word in found["raised"]]
    assert "free" in [word["words"] for word in found["lowered"]]
    said = " ".join(call("why", made, "mixed").out.split())
    assert "What moved the educational score" in said
    assert "× " in said
    assert "\x1b[31m" not in said


def test_what_has_no_score_is_not_told(made: Path) -> None:
    assert told(made, "short").keys() == {"signals"}
    assert "What moved" not in call("why", made, "short").out


def test_only_the_model_of_the_run_is_asked(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    shipped = Path(EducationalScore.__module__.split(".")[0], "models", "edu.safetensors").resolve()
    mine = shutil.copy(shipped, tmp_path / "mine.safetensors")
    shutil.copy(shipped.with_suffix(".json"), tmp_path / "mine.json")

    def named(name: str, sha256: str | None = None) -> None:
        reworded(run / "rules.json", lambda rules: rules["models"][0].update(model=name, **({"sha256": sha256} if sha256 else {})))

    for name in ("mine.safetensors", str(mine), "/etc/passwd"):
        named(name)
        assert "--model" in told(run, "lesson")["fault"]
        assert told(run, "lesson", "--model", mine)["best"] is not None
    for name in ("filters:../pyproject.toml", "filters:../../../../etc/passwd"):
        named(name)
        assert "outside the package" in told(run, "lesson")["fault"]
    named("filters:models/edu.safetensors", "0" * 64)
    found = told(run, "lesson")
    assert "SHA-256" in found["fault"]
    assert found["windows"] == []
    assert "cannot be asked" in call("why", run, "lesson").out


def test_a_run_of_before_models_were_noted_is_told_as_ever(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    reworded(run / "rules.json", lambda rules: rules.pop("models"))
    assert told(run, "lesson").keys() == {"signals"}
