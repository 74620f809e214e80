"""Endpoints that speak OpenAI's protocol. Their differences are data: `endpoints.toml` has one table for each preset.

A local endpoint needs no key. If neither the recipe nor a preset names a variable for it, an address on this machine or in a private
network is asked without one.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from curation.choices import nearest

_FORMS = "structured"
_OTHER = "other"
_FIRST = "openai"
"""The preset where a recipe names neither a preset nor an address."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint's address and dialect; `endpoints.toml` explains the fields."""

    base_url: str
    key_variable: str = ""
    azure_api_version: str | None = None
    structured: str = "schema"
    limit_name: str = "max_tokens"
    concurrency: int = 16
    timeout: float = 120.0
    any_model: bool = False

    def asking(self, task: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the parameters that make an endpoint answer with JSON by a schema."""
        asked = {} if schema is None else _filled(_table()[_FORMS][self.structured], {"$schema": schema, "$task": task})
        return dict(asked)


def presets() -> list[str]:
    """Return the names of all presets."""
    return sorted(set(_table()) - {_FORMS, _OTHER})


def endpoint_of(preset: str | None, stated: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint of a preset; what a recipe states (not None) replaces its values. Raises ValueError."""
    known = {name: value for name, value in stated.items() if value is not None and name in {field.name for field in fields(Endpoint)}}
    name = preset or (_OTHER if "base_url" in known else _FIRST)
    if name not in _table() or name == _FORMS:
        raise ValueError(f"there is no preset {name!r}{nearest(name, presets())}")
    values = {**_table()[name], **known}
    if "base_url" not in values:
        raise ValueError(f"preset {name!r} needs base_url, the address of your resource")
    if name == _OTHER and "key_variable" not in known and is_local(values["base_url"]):
        del values["key_variable"]
    return Endpoint(**values)


def is_local(address: str) -> bool:
    """Return whether an address lies on this machine or in a private network."""
    host = urlsplit(address).hostname or ""
    try:
        where = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost", ".lan"))
    return where.is_loopback or where.is_private


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("synth.ask") / "endpoints.toml").read_text("utf-8"))


def _filled(form: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(form, Mapping):
        return {name: _filled(value, values) for name, value in form.items()}
    return values.get(form, form) if isinstance(form, str) else form
