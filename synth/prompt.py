"""Prompts are Markdown files in `synth/prompts`, with a version in their front matter; Jinja fills them in.

    ---
    version: 1
    ---
    ## system
    ...
    ## user
    ... {{ topic }} ...

A prompt's name is `<file>@<version>`, and every row carries it. The text is part of each request, so a changed word asks again whether or
not the version was raised. A placeholder without a value is an error, not an empty string.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from string import ascii_uppercase
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from curation.errors import RecipeError
from curation.storage.digests import digest_of

_FILE = re.compile(r"---\nversion: (\d+)\n---\n## system\n(.*?)\n## user\n(.*)", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """A prompt's name with its version, and the templates of its two messages."""

    name: str
    system: str
    user: str

    def messages(self, values: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
        """Return the messages with the values filled in. Raises RecipeError if a value is missing."""
        return (
            {"role": "system", "content": rendered(self.system, values)},
            {"role": "user", "content": rendered(self.user, values)},
        )


@lru_cache
def load_prompt(name: str) -> Prompt:
    """Return a shipped prompt. Raises RecipeError if its file does not have the form above."""
    text = (files("synth") / "prompts" / f"{name}.md").read_text("utf-8")
    found = _FILE.fullmatch(text)
    if found is None:
        raise RecipeError(f"synth/prompts/{name}.md needs a front matter with its version, then ## system and ## user")
    return Prompt(f"{name}@{found[1]}", found[2], found[3])


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with its values filled in. Raises RecipeError if a value is missing or does not fit."""
    try:
        return str(_template(template).render(values)).strip()
    except (TemplateError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise RecipeError(f"a template cannot be filled in: {error}: {template[:60]!r}") from error


def _shuffled(entries: Sequence[str]) -> list[str]:
    """Return entries in an order that depends on them alone, so that a right answer has no place of its own."""
    return sorted(entries, key=digest_of)


def _letter(entries: Sequence[str], entry: str) -> str:
    return ascii_uppercase[list(entries).index(entry)]


def _lettered(entries: Sequence[str]) -> str:
    return "\n".join(f"{letter}. {entry}" for letter, entry in zip(ascii_uppercase, entries, strict=False))


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
"""A template may be a user's own: it can read the values that it is given, and nothing else."""
_ENVIRONMENT.filters |= {"shuffled": _shuffled, "letter": _letter, "lettered": _lettered}


@lru_cache(maxsize=256)
def _template(text: str) -> Any:
    return _ENVIRONMENT.from_string(text)
