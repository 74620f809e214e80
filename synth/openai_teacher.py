"""The teacher for any OpenAI-compatible endpoint: OpenAI, Azure, vLLM, Ollama, llama.cpp, NIM.

This file knows how to speak to such an endpoint; what differs between them is data (`synth.ask.endpoints`). What is asked again and what it
costs is in `synth.ask.answering`, what its answers mean in `synth.ask.completion` and `synth.ask.failures`, how fast it is asked in
`synth.ask.pace`, and how in batches in `synth.ask.batch`; the client library's own retries are off, and calls do not go through its types.
A set-up that cannot work (a refused key, no credit, an unknown model or parameter) stops the run and names the fix.

The key comes from the environment variable that `key_variable` names. It is in no recipe, request, log or message; if an endpoint echoes
it, it is removed. Every call carries an Idempotency-Key, and one whose end is unknown (a timeout, a killed command) is sent again under the
same, so that an endpoint that heeds it bills it once.

Money: with `input_price` and `output_price` (USD per million tokens) every reply carries its cost.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import openai

from curation.choices import NonNegative, Positive, Share, nearest
from curation.errors import Refused
from synth.ask.answering import Answering, Arrival, Manner, Sender, limit_of, most_prompt_tokens
from synth.ask.batch import BatchLine
from synth.ask.completion import read_error
from synth.ask.desk import Desk, call_name
from synth.ask.endpoints import Endpoint, endpoint_of
from synth.ask.failures import Failure, Where, failure_of
from synth.ask.flow import bounded
from synth.ask.pace import MOST_AT_ONCE, Pacer
from synth.ask.teacher import SETUP, Reply, Request, Teacher

_CHECK_SECONDS = 20.0
"""How long an endpoint may take to list its models."""

_MOST_BYTES = 32 << 20
"""A longer answer is no chat completion."""

_NO_KEY = "none"
"""The key that the client library sends if an endpoint needs none."""

_ANSWER_SECONDS = 2.0
"""With a declared rate, the calls of this many seconds may be under way."""


@dataclass(frozen=True)
class OpenAITeacher(Teacher):
    """A chat model behind an endpoint.

    model              the model's name at the endpoint (Azure: the deployment)
    base_url           the endpoint; for Azure the resource
    azure_api_version  set for an Azure endpoint: the version of its API
    key_variable       environment variable that holds the key; "" if the endpoint needs none (on this machine, unless you name one)
    preset             whose dialect the endpoint speaks, for all that is not given: openai, azure, ollama, vllm, nim, nvidia, llama.cpp
    structured         how JSON is requested: "schema" (strict), "object_schema" (llama.cpp), "nvext" (NIM), "object" or "text"
    limit_name         the endpoint's name for the limit on an answer's tokens
    temperature, max_tokens   replace the task's own values
    requests_per_minute, tokens_per_minute   the limits of your account there, if you know them; without them the pace is found
    concurrency        most simultaneous requests (with requests_per_minute as many as that takes)
    timeout            seconds for one call
    max_attempts       calls for one request while its failures are passing
    first_pause, longest_pause   seconds; see `synth.ask.retrying`
    input_price, output_price    USD per million tokens
    batch              ask through the endpoint's Batch API: answers come within a day, at `batch_discount` of the prices
    batch_discount     what a batch costs, as a share of the prices
    batch_requests     most requests in one batch
    batch_poll         seconds between two looks at a batch
    """

    model: str
    base_url: str | None = None
    azure_api_version: str | None = None
    key_variable: str | None = None
    preset: str | None = None
    structured: Literal["schema", "object_schema", "nvext", "object", "text"] | None = None
    limit_name: Literal["max_tokens", "max_completion_tokens"] | None = None
    temperature: NonNegative | None = None
    max_tokens: Positive | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    timeout: float | None = None
    max_attempts: int = 6
    first_pause: NonNegative = 1.0
    longest_pause: NonNegative = 60.0
    input_price: float | None = None
    output_price: float | None = None
    batch: bool = False
    batch_discount: Share = 0.5
    batch_requests: int = 5000
    batch_poll: float = 30.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        parts = urlsplit(self.endpoint.base_url)
        if parts.scheme not in ("http", "https") or parts.username or parts.password or parts.query:
            raise ValueError("base_url must be http(s)://host/path without user, password or query; keys come from key_variable")
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency", "max_attempts", "timeout", "batch_requests", "batch_poll"):
            limit = getattr(self, name)
            if limit is not None and limit <= 0:
                raise ValueError(f"{name} must be positive")
        if (self.input_price is None) != (self.output_price is None) or min(self.input_price or 0, self.output_price or 0) < 0:
            raise ValueError("give both input_price and output_price, in USD per million tokens, or neither")

    @cached_property
    def endpoint(self) -> Endpoint:
        """The endpoint, by its preset and what is stated here."""
        return endpoint_of(self.preset, vars(self))

    @property
    def asked_model(self) -> str:
        """The model's name at its endpoint."""
        return self.model

    def identity(self) -> Mapping[str, Any]:
        """Return the endpoint and the way it is called."""
        return {
            "name": self.name(),
            "endpoint": self.endpoint.base_url.rstrip("/"),
            "azure_api_version": self.endpoint.azure_api_version,
            "structured": self.endpoint.structured,
        }

    def parameters(self) -> Mapping[str, Any]:
        """Return the recipe's temperature and limit, if it sets them."""
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in own.items() if value is not None}

    def worst_cost(self, request: Request) -> float | None:
        """Return the most that a request may cost: an answer, and the longer one requested after it."""
        limit, most = limit_of(request), most_prompt_tokens(request)
        one, longer = self.price(most, limit), self.price(most, 2 * limit)
        return None if one is None or longer is None else one + longer

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the cost of these tokens in USD; None if prices are unknown."""
        if self.input_price is None or self.output_price is None:
            return None
        share = self.batch_discount if self.batch else 1.0
        return share * (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1e6

    async def ask(self, requests: Iterable[Request], desk: Desk) -> AsyncIterator[tuple[Request, Reply]]:
        """Yield a reply for every request that is sent. Raises Refused where the key's variable is not set."""
        key = self._key()
        manner = Manner(self.where, key, self.max_attempts, self.first_pause, self.longest_pause, self.price)
        pacer = desk.pacer(self.endpoint.base_url, self.model, self._new_pacer)
        http = openai.DefaultAioHttpClient(timeout=None)
        async with self._client(key, http) as client:
            line = await self._batches(client, desk) if self.batch else _Line(self, client, http).send
            answering = Answering(line, manner, pacer, desk)
            async for pair in bounded(requests, answering.answer, answering.worst, lambda: pacer.allowed, desk.budget, not self.batch):
                yield pair

    def _new_pacer(self) -> Pacer:
        if self.batch:
            return Pacer(inf, None, self.batch_requests)
        needed = min(MOST_AT_ONCE, round((self.requests_per_minute or 0) / 60 * _ANSWER_SECONDS))
        return Pacer(self.requests_per_minute, self.tokens_per_minute, self.concurrency or max(self.endpoint.concurrency, needed))

    async def _batches(self, client: openai.AsyncOpenAI, desk: Desk) -> Sender:
        """Return the line through the Batch API, after what ended commands left there was collected. Raises Refused."""
        if desk.folder is None:
            raise Refused(f"teacher {self.label}: batch = true needs a log of replies, because a batch outlives its command")
        line = BatchLine(client, self.where, desk.folder / "batches", self.batch_requests, self.batch_poll)
        try:
            await line.collect(desk)
        except (Failure, openai.OpenAIError) as error:
            told = error.detail if isinstance(error, Failure) else error
            raise Refused(
                f"teacher {self.label}: the batch of an ended command cannot be read ({told}); try the same command later"
            ) from error

        def send(request: Request, limit: int, call: int, known: int) -> Awaitable[Arrival]:
            del known
            return line.send(call_name(request.key, call), self.body(request, limit))

        return send

    def body(self, request: Request, limit: int) -> dict[str, Any]:
        """Return a call as the endpoint wants it."""
        others = {name: value for name, value in request.parameters.items() if name != "max_tokens"}
        asked = {"model": request.model, "messages": list(request.messages), self.endpoint.limit_name: limit}
        return {**asked, **others, **self.endpoint.asking(request.task, request.schema)}

    @property
    def where(self) -> Where:
        """Words about the endpoint for messages."""
        return Where(self.endpoint.base_url, self.model, self.endpoint.key_variable, self.endpoint.timeout)

    def check(self) -> None:
        """Ask the endpoint which models it has.

        Raises Refused where the key is missing or refused, there is no such model, or the endpoint cannot be reached.
        """
        asyncio.run(self._check())

    async def _check(self) -> None:
        async with self._client(self._key(), openai.DefaultAioHttpClient()) as client:
            try:
                models = {model.id async for model in client.with_options(timeout=_CHECK_SECONDS).models.list()}
            except openai.APIStatusError as error:
                failure = _status_failure(error, self.where)
                if failure.error in SETUP and error.status_code not in (404, 405):
                    raise Refused(f"teacher {self.label}: {failure.detail}") from error
                return  # the endpoint lists no models, so only asking could tell
            except openai.APIConnectionError as error:
                raise Refused(f"teacher {self.label}: {self.endpoint.base_url} cannot be reached: {error.__cause__ or error}") from error
            except Exception:  # whatever it sends instead of a list, only asking could tell
                return
        if (
            models
            and self.endpoint.azure_api_version is None
            and not self.endpoint.any_model
            and not {self.model, f"{self.model}:latest"} & models
        ):
            raise Refused(
                f"teacher {self.label}: {self.endpoint.base_url} has no model {self.model!r}{nearest(self.model, sorted(models))}"
            )

    def _key(self) -> str:
        variable = self.endpoint.key_variable
        key = os.environ.get(variable, "").strip() if variable else ""
        if variable and not key:
            raise Refused(f"teacher {self.label}: set the environment variable {variable} to the key of {self.endpoint.base_url}")
        return key

    def _client(self, key: str, http: openai.DefaultAioHttpClient) -> openai.AsyncOpenAI:
        endpoint = self.endpoint
        common: dict[str, Any] = {"api_key": key or _NO_KEY, "max_retries": 0, "timeout": endpoint.timeout, "http_client": http}
        if endpoint.azure_api_version is not None:
            return openai.AsyncAzureOpenAI(azure_endpoint=endpoint.base_url, api_version=endpoint.azure_api_version, **common)
        return openai.AsyncOpenAI(base_url=endpoint.base_url, **common)


