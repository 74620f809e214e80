"""datatrove's URLFilter on the URLs and lists it is given. Run by the peer's Python, from `tests/filters/test_url_parity.py`.

    PEER_PYTHON url_datatrove.py LISTS < URLS > REASONS

LISTS is a folder. Where it holds domains.txt, urls.txt, hard.txt, soft.txt and strict.txt, these are the lists; where it is empty, the
filter's own are, and they are written there. URLS and REASONS are JSON arrays of the same length; a reason is "" where the URL passes.
"""

import json
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import URLFilter

ARGUMENTS = {
    "domains": "extra_domains",
    "urls": "extra_urls",
    "hard": "banned_words",
    "soft": "soft_banned_words",
    "strict": "banned_subwords",
}
FIELDS = {**ARGUMENTS, "domains": "block_listed_domains", "urls": "block_listed_url"}


def url_filter(folder: Path) -> URLFilter:
    """Return the filter with the folder's lists, or with its own."""
    given = {name: folder / f"{name}.txt" for name in ARGUMENTS}
    if all(path.exists() for path in given.values()):
        lists = {ARGUMENTS[name]: path.read_text("utf-8").splitlines() for name, path in given.items()}
        return URLFilter(use_integrated_lists=False, **lists)
    own = URLFilter()
    own.download_data()
    for name, path in given.items():
        path.write_text("\n".join(sorted(filter(None, getattr(own, FIELDS[name])))), "utf-8")
    return own


def main() -> None:
    """Read, judge, write."""
    peer = url_filter(Path(sys.argv[1]))
    reasons = []
    for url in json.load(sys.stdin):
        verdict = peer.filter(Document(text="", id="", metadata={"url": url}))
        reasons.append("" if verdict is True else verdict[1])
    json.dump(reasons, sys.stdout)


if __name__ == "__main__":
    main()
