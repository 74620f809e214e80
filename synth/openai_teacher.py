"""The teacher for any OpenAI-compatible endpoint: OpenAI, Azure, vLLM, Ollama, llama.cpp, NIM.

The client's own retries are off: this module decides what is retried and what it may cost. There are three kinds of failure:

    passing   rate, overload, timeout, connection, bad_response   retried after a pause (`synth.retrying`), up to `max_attempts`
    set-up    auth, quota, not_found, schema_rejected             every request would fail: the run stops and names the fix
    final     context_too_long, bad_request, content_filter, truncated   the failure is the reply to this request

An answer cut at `max_tokens` is requested once more with twice the limit; if it is cut again, it is `truncated`. A pause that the endpoint
orders for one request (Retry-After) applies to all, because the others would be refused too.

The key comes from the environment variable that `key_variable` names. It is in no recipe, request, log or message; if an endpoint echoes
it, it is removed.

Money: with `input_price` and `output_price` (USD per million tokens) every reply carries its cost. A call with an unknown outcome (a
timeout, a broken connection, no usage in the answer) counts at its worst case, because it may be billed.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import openai

from curation.choices import nearest
from curation.errors import Refused, UsageError
from curation.storage.digests import canonical
from synth.budget import Budget
from synth.flow import bounded
from synth.retrying import ordered_pause, pause
from synth.teacher import PASSING, SETUP, Reply, Request, Teacher

_OVERHEAD_TOKENS = 64
"""Tokens that a chat format may add to a prompt."""

_DEFAULT_MAX_TOKENS = 2048
_STRUCK_OUT = "[key]"

_CHECK_SECONDS = 20.0
"""How long an endpoint may take to list its models."""


@dataclass(frozen=True)
class OpenAITeacher(Teacher):
    """A chat model behind an endpoint.

    model              the model's name at the endpoint (Azure: the deployment)
    base_url           the endpoint; for Azure the resource
    azure_api_version  set for an Azure endpoint: the version of its API
    key_variable       environment variable that holds the key; "" if the endpoint needs none
    structured         how JSON is requested: "schema" (strict), "object", or "text" for endpoints that support neither
    limit_name         the endpoint's name for the limit on an answer's tokens
    temperature, max_tokens   replace the task's own values
    concurrency        number of simultaneous requests
    timeout            seconds for one call
    max_attempts       calls for one request while its failures are passing
    first_pause, longest_pause   seconds; see `synth.retrying`
    input_price, output_price    USD per million tokens
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    azure_api_version: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    structured: Literal["schema", "object", "text"] = "schema"
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = None
    max_tokens: int | None = None
    concurrency: int = 16
    timeout: float = 120.0
    max_attempts: int = 6
    first_pause: float = 1.0
    longest_pause: float = 60.0
    input_price: float | None = None
    output_price: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or parts.username or parts.password or parts.query:
            raise ValueError("base_url must be http(s)://host/path without user, password or query; keys come from key_variable")
        if self.concurrency < 1 or self.max_attempts < 1 or self.timeout <= 0:
            raise ValueError("concurrency, max_attempts and timeout must be positive")
        if (self.input_price is None) != (self.output_price is None) or min(self.input_price or 0, self.output_price or 0) < 0:
            raise ValueError("give both input_price and output_price, in USD per million tokens, or neither")

    @property
    def asked_model(self) -> str:
        """The model's name at its endpoint."""
        return self.model

    def identity(self) -> Mapping[str, Any]:
        """Return the endpoint and the way it is called."""
        return {
            "name": self.name(),
            "endpoint": self.base_url.rstrip("/"),
            "azure_api_version": self.azure_api_version,
            "structured": self.structured,
        }

    def parameters(self) -> Mapping[str, Any]:
        """Return the recipe's temperature and limit, if it sets them."""
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in own.items() if value is not None}

    def worst_cost(self, request: Request) -> float | None:
        """Return the most that a request may cost: a cut answer, and the longer one requested after it."""
        limit = _limit(request)
        one, longer = self.price(_most_prompt_tokens(request), limit), self.price(_most_prompt_tokens(request), 2 * limit)
        return None if one is None or longer is None else one + longer

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the cost of these tokens in USD; None if prices are unknown."""
        if self.input_price is None or self.output_price is None:
            return None
        return (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1e6

    async def ask(self, requests: Sequence[Request], budget: Budget) -> AsyncIterator[tuple[Request, Reply]]:
        """Yield a reply for every request that is sent. Raises UsageError where the key's variable is not set."""
        key = self._key()
        async with self._client(key) as client:
            endpoint = _Endpoint(self, client, key, budget)
            async for pair in bounded(requests, endpoint.answer, lambda request: self.worst_cost(request) or 0.0, self.concurrency, budget):
                yield pair

    def check(self) -> None:
        """Ask the endpoint which models it has.

        Raises UsageError where the key is missing or refused or there is no such model, Refused where the endpoint cannot be reached.
        """
        asyncio.run(self._check())

    async def _check(self) -> None:
        async with self._client(self._key()) as client:
            try:
                models = {model.id async for model in client.with_options(timeout=_CHECK_SECONDS).models.list()}
            except openai.NotFoundError:
                return  # the endpoint lists no models, so only asking could tell
            except openai.APIError as error:
                failure = _failure(error, self)
                if failure.error in SETUP:
                    raise UsageError(f"teacher {self.label}: {failure.detail}") from error
                if isinstance(error, openai.APIConnectionError):
                    raise Refused(f"teacher {self.label}: {self.base_url} cannot be reached: {error.__cause__ or error}") from error
                return
        if models and self.azure_api_version is None and not {self.model, f"{self.model}:latest"} & models:
            raise UsageError(f"teacher {self.label}: {self.base_url} has no model {self.model!r}{nearest(self.model, sorted(models))}")

    def _key(self) -> str:
        if not self.key_variable:
            return "none"
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise UsageError(f"teacher {self.label}: set the environment variable {self.key_variable} to the key of {self.base_url}")
        return key

    def _client(self, key: str) -> openai.AsyncOpenAI:
        if self.azure_api_version is not None:
            return openai.AsyncAzureOpenAI(
                azure_endpoint=self.base_url, api_version=self.azure_api_version, api_key=key, max_retries=0, timeout=self.timeout
            )
        return openai.AsyncOpenAI(base_url=self.base_url, api_key=key, max_retries=0, timeout=self.timeout)


