"""Running a model's code: in a child process that has given up its rights, within time, memory and output.

Levels, the best that the machine allows:

    bubblewrap  own namespaces for users, processes, network and files: only the interpreter's files exist, read-only; and the levels below
    seccomp     the kernel refuses files, sockets, processes and signals to the child (x86-64 Linux); and the level below
    rlimits     processor time, memory, file size and open files are limited; the network and readable files are not held back

The level stands in the outcome, and belongs in the row. A program shares the interpreter with its tests, so one that means to deceive them
can; tests alone prove nothing about it, and mutants must fail (`synth.sandbox.judging_code`).

Invariants
    - The child sees no environment, no arguments of ours and no open file but three pipes; it is ended with all its children.
    - At most MOST_OUTPUT bytes are read, and nothing that it prints is executed or trusted.
"""

import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Level = Literal["bubblewrap", "seccomp", "rlimits"]
MOST_OUTPUT = 1 << 16
_INSIDE = Path(__file__).with_name("inside.py")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin")
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Limits:
    """What a program may use: processor seconds, seconds in all, bytes of memory."""

    seconds: int = 2
    in_all: float = 6.0
    memory: int = 512 << 20


@dataclass(frozen=True)
class ProgramOutcome:
    """How a program ended: passed, failed (an exception, told in `said`), timeout, output (too much), or died (a signal or an exit)."""

    ended: Literal["passed", "failed", "timeout", "output", "died"]
    level: Level
    said: str = ""


def run_code(program: str, tests: str, limits: Limits | None = None, level: Level | None = None) -> ProgramOutcome:
    """Run a program and its tests in the best sandbox of this machine, or in the one asked for."""
    limits, chosen = limits or Limits(), level or best_level()
    word = secrets.token_hex(16)
    content = {"seconds": limits.seconds, "memory": limits.memory, "processes": 64, "must_filter": chosen != "rlimits"}
    given = json.dumps({"program": program, "tests": tests, "word": word, "limits": content}).encode("utf-8", "replace")
    with subprocess.Popen(
        _command(chosen), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, cwd="/", start_new_session=True
    ) as child:
        try:
            said, why = _watch(child, given, time.monotonic() + limits.in_all)
        finally:
            _end(child)
    told = said.decode("utf-8", "replace")
    if why is not None:
        return ProgramOutcome(why, chosen, told[-500:])
    if child.returncode == 0 and told.endswith(word):
        return ProgramOutcome("passed", chosen)
    return ProgramOutcome("failed" if child.returncode == 1 else "died", chosen, told.replace(word, "")[-500:])


@cache
def best_level() -> Level:
    """Return the best level that works here: each is tried with a program that does nothing."""
    levels: tuple[Level, ...] = ("bubblewrap", "seccomp")
    for level in levels:
        here = level != "bubblewrap" or shutil.which("bwrap") is not None
        if here and run_code("", "", Limits(in_all=_START_SECONDS), level).ended == "passed":
            return level
    return "rlimits"


def _command(level: Level) -> list[str]:
    python = [os.path.realpath(sys.executable), "-I", "-S", "-B"]
    if level != "bubblewrap":
        return [*python, str(_INSIDE)]
    shown = [*(folder for folder in _SYSTEM if Path(folder).exists()), _python_home()]
    binds = [word for folder in dict.fromkeys(shown) for word in ("--ro-bind", folder, folder)]
    private = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    return ["bwrap", *private, *binds, "--ro-bind", str(_INSIDE), "/inside.py", "--chdir", "/", *python, "/inside.py"]


def _python_home() -> str:
    return os.path.realpath(sysconfig.get_config_var("prefix") or sys.base_prefix) if sys.base_prefix == sys.prefix else sys.base_prefix


def _watch(child: "subprocess.Popen[bytes]", given: bytes, until: float) -> tuple[bytes, Literal["timeout", "output"] | None]:
    """Give the child its input and read what it says; return its last words on stderr, and why it was ended."""
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    try:
        child.stdin.write(given)
        child.stdin.close()
    except BrokenPipeError:
        pass  # it died before it read; its exit status says how
    said, read = b"", 0
    with selectors.DefaultSelector() as waiting:
        for stream in (child.stdout, child.stderr):
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map():
            left = until - time.monotonic()
            if left <= 0:
                return said, "timeout"
            for key, _ in waiting.select(left):
                piece = os.read(key.fd, 1 << 14)
                read += len(piece)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    said = (said + piece)[-2000:]
                if read > MOST_OUTPUT:
                    return said, "output"
    try:
        child.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return said, "timeout"
    return said, None


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a child and its process group."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
