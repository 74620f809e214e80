"""`plan` finds out what `run` would stumble over (plug-ins, keys, endpoints, models) and ends with the same exit code."""

import json
import re
import socket
from pathlib import Path

import pytest

from curation.errors import Refused
from synth.openai_teacher import OpenAITeacher
from tests.endpoint import Answer, completion, failure, models, serving
from tests.running import curate, many_files

KEY = "PLAN_TEST_KEY"


def recipe(folder: Path, url: str, model: str = "small", key: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f'[synthesize]\ntasks = [{{ name = "grounded_question", count = 2 }}]\nseeds = {{ min_bytes = 1 }}\n[synthesize.teacher]\n'
        f'name = "openai"\nmodel = "{model}"\nbase_url = "{url}"\nkey_variable = "{key}"\nmax_attempts = 1\n'
    )
    return path


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_files(tmp_path_factory.mktemp("plan") / "texts", files=2)


def test_plan_counts_with_denominators_and_names_who_answers(tmp_path: Path, texts: Path) -> None:
    with serving(lambda body, number: completion("{}")) as endpoint:
        endpoint.models = models("large", "small")
        printed = curate("plan", recipe(tmp_path, endpoint.url), texts)
        plan = json.loads(curate("plan", recipe(tmp_path, endpoint.url), texts, "--json"))
    assert re.search(r"done already +0 of \d+ units of input\n", printed)
    assert re.search(r"kept of sample +24 of 26 records \(92\.3%\)\n", printed)
    assert re.search(r"teachers ready +openai:small\n", printed)
    assert re.search(r"\nreading the input +[\d.]+ ", printed)
    assert (plan["sample_records"], plan["sample_kept"], plan["checked"]) == (26, 24, ["openai:small"])
    assert not endpoint.bodies, "a plan asks for nothing that costs"


def test_plan_ends_as_the_run_would_where_key_model_or_endpoint_is_wrong(tmp_path: Path, texts: Path) -> None:
    with serving(lambda body, number: failure(404, "no such model")) as endpoint:
        endpoint.models = models("large", "smaller")
        wrong = recipe(tmp_path, endpoint.url)
        assert "has no model 'small'; did you mean 'smaller'?" in curate("plan", wrong, texts, code=3)
        assert "has no model 'small'" in curate("run", wrong, texts, "--out", tmp_path / "out", code=3)
        keyless = recipe(tmp_path, endpoint.url, key=KEY)
        assert f"set the environment variable {KEY}" in curate("plan", keyless, texts, code=3)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = recipe(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        assert "cannot be reached" in curate("plan", nobody, texts, code=3)


def test_plan_ends_as_the_run_would_where_a_plug_in_is_wrong(tmp_path: Path, texts: Path) -> None:
    (tmp_path / "broken.py").write_text("import nowhere_at_all\n")
    (tmp_path / "mine.toml").write_text(f'[[filter]]\nfile = "{tmp_path}/broken.py"\n')
    told = [curate(*verb, tmp_path / "mine.toml", texts, "--out", tmp_path / "out", code=2) for verb in (["plan"], ["run"])]
    assert told[0] == told[1]
    assert "nowhere_at_all" in told[0]


def check(answer: Answer, monkeypatch: pytest.MonkeyPatch, **parameters: object) -> list[dict[str, str]]:
    monkeypatch.setenv(KEY, "secret-key")
    with serving(lambda body, number: completion("{}")) as endpoint:
        endpoint.models = answer
        OpenAITeacher(model="small", base_url=endpoint.url, key_variable=KEY, **parameters).check()  # type: ignore[arg-type]
    return endpoint.headers


def test_an_endpoint_is_asked_with_the_key_and_may_list_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (models("small"), models("small:latest"), models(), failure(404), failure(429), failure(503)):
        (headers,) = check(answer, monkeypatch)
        assert headers["authorization"] == "Bearer secret-key"
    (headers,) = check(models("base"), monkeypatch, azure_api_version="2024-10-21")
    assert headers["api-key"] == "secret-key", "a deployment is in no list"


def test_a_refused_key_and_a_silent_endpoint_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=rf"refuses the key in \${KEY} \(401\)"):
        check(failure(401, "bad key"), monkeypatch)
    with pytest.raises(Refused, match="has no model 'small'; there are: a, b"):
        check(models("a", "b"), monkeypatch)
    with pytest.raises(Refused, match="cannot be reached"):
        check(Answer(body=b"x" * 100, cut=True), monkeypatch)