def _limit(request: Request) -> int:
    return int(request.parameters.get("max_tokens", _DEFAULT_MAX_TOKENS))


def _most_prompt_tokens(request: Request) -> int:
    """Return an upper bound: no tokenizer makes more tokens than there are bytes."""
    return len(canonical([request.messages, request.schema]).encode()) + _OVERHEAD_TOKENS


@dataclass(eq=False)
class _Failure(Exception):
    """A call without a usable answer: its class, a message, the ordered pause, and whether it may be billed."""

    error: str
    detail: str
    ordered: float | None = None
    maybe_billed: bool = False


@dataclass
class _Bill:
    """Tokens, calls and cost of answering one request so far."""

    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float = 0.0

    def add_usage(self, usage: Any) -> None:
        """Add the tokens of one answer."""
        self.prompt_tokens = (self.prompt_tokens or 0) + usage.prompt_tokens
        self.completion_tokens = (self.completion_tokens or 0) + usage.completion_tokens


@dataclass
class _Endpoint:
    """An endpoint during one run: its client, and the time until which it ordered everybody to wait (monotonic seconds)."""

    teacher: OpenAITeacher
    client: openai.AsyncOpenAI
    key: str
    budget: Budget
    held_until: float = field(default=0.0)

    async def answer(self, request: Request, reserved: float) -> Reply:
        """Return the reply to one request, and settle its reservation."""
        bill = _Bill()
        extra = 0.0
        try:
            while True:
                try:
                    return await self._whole_answer(request, bill)
                except _Failure as failure:
                    ended = failure.error not in PASSING or bill.calls >= self.teacher.max_attempts or self.budget.stopped
                    one_call = self._worst_call(request, _limit(request)) if failure.maybe_billed else 0.0
                    if ended or not self.budget.reserve(one_call):
                        return self._reply(bill, error=failure.error, detail=failure.detail)
                    extra += one_call
                    await self._wait(request, bill.calls, failure.ordered)
        finally:
            self.budget.settle(reserved + extra, bill.cost)

    async def _whole_answer(self, request: Request, bill: _Bill) -> Reply:
        """Call the endpoint; if the answer is cut, call once more with twice the limit. Raises _Failure."""
        limit = _limit(request)
        text, finish_reason = await self._call(request, limit, bill)
        if finish_reason == "length":
            text, finish_reason = await self._call(request, 2 * limit, bill)
        if finish_reason == "length":
            return self._reply(bill, text, finish_reason, "truncated", f"the answer is longer than {2 * limit} tokens; raise max_tokens")
        if finish_reason in ("content_filter", "refusal"):
            return self._reply(bill, text, finish_reason, "content_filter", "the endpoint withheld the answer")
        return self._reply(bill, text, finish_reason)

    async def _call(self, request: Request, limit: int, bill: _Bill) -> tuple[str, str]:
        """Make one call and return text and finish reason. Raises _Failure."""
        await asyncio.sleep(max(0.0, self.held_until - time.monotonic()))
        bill.calls += 1
        try:
            async with asyncio.timeout(self.teacher.timeout):
                answer = await self.client.chat.completions.create(**self._arguments(request, limit))
            choice = answer.choices[0]
            text = choice.message.content or ""
            finish_reason = "refusal" if getattr(choice.message, "refusal", None) else choice.finish_reason or "stop"
        except Exception as error:
            failure = _failure(error, self.teacher)
            if failure.maybe_billed:
                bill.cost += self._worst_call(request, limit)
            raise failure from None
        cost = None
        if answer.usage is not None:
            bill.add_usage(answer.usage)
            cost = self.teacher.price(answer.usage.prompt_tokens, answer.usage.completion_tokens)
        bill.cost += cost if cost is not None else self._worst_call(request, limit)
        return text, finish_reason

    def _arguments(self, request: Request, limit: int) -> dict[str, Any]:
        others = {name: value for name, value in request.parameters.items() if name != "max_tokens"}
        arguments = {"model": request.model, "messages": list(request.messages), self.teacher.limit_name: limit, **others}
        if request.schema is not None and self.teacher.structured == "schema":
            schema = {"name": request.task, "schema": request.schema, "strict": True}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and self.teacher.structured == "object":
            arguments["response_format"] = {"type": "json_object"}
        return arguments

    async def _wait(self, request: Request, attempt: int, ordered: float | None) -> None:
        teacher = self.teacher
        seconds = pause(request.key, attempt, teacher.first_pause, teacher.longest_pause, ordered)
        if ordered is not None:
            self.held_until = max(self.held_until, time.monotonic() + min(ordered, seconds))
        await asyncio.sleep(seconds)

    def _worst_call(self, request: Request, limit: int) -> float:
        return self.teacher.price(_most_prompt_tokens(request), limit) or 0.0

    def _reply(
        self, bill: _Bill, text: str = "", finish_reason: str | None = None, error: str | None = None, detail: str | None = None
    ) -> Reply:
        return Reply(
            text=text.replace(self.key, _STRUCK_OUT),
            finish_reason=finish_reason,
            prompt_tokens=bill.prompt_tokens,
            completion_tokens=bill.completion_tokens,
            error=error,
            detail=detail and detail.replace(self.key, _STRUCK_OUT),
            attempts=bill.calls,
            cost=bill.cost if self.teacher.input_price is not None else None,
        )


