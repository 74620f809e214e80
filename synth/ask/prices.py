"""Prices: what a million tokens cost at an endpoint, from a dated table that is shipped, a table of the user's, or the recipe itself.

Prices change, so the table says its date, and every estimate made with it says so too. An unknown price stays unknown.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from curation.choices import read_toml
from curation.errors import RecipeError
from curation.storage.resources import resolve_at_most
from synth.ask.endpoints import endpoint_of

_MOST_BYTES = 1 << 20


def with_prices(teacher: Mapping[str, Any], own: str | None = None) -> Mapping[str, Any]:
    """Return a teacher's table with the prices of its model, if it states none itself and a table knows them. Raises RecipeError."""
    _, found = _found(teacher, own)
    return teacher if found is None else {**teacher, "input_price": found["input"], "output_price": found["output"]}


def dates_of_prices(teachers: Iterable[Mapping[str, Any]], own: str | None = None) -> list[str]:
    """Return the dates of the tables that these teachers' prices come from; none where recipes state them, or nothing is priced."""
    return sorted({date for date, found in (_found(teacher, own) for teacher in teachers) if found is not None})


def _found(teacher: Mapping[str, Any], own: str | None) -> tuple[str, Mapping[str, Any] | None]:
    """Return the price of a teacher's model, if a table has to tell it, with the table's date."""
    if "model" not in teacher or {"input_price", "output_price"} & set(teacher):
        return "", None
    try:
        host = urlsplit(endpoint_of(teacher.get("preset"), {"base_url": teacher.get("base_url")}).base_url).hostname or ""
    except (ValueError, TypeError, AttributeError):
        return "", None  # whoever builds the teacher tells what is wrong
    model = str(teacher["model"])
    for table in ([_own(own)] if own is not None else []) + [_shipped()]:
        found = table.get(host, {}).get(model)
        if found is not None:
            return str(table["date"]), found
    return "", None


@cache
def _shipped() -> Mapping[str, Any]:
    return _read((files("synth.ask") / "prices.toml").read_text("utf-8"), "synth/ask/prices.toml")


def _own(path: str) -> Mapping[str, Any]:
    return _read(resolve_at_most(path, _MOST_BYTES, "a table of prices").read_text("utf-8", "replace"), path)


def _read(text: str, where: str) -> Mapping[str, Any]:
    table = read_toml(text, where)
    if "date" not in table:
        raise RecipeError(f"{where}: say of which day the prices are: date = 2026-01-31")
    for host, models in table.items():
        if host == "date":
            continue
        for model, price in models.items() if isinstance(models, dict) else [("", None)]:
            if not isinstance(price, dict) or set(price) != {"input", "output"} or not all(map(_is_price, price.values())):
                form = '["host"], then "model" = { input = 0.15, output = 0.6 }, in USD per million tokens'
                raise RecipeError(f"{where}: {host} {model}: write {form}")
    return table


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
