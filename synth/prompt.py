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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from curation.errors import RecipeError

_FILE = re.compile(r"---\nversion: (\d+)\n---\n## system\n(.*?)\n## user\n(.*)", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """A prompt's name with its version, and the templates of its two messages."""

    name: str
    system: str
    user: str

    def messages(self, values: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
        """Return the messages with the values filled in. Raises jinja2.UndefinedError if a value is missing."""
        return (
            {"role": "system", "content": _template(self.system).render(values).strip()},
            {"role": "user", "content": _template(self.user).render(values).strip()},
        )


@lru_cache
def load_prompt(name: str) -> Prompt:
    """Return a shipped prompt. Raises RecipeError if its file does not have the form above."""
    text = (files("synth") / "prompts" / f"{name}.md").read_text("utf-8")
    found = _FILE.fullmatch(text)
    if found is None:
        raise RecipeError(f"synth/prompts/{name}.md needs a front matter with its version, then ## system and ## user")
    return Prompt(f"{name}@{found[1]}", found[2], found[3])


@lru_cache
def _template(text: str) -> Any:
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(text)