def _failure(error: Exception, teacher: OpenAITeacher) -> _Failure:
    """Return the failure for an error of a call, with its remedy."""
    match error:
        case openai.APITimeoutError() | TimeoutError():
            return _Failure("timeout", f"no answer within {teacher.timeout:g} seconds; raise timeout or lower concurrency", None, True)
        case openai.APIConnectionError():
            return _Failure("connection", f"{teacher.base_url} cannot be reached or broke off: {error.__cause__ or error}", None, True)
        case openai.APIStatusError():
            return _status_failure(error, teacher)
    return _Failure("bad_response", f"the answer is not a chat completion ({type(error).__name__}: {str(error)[:200]})", None, True)


def _status_failure(error: openai.APIStatusError, teacher: OpenAITeacher) -> _Failure:
    status, said = error.status_code, f"{error.code or ''} {error.message}".strip()[:500]
    lower = said.lower()
    ordered = ordered_pause(error.response.headers)
    if status == 429 and "insufficient_quota" in lower:
        return _Failure("quota", f"the account has no credit left; add some, then run the same command again ({said})")
    if status == 429:
        return _Failure("rate", f"too many requests; lower concurrency ({said})", ordered)
    if status in (401, 403):
        return _Failure("auth", f"{teacher.base_url} refuses the key in ${teacher.key_variable} ({status}); set the right one ({said})")
    if status in (404, 410):
        return _Failure("not_found", f"{teacher.base_url} has no model {teacher.model!r} ({status}); correct model or base_url ({said})")
    if status == 413 or "context_length" in lower or "context length" in lower or "maximum context" in lower:
        return _Failure("context_too_long", f"the prompt does not fit the model; lower seeds.max_bytes or max_tokens ({said})")
    if status in (400, 422) and ("content_filter" in lower or "content management policy" in lower):
        return _Failure("content_filter", f"the endpoint's filter refuses the prompt ({said})")
    if status in (400, 422) and ("response_format" in lower or "json_schema" in lower):
        return _Failure(
            "schema_rejected", f"the endpoint does not take this way of asking for JSON; set structured to object or text ({said})"
        )
    if status in (408, 409) or status >= 500:
        return _Failure("overload", f"the endpoint answers {status} ({said})", ordered, status >= 500)
    return _Failure("bad_request", f"the endpoint answers {status} ({said})")
