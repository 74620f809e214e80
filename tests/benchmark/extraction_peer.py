"""trafilatura in a Python of its own: reads pages as JSON lines and answers each with texts and processor seconds, by setting.

It imports nothing of this project.
"""

import json
import sys
import time

import trafilatura

SETTINGS = {"trafilatura": {}, "trafilatura precision": {"favor_precision": True}, "trafilatura fast": {"fast": True}}


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        page = json.loads(line)
        answer = {}
        for name, settings in SETTINGS.items():
            began = time.process_time()
            text = trafilatura.extract(page, include_comments=False, **settings) or ""
            answer[name] = (text, time.process_time() - began)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
