"""Reading a completion: an answer with status 200 becomes a text with its usage, or a description of its fault.

Endpoints that "speak OpenAI's protocol" send lists of content parts, no choices, null usage, errors inside a 200, answers that stand only
in a field for thoughts, and pages of HTML. So this module reads the bytes field by field, and does not use a client library's types.

    content     a text, or a list of parts: the texts of those parts that are not thoughts
    thoughts    `reasoning_content`, `reasoning` and `thinking` are never the answer; `thought` says that an answer had them
    ending      stop | length (cut at the limit) | filter (withheld) | broken (the endpoint gave up halfway)
    usage       counted only if both numbers are whole, not negative and not absurd; else unknown, and the worst case counts

Invariants
    - `read_completion` raises nothing, whatever the bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

StopReason = Literal["stop", "length", "filter", "broken"]

_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "max_completion_tokens", "token_limit"})
_FILTER = frozenset(
    {"content_filter", "content-filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"}
)
_BROKEN = frozenset({"error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource", "unknown"})
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
_MOST_SHOWN = 200
_DEEPEST = 8
"""How deep parts of content may be nested."""


@dataclass(frozen=True)
class Usage:
    """Tokens that an answer says it used."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Completion:
    """A readable answer. `thought`: it had thoughts beside its content. `usage` is None if it states no credible usage."""

    text: str
    ending: StopReason
    usage: Usage | None
    thought: bool = False


@dataclass(frozen=True)
class ErrorBody:
    """An error that the endpoint reports: its status or code as text ("" if none), and its message."""

    code: str
    message: str

    @property
    def status(self) -> int | None:
        """The HTTP status that the code is, if it is one."""
        return int(self.code) if self.code.isascii() and self.code.isdigit() and 400 <= int(self.code) <= 599 else None


@dataclass(frozen=True)
class NoCompletion:
    """An answer that is not a completion, and why; with `usage` if it states one all the same."""

    why: str
    usage: Usage | None = None


def read_completion(body: bytes) -> Completion | ErrorBody | NoCompletion:
    """Read the body of an answer with status 200."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        return NoCompletion(f"the body is no JSON ({type(error).__name__}); it begins {_shown(body)}")
    if not isinstance(content, Mapping):
        return NoCompletion(f"the body is no JSON object; it begins {_shown(body)}")
    choice = _first(content.get("choices"))
    told = error_in(content) if choice is None else _error_field(choice)
    if told is not None:
        return told
    usage = _usage(content.get("usage"))
    if choice is None:
        return NoCompletion(f"the answer has no choices; it begins {_shown(body)}", usage)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return NoCompletion(f"the answer's choice has no message; it begins {_shown(body)}", usage)
    text = _text(message.get("content"))
    if text is None:
        return NoCompletion(f"the answer's content is of an unknown kind; it begins {_shown(body)}", usage)
    refusal = message.get("refusal")
    ending = "filter" if isinstance(refusal, str) and refusal.strip() else _ending(choice.get("finish_reason"))
    return Completion(text, ending, usage, any(message.get(name) for name in _THOUGHTS))


def error_in(content: Mapping[str, Any]) -> ErrorBody | None:
    """Return the error that a body reports in one of the forms that endpoints use, or None."""
    told = _error_field(content)
    if told is None and "choices" not in content and isinstance(content.get("detail") or content.get("message"), (str, list)):
        return ErrorBody(str(content.get("code") or "")[:100], str(content.get("detail") or content.get("message")))
    return told


def _error_field(content: Mapping[str, Any]) -> ErrorBody | None:
    error = content.get("error")
    if isinstance(error, Mapping):
        code = next((str(error[name]) for name in ("code", "status", "type") if isinstance(error.get(name), (str, int))), "")
        said = [error[name] for name in ("message", "msg", "detail", "type") if isinstance(error.get(name), str)]
        return ErrorBody(code[:100], said[0] if said else json.dumps(error)[:500])
    if isinstance(error, str) and error.strip():
        code = next((str(content[name]) for name in ("code", "status") if isinstance(content.get(name), (str, int))), "")
        return ErrorBody(code[:100], error)
    return None


def read_error(body: bytes) -> ErrorBody:
    """Read the body of an answer with an error status; one without JSON is its own message."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, list):
        content = content[0] if content else None
    told = error_in(content) if isinstance(content, Mapping) else None
    return told or ErrorBody("", _shown(body) if body.strip() else "no message")


def _first(choices: Any) -> Mapping[str, Any] | None:
    """Return the first choice that is an object."""
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, Mapping) else None


def _text(content: Any, depth: int = 0) -> str | None:
    """Return the text of content: itself, or its parts that are no thoughts; None if it is of another kind."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list() if depth < _DEEPEST:
            parts = [_text(part, depth + 1) for part in content]
            return None if any(part is None for part in parts) else "".join(part or "" for part in parts)
        case Mapping():
            if str(content.get("type")) in _THOUGHT_PARTS or content.get("thought") is True:
                return ""
            inner = content.get("text", content.get("value"))
            return _text(inner, depth + 1) if inner is not None and depth < _DEEPEST else ""
    return None


def _ending(reason: Any) -> StopReason:
    said = reason.strip().casefold() if isinstance(reason, str) else ""
    if said in _LENGTH:
        return "length"
    if said in _FILTER:
        return "filter"
    return "broken" if said in _BROKEN else "stop"


def _usage(said: Any) -> Usage | None:
    """Return the usage if both numbers can be true."""
    if not isinstance(said, Mapping):
        return None
    prompt, completion = said.get("prompt_tokens"), said.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int or min(prompt, completion) < 0:
        return None
    return Usage(prompt, completion)


def _shown(body: bytes) -> str:
    return repr(body[:_MOST_SHOWN].decode("utf-8", "replace"))
