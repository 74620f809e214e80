"""Each preset against a loopback server that speaks its dialect: names of limits, ways to ask for JSON, thoughts, errors, keys."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from curation.errors import RecipeError, Refused
from synth.ask.desk import Desk
from synth.ask.endpoints import endpoint_of, is_local, presets
from synth.ask.teacher import Reply, Request, build_teacher
from synth.openai_teacher import OpenAITeacher
from tests.endpoint import Answer, completion, failure, models, serving

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
GOOD = '{"a": 1}'
TOO_LONG = failure(400, "This model's maximum context length is 4096 tokens.", "context_length_exceeded")
UNKNOWN = failure(404, "The model `m` does not exist", "model_not_found")
STRICT = {"type": "json_schema", "json_schema": {"name": "t", "schema": SCHEMA, "strict": True}}


@dataclass(frozen=True)
class Dialect:
    """How an endpoint speaks: what a call must hold and must not, its header with the key, the field of thoughts, its errors."""

    model: str
    limit: str
    asked: Mapping[str, Any]
    thoughts: str = "reasoning_content"
    header: tuple[str, str] | None = None
    path: str = "/v1/chat/completions"
    listed: tuple[str, ...] | None = None
    too_long: Answer = TOO_LONG
    unknown: Answer = UNKNOWN


def vllm_error(status: int, message: str) -> Answer:
    kind = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status}
    return Answer(status, json.dumps(kind).encode())


LLAMA_TOO_LONG = {
    "error": {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9000,
        "n_ctx": 4096,
    }
}
DIALECTS = {
    "openai": Dialect("gpt-4o-mini", "max_completion_tokens", {"response_format": STRICT}, header=("authorization", "Bearer sk")),
    "azure": Dialect(
        "deployed",
        "max_tokens",
        {"response_format": STRICT},
        header=("api-key", "sk"),
        path="/openai/deployments/deployed/chat/completions?api-version=2024-10-21",
        unknown=failure(404, "The API deployment for this resource does not exist.", "DeploymentNotFound"),
    ),
    "ollama": Dialect(
        "phi3",
        "max_tokens",
        {"response_format": STRICT},
        thoughts="reasoning",
        listed=("phi3:latest", "llama3.2:1b"),
        unknown=failure(404, 'model "phi3" not found, try pulling it first'),
    ),
    "vllm": Dialect(
        "microsoft/phi-4",
        "max_tokens",
        {"response_format": STRICT},
        too_long=vllm_error(400, "This model's maximum context length is 4096 tokens. However, you requested 9100 tokens."),
        unknown=vllm_error(404, "The model `microsoft/phi-4` does not exist."),
    ),
    "nim": Dialect(
        "meta/llama-3.1-8b-instruct",
        "max_tokens",
        {"nvext": {"guided_json": SCHEMA}},
        unknown=Answer(404, b'{"detail": "model meta/llama-3.1-8b-instruct not found"}'),
    ),
    "nvidia": Dialect(
        "meta/llama-3.1-8b-instruct",
        "max_tokens",
        {"nvext": {"guided_json": SCHEMA}},
        header=("authorization", "Bearer sk"),
        unknown=Answer(404, b'{"status": 404, "title": "Not Found", "detail": "Function not found for account"}'),
    ),
    "llama.cpp": Dialect(
        "phi3",
        "max_tokens",
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        listed=("../models/Phi-3-mini-4k-instruct-q4.gguf",),
        too_long=Answer(400, json.dumps(LLAMA_TOO_LONG).encode()),
        unknown=failure(404, "model not found"),
    ),
}
KEYS = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY", "nvidia": "NVIDIA_API_KEY"}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "NVIDIA_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def speaking(dialect: Dialect, body: Mapping[str, Any]) -> Answer:
    """Answer as such an endpoint does: what it does not know is an error."""
    content = body["messages"][-1]["content"]
    if content == "too long":
        return dialect.too_long
    if content == "unknown":
        return dialect.unknown
    known = {"model", "messages", "temperature", dialect.limit, *dialect.asked}
    strange = set(body) - known
    if strange:
        return failure(400, f"Unsupported parameter: {sorted(strange)}", "unsupported_parameter")
    if body[dialect.limit] != 100 or any(body.get(name) != value for name, value in dialect.asked.items()):
        return failure(400, f"not what this endpoint wants: {json.dumps(body)}")
    return completion(GOOD, **{dialect.thoughts: "let me think"})


def ask(teacher: OpenAITeacher, content: str) -> Reply:
    request = Request("t", {}, ({"role": "user", "content": content},), {"max_tokens": 100, "temperature": 0.5}, teacher.model, {}, SCHEMA)

    async def collect() -> Reply:
        ((_, reply),) = [pair async for pair in teacher.ask([request], Desk())]
        return reply

    return asyncio.run(collect())


@pytest.mark.parametrize("preset", DIALECTS)
def test_a_preset_speaks_its_endpoint_s_dialect(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = DIALECTS[preset]
    if preset in KEYS:
        monkeypatch.setenv(KEYS[preset], "sk")
    with serving(lambda body, _: speaking(dialect, body)) as endpoint:
        endpoint.models = models(*(dialect.listed or (dialect.model,)))
        url = endpoint.url.removesuffix("/v1") if preset == "azure" else endpoint.url
        made = build_teacher({"name": "openai", "preset": preset, "model": dialect.model, "base_url": url, "max_attempts": 1})
        assert isinstance(made, OpenAITeacher)
        made.check()
        reply = ask(made, "hello")
        assert (reply.text, reply.error) == (GOOD, None), reply
        assert ask(made, "too long").error == "context_too_long"
        assert ask(made, "unknown").error == "setup"
    assert endpoint.paths[1] == dialect.path
    if dialect.header is not None:
        assert endpoint.headers[1][dialect.header[0]] == dialect.header[1]


def test_every_preset_is_tried_and_local_ones_need_no_key() -> None:
    assert presets() == sorted(DIALECTS)
    for preset in set(DIALECTS) - set(KEYS):
        local = endpoint_of(preset, {})
        assert (local.key_variable, is_local(local.base_url)) == ("", True)
        assert OpenAITeacher("m", preset=preset)._key() == ""
    for preset, variable in KEYS.items():
        with pytest.raises(Refused, match=variable):
            OpenAITeacher("m", preset=preset, base_url="https://there.example/v1")._key()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://localhost:11434/v1", True), ("http://127.0.0.1/v1", True), ("http://[::1]:8000/v1", True), ("http://10.1.2.3/v1", True),
        ("http://192.168.0.7/v1", True), ("http://ollama:11434/v1", True), ("http://box.local/v1", True),
        ("https://api.openai.com/v1", False), ("http://8.8.8.8/v1", False), ("https://localhost.example.com/v1", False),
    ],
)  # fmt: skip
def test_only_an_address_that_is_local_is_asked_without_a_key(address: str, local: bool) -> None:
    assert is_local(address) == local
    teacher = OpenAITeacher("m", address)
    if local:
        assert teacher._key() == ""
    else:
        with pytest.raises(Refused, match="OPENAI_API_KEY"):
            teacher._key()


def test_a_recipe_s_own_values_come_before_the_preset_s() -> None:
    made = OpenAITeacher("m", preset="llama.cpp", structured="text", concurrency=9, key_variable="MINE")
    assert (made.endpoint.structured, made.endpoint.concurrency, made.endpoint.key_variable) == ("text", 9, "MINE")
    assert made.endpoint.base_url == "http://127.0.0.1:8080/v1"
    assert "response_format" not in made.body(Request("t", {}, (), {}, "m", {}, SCHEMA), 5)
    assert OpenAITeacher("m").endpoint.base_url == "https://api.openai.com/v1"
    other = OpenAITeacher("m", "https://there.example/v1")
    assert (other.endpoint.limit_name, other.endpoint.key_variable) == ("max_tokens", "OPENAI_API_KEY")


def test_a_preset_that_does_not_exist_or_lacks_an_address_is_refused() -> None:
    with pytest.raises(RecipeError, match="no preset 'olama'; did you mean 'ollama'"):
        build_teacher({"name": "openai", "model": "m", "preset": "olama"})
    with pytest.raises(RecipeError, match="needs base_url"):
        build_teacher({"name": "openai", "model": "m", "preset": "azure"})


def test_prices_belong_to_the_preset_s_address() -> None:
    assert build_teacher({"name": "openai", "model": "gpt-4o"}).price(10**6, 0) == 2.5
    assert build_teacher({"name": "openai", "model": "gpt-4o", "preset": "openai"}).price(10**6, 0) == 2.5
    assert build_teacher({"name": "openai", "model": "gpt-4o", "preset": "ollama"}).price(10**6, 0) is None
