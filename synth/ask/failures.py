"""Failures: which class an endpoint's error belongs to, and what mends it.

    rate        too many requests; passes                          server    the endpoint failed or cannot be reached; passes
    timeout     no answer in time; passes                          bad_response  no readable answer; passes
    auth        the key is refused; stops the run                  setup     any other fault that every request would meet; stops the run
    refused     this prompt or its answer is withheld; final       context_too_long  this prompt does not fit the model; final
    bad_request the request is refused and nothing says why: `synth.ask.asking` decides whether it is the set-up or this request

The status alone does not tell: an empty account comes as 402, 429, 400, 403 or inside a 200, an unknown model as 404 or 400. So the message
is read too, by phrases that endpoints use. A 4xx that every request would get must be `setup`, because a final failure would be stored as
the answer to every request.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from synth.ask.completion import ErrorBody
from synth.ask.retrying import ordered_pause


def _any_of(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


_MONEY = _any_of(
    r"insufficient[ _](?:quota|balance|credits?|funds)",
    r"exceeded your current quota",
    r"(?:out of|more|no) credits?\b|credit balance|hard limit",
    r"payment required|billing|arrear|good standing|past due|overdue|top[ -]?up|recharge",
    r"account (?:is |has been )?(?:deactivated|suspended|disabled)",
)
_KEY = _any_of(
    r"(?:invalid|incorrect|missing|no|bad|expired|not valid)[^.]{0,20}(?:api[ _-]?key|auth|credential|token\b)",
    r"api[ _-]?key[^.]{0,20}(?:not valid|invalid|expired)",
    r"unauthori[sz]ed|unauthenticated|invalid_api_key",
)
_MODEL = _any_of(
    r"model[_ ]not[_ ]found|(?:unknown|invalid|no such|unsupported) model|no endpoints found|not a valid model",
    r"model [^\n]{0,100}(?:does not exist|not found|not available|is not supported|deprecated|decommissioned)",
)
_LIMIT = _any_of(r"max_completion_tokens", r"max_tokens[^.]{0,40}(?:not supported|unsupported|deprecated)")
_TOO_LONG = _any_of(
    r"context[_ ]length|maximum context|context window", r"prompt is too long|input is too long|too many (?:input )?tokens|context size"
)
_FILTERED = _any_of(
    r"content[_ ]filter|content management policy|content policy|safety system",
    r"moderation|flagged|data_inspection_failed|responsible ai",
)
_JSON = _any_of(r"response_format|json_schema|structured output|guided_|grammar|json mode")
_PARAMETER = _any_of(
    r"unsupported[_ ](?:parameter|value)|unrecogni[sz]ed (?:request )?(?:argument|parameter)|unknown (?:parameter|argument)",
    r"extra (?:inputs|fields) (?:are )?not (?:permitted|allowed)|extra_forbidden",
    r"does not support [^\n]{0,40}with this model",
)
_REGION = _any_of(r"unsupported_country|country, region|not available in your (?:country|region)")
_SLOW_DOWN = _any_of(r"rate[ _-]?limit|too many requests|enqueued token limit|slow down|overloaded|capacity|per[ -](?:minute|day|hour)")
_SERVER_STATUS = frozenset({408, 409, 421, 425, 499})
_ADDRESS_STATUS = frozenset({405, 406, 411, 415, 426, 501, 505})
_MOST_SAID = 500


@dataclass(frozen=True)
class Where:
    """Words for messages about an endpoint: its address, its model, and the variable of its key."""

    address: str
    model: str
    key_variable: str
    timeout: float


@dataclass(eq=False)
class Failure(Exception):
    """A call without a usable answer: its class, what to tell, the ordered pause in seconds, and whether it may be billed."""

    error: str
    detail: str
    ordered: float | None = None
    maybe_billed: bool = False


def failure_of(status: int, told: ErrorBody, headers: Mapping[str, str], where: Where) -> Failure:
    """Return the failure of an answer: by status, or inside a 200 (status 200), where nothing was billed."""
    said = f"{told.code} {told.message}".strip()[:_MOST_SAID]
    status = told.status or status
    ordered = ordered_pause(headers)
    setup = _setup(status, said, where)
    if setup is not None:
        return setup
    if status == 429 or (status in (200, 400, 403) and _SLOW_DOWN.search(said)):
        return Failure("rate", f"too many requests; lower concurrency or set requests_per_minute ({said})", ordered)
    if status in _SERVER_STATUS or status >= 500 or status == 200:
        shown = "an error inside a 200" if status == 200 else status
        return Failure("server", f"the endpoint answers {shown} ({said})", ordered, status >= 500)
    if status == 413 or _TOO_LONG.search(said):
        return Failure("context_too_long", f"the prompt does not fit the model; lower seeds.max_bytes or max_tokens ({said})")
    if _FILTERED.search(said):
        return Failure("refused", f"the endpoint's filter refuses the prompt ({said})")
    if status in (401, 403, 407):
        return _auth(status, said, where)
    return Failure("bad_request", f"the endpoint answers {status} ({said})")


def _setup(status: int, said: str, where: Where) -> Failure | None:
    """Return the failure that every request would meet, with its remedy, if the answer tells of one."""
    if status >= 500 and status not in _ADDRESS_STATUS:
        return None
    if status == 402 or _MONEY.search(said):
        return Failure("setup", f"the account at {where.address} has no credit left; add some, then run the same command again ({said})")
    if status == 429:
        return None
    if status == 401 or (status != 403 and _KEY.search(said)):
        return _auth(status, said, where)
    if status in (404, 410) or _MODEL.search(said):
        return Failure("setup", f"{where.address} has no model {where.model!r} ({status}); correct model or base_url ({said})")
    if _TOO_LONG.search(said) or _FILTERED.search(said):
        return None
    fix = _parameter_fix(status, said, where)
    return Failure("setup", f"{fix} ({said})") if fix is not None else None


def _parameter_fix(status: int, said: str, where: Where) -> str | None:
    """Return what to change in the recipe's teacher, if the answer complains of how it is asked."""
    if _LIMIT.search(said):
        other = "max_tokens" if re.search(r"use 'max_tokens'", said, re.IGNORECASE) else "max_completion_tokens"
        return f'the endpoint names the limit of an answer otherwise; set limit_name = "{other}"'
    if status in (400, 422) and _JSON.search(said):
        return 'the endpoint does not take this way of asking for JSON; set structured = "object" or "text"'
    if _REGION.search(said):
        return f"{where.address} does not serve this country or region; choose another endpoint"
    if status in _ADDRESS_STATUS or 300 <= status < 400:
        return f"{where.address} does not take chat completions ({status}); correct base_url"
    if _PARAMETER.search(said):
        return "the endpoint refuses a parameter; set temperature, limit_name or structured as it wants"
    return None


def _auth(status: int, said: str, where: Where) -> Failure:
    key = f"the key in ${where.key_variable}" if where.key_variable else "a request without a key (set key_variable)"
    return Failure("auth", f"{where.address} refuses {key} ({status}); set the right one ({said})")
