"""A normalised form of URLs: two URLs of the same page have the same form.

    scheme     http:// or https:// is removed, and "www." after it
    host       in lower case; it ends at the first "/" or "?"
    path       without trailing slashes
    query      without parameters that say where a visitor came from: utm_*, ref, feed; without its "?" if no parameter is left
    fragment   removed, unless it begins with "!" and so names a page of its own

C4's code (Raffel et al. 2020) removes the scheme, "www." and trailing slashes, and cuts a query that begins with utm_, ref or feed; it
keeps the case of hosts, and fragments. Everything else stays unchanged: the order of parameters, percent-encoding, other names of a host.
"""

import polars as pl
import xxhash

from curation.arrays import Column

_SOURCES = r"^(utm_[^=]*|ref|feed)(=|$)"


def same_page_form(urls: Column) -> Column:
    """Return the normalised form of each URL in an Arrow column (string); null where there is no URL or nothing is left of it."""
    url = pl.col("url").str.extract(r"^([^#]*)").str.replace(r"(?i)^https?://(www\.)?", "")
    fragment = pl.col("url").str.extract(r"(?s)^[^#]*(#!.*)$").fill_null("")
    query = pl.col("url").str.extract(r"^[^#?]*\?([^#]*)")
    stays = query.str.split("&").list.eval(pl.element().filter(~pl.element().str.contains(_SOURCES))).list.join("&").fill_null("")
    place, host = url.str.extract(r"^([^?]*)").str.strip_chars_end("/"), pl.col("place").str.extract(r"^([^/]*)")
    form = host.str.to_lowercase() + pl.col("place").str.slice(host.str.len_chars()) + pl.col("query") + pl.col("fragment")
    frame = pl.DataFrame({"url": pl.Series(urls, dtype=pl.String)})
    queried = pl.when(stays == "").then(pl.lit("")).otherwise("?" + stays)
    frame = frame.select(place.alias("place"), queried.alias("query"), fragment.alias("fragment"))
    return frame.select(pl.when(form != "").then(form).alias("form"))["form"].to_arrow().cast("string")


def url_hash(form: str) -> int:
    """Return a 64-bit hash of a URL's normalised form."""
    return xxhash.xxh3_64_intdigest(form.encode("utf-8"))