class _Line:
    """The line to an endpoint: it sends one call, and returns what arrives.

    Calls use the client library's connections and headers. They bypass its layers for options, types and retries, which take several times
    as long as everything else.
    """

    def __init__(self, teacher: OpenAITeacher, client: openai.AsyncOpenAI, http: openai.DefaultAioHttpClient) -> None:
        """Take a client, and the connections that it uses."""
        self._endpoint, self._body, self._http = teacher.endpoint, teacher.body, http
        self._azure = teacher.endpoint.azure_api_version is not None
        path = f"deployments/{quote(teacher.model, safe='')}/chat/completions" if self._azure else "chat/completions"
        self._url = client.base_url.join(path).copy_merge_params({name: str(value) for name, value in client.default_query.items()})
        headers = {**client.default_headers, **client.auth_headers}
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}

    async def send(self, request: Request, limit: int, call: int, known: int) -> Arrival:
        """Send a call and return what comes. Raises Failure where no whole answer arrives."""
        del call
        endpoint = self._endpoint
        asked = json.dumps(self._body(request, limit), ensure_ascii=False).encode("utf-8", "replace")
        headers = {**self._headers, "Idempotency-Key": call_name(request.key, known + 1)}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(endpoint.timeout),
                # to another host, a redirect would carry Azure's header with the key along
                self._http.stream("POST", self._url, content=asked, headers=headers, follow_redirects=not self._azure) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise Failure(
                            "bad_response", f"{endpoint.base_url} sent an answer of more than {_MOST_BYTES >> 20} MiB", None, True
                        )
                return Arrival(answer.status_code, answer.headers, bytes(body))
        except Failure:
            raise
        except TimeoutError:
            told = f"no answer within {endpoint.timeout:g} seconds; raise timeout or lower concurrency"
            raise Failure("timeout", told, None, True) from None
        except Exception as error:  # whatever breaks between us and the endpoint is a failure of this call
            told = f"{endpoint.base_url} cannot be reached or broke off: {error.__cause__ or error}"
            raise Failure("server", told, None, True) from None


def _status_failure(error: openai.APIStatusError, where: Where) -> Failure:
    return failure_of(error.status_code, read_error(error.response.content), error.response.headers, where)
