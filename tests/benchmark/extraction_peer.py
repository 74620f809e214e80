"""trafilatura in a Python of its own: reads pages as JSON lines and answers each with texts and processor seconds, by setting.

"with facts" also finds what ours finds in any case: title, author, date, site, address, language, licence. It imports nothing of this
project.
"""

import json
import sys
import time
from collections.abc import Mapping

import trafilatura

SETTINGS = {
    "trafilatura": {},
    "trafilatura with facts": {"with_metadata": True},
    "trafilatura precision": {"favor_precision": True},
    "trafilatura fast": {"fast": True},
}


def extracted(page: str, settings: Mapping[str, bool]) -> str:
    """Return the main text; facts are found beside it, not written before it."""
    if "with_metadata" in settings:
        found = trafilatura.bare_extraction(page, include_comments=False, **settings)
        return found.text or "" if found is not None else ""
    return trafilatura.extract(page, include_comments=False, **settings) or ""


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        page = json.loads(line)
        answer = {}
        for name, settings in SETTINGS.items():
            began = time.process_time()
            text = extracted(page, settings)
            answer[name] = (text, time.process_time() - began)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
