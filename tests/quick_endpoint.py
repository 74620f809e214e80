"""A chat endpoint in a process of its own, quick enough to measure whoever asks it: `python -m tests.quick_endpoint LATENCY LIMIT`.

It answers every call after LATENCY seconds; with a LIMIT it takes so many calls in each second and refuses the others without a word. It
prints its port, and its counts when its standard input ends.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.endpoint import completion

_GOOD = completion('{"a": 1}').body
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_GOOD), _GOOD)
_REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Quick:
    """Where it is, and once it has ended how many calls it took and refused, and the seconds from the first call to the last answer."""

    url: str
    counts: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serving_quickly(latency: float, limit: int = 0) -> Iterator[Quick]:
    """Serve until the block ends."""
    command = [sys.executable, "-m", "tests.quick_endpoint", str(latency), str(limit)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        quick = Quick(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        yield quick
        process.stdin.close()
        quick.counts |= json.loads(process.stdout.readline())


async def _serve(latency: float, limit: int) -> None:
    counts = {"taken": 0, "refused": 0, "began": 0.0, "ended": 0.0}
    recent: deque[float] = deque()

    def takes(now: float) -> bool:
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if limit and len(recent) >= limit:
            return False
        recent.append(now)
        return True

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.split(b"content-length:")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                now = time.monotonic()
                counts["began"] = counts["began"] or now
                taken = takes(now)
                counts["taken" if taken else "refused"] += 1
                if taken:
                    await asyncio.sleep(latency)
                writer.write(_TAKEN if taken else _REFUSED)
                counts["ended"] = time.monotonic()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    seconds = counts["ended"] - counts["began"]
    print(json.dumps({"taken": counts["taken"], "refused": counts["refused"], "seconds": seconds}), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
