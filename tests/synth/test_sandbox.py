"""Attack programs against each level of the sandbox, and what tests and mutants say of code."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from synth.sandbox.judging_code import judge_code
from synth.sandbox.running import Level, Limits, best_level, run_code
from synth.task import Rejected

QUICK = Limits(seconds=1, in_all=4.0, memory=256 << 20)

PRINTED = "import sys\n"
EVERYWHERE = {
    "endless loop": "while True: pass",
    "endless loop that catches": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "sleep": "import time\ntime.sleep(60)",
    "much memory": "x = bytearray(1 << 30)",
    "memory by and by": "x = []\nwhile True: x.append('a' * 1000000)",
    "a huge number": "x = 9 ** 9 ** 9",
    "a huge list": "x = [0] * (1 << 30)",
    "deep recursion": "def f(n): return f(n + 1)\nf(0)",
    "much output": "while True: print('x' * 10000)",
    "much output on stderr": "import sys\nwhile True: sys.stderr.write('x' * 10000)",
    "exit as if well": "import os\nos._exit(0)",
    "exit": "raise SystemExit(0)",
    "exit by exception": "import sys\nsys.exit(0)",
    "a false word": "import sys, os\nsys.stderr.write('passed')\nsys.stderr.flush()\nos._exit(0)",
    "crash": "import ctypes\nctypes.string_at(0)",
    "a slow pattern": "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
    "write a file": "open('{folder}/evil', 'w').write('x' * 10)",
    "fill the disk": "open('{folder}/evil', 'wb').write(b'x' * (1 << 20))",
}
FILTERED = {
    "read a file": "open('/etc/passwd').read()",
    "read our file": "open('{folder}/secret').read()",
    "list a folder": "import os\nos.open('/', os.O_RDONLY)",
    "delete a file": "import os\nos.remove('{folder}/secret')",
    "rename a file": "import os\nos.rename('{folder}/secret', '{folder}/gone')",
    "make a folder": "import os\nos.mkdir('{folder}/evil')",
    "link": "import os\nos.symlink('/etc/passwd', '{folder}/evil')",
    "change rights": "import os\nos.chmod('{folder}/secret', 0o777)",
    "network": "import _socket\n_socket.socket().connect(('127.0.0.1', {port}))",
    "fork": "import os\nos.fork()",
    "fork bomb": "import os\nwhile True: os.fork()",
    "execute": "import os\nos.execv('/bin/sh', ['sh', '-c', 'echo x'])",
    "spawn": "import os\nassert os.posix_spawn('/bin/true', ['true'], {{}}) < 0",
    "shell": "import os\nassert os.system('true') == 0",
    "kill": "import os\nos.kill({parent}, 9)",
    "kill all": "import os\nos.kill(-1, 9)",
    "trace": "import ctypes\nassert ctypes.CDLL(None).ptrace(16, {parent}, 0, 0) == 0",
    "own memory": "open('/proc/self/mem', 'rb')",
    "raw system call": "import ctypes\nassert ctypes.CDLL(None).syscall(257, -100, b'/etc/passwd', 0) >= 0",
    "raise a limit": "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
    "anonymous file": "import os\nos.memfd_create('x')",
    "load a module": "import sqlite3",
}
LEVELS: tuple[Level, ...] = ("bubblewrap", "seccomp", "rlimits")


def levels() -> list[Level]:
    """The levels from this machine's best one on."""
    return list(LEVELS[LEVELS.index(best_level()) :])


def attack(program: str, folder: Path, level: Level) -> str:
    (folder / "secret").write_text("ours")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        text = program.format(folder=folder, port=server.getsockname()[1], parent=os.getpid())
        ended = run_code(text, "", QUICK, level).ended
    assert (folder / "secret").read_text() == "ours"
    assert not (folder / "evil").exists() or (folder / "evil").stat().st_size == 0
    return ended


def test_there_are_enough_attacks() -> None:
    assert len(EVERYWHERE) + len(FILTERED) >= 30


@pytest.mark.parametrize("name", EVERYWHERE)
def test_every_level_holds_back(tmp_path: Path, name: str) -> None:
    for level in levels()[-2:]:
        assert attack(EVERYWHERE[name], tmp_path, level) != "passed", level


@pytest.mark.parametrize("name", FILTERED)
def test_the_filter_holds_back(tmp_path: Path, name: str) -> None:
    if best_level() == "rlimits":
        pytest.skip("this kernel filters no system calls")
    assert attack(FILTERED[name], tmp_path, "seccomp") != "passed"


REFUSED = {
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "clone": 56,
    "socket": 41, "connect": 42, "bind": 49, "listen": 50, "sendto": 44, "socketpair": 53,
    "open": 2, "openat": 257, "creat": 85, "openat2": 437, "open_by_handle_at": 304, "unlink": 87, "unlinkat": 263, "rename": 82,
    "renameat": 264, "renameat2": 316, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "symlink": 88, "symlinkat": 266, "link": 86, "linkat": 265,
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "truncate": 76, "ftruncate": 77,
    "mknod": 133, "mknodat": 259,
    "kill": 62, "tkill": 200, "mount": 165, "umount2": 166, "chroot": 161, "pivot_root": 155, "bpf": 321, "keyctl": 250, "userfaultfd": 323,
    "io_uring_setup": 425, "prlimit64": 302, "setrlimit": 160, "memfd_create": 319, "kexec_load": 246, "reboot": 169, "unshare": 272,
    "setns": 308, "seccomp": 317, "prctl": 157, "pidfd_open": 434, "pidfd_send_signal": 424,
}  # fmt: skip
"""What the filter must refuse, by Linux's names and x86-64's numbers."""
X32 = 0x40000000
ASKING = f"""
import ctypes, threading
from synth.sandbox.inside import _refuse_system_calls
libc = ctypes.CDLL(None, use_errno=True)
assert _refuse_system_calls()
for number in [{", ".join(map(str, REFUSED.values()))}, 435, 39 | {X32}]:
    arguments = [0] * 6 if number == 56 else [ctypes.c_long(-1)] * 6
    print(number, libc.syscall(ctypes.c_long(number), *arguments), ctypes.get_errno(), flush=True)
thread = threading.Thread(target=print, args=("threads are let",))
thread.start()
thread.join()
"""


def test_each_refused_call_is_refused_by_its_number() -> None:
    """With arguments that the kernel refuses for another reason, where the filter does not: each must be told that it is not permitted."""
    if best_level() == "rlimits":
        pytest.skip("this kernel filters no system calls")
    said = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    assert said[:-3] == [f"{number} -1 {errno.EPERM}" for number in REFUSED.values()]
    assert said[-3:] == [f"435 -1 {errno.ENOSYS}", f"{39 | X32} -1 {errno.ENOSYS}", "threads are let"]


def test_honest_code_passes_at_every_level() -> None:
    program = "import math, itertools\ndef area(r):\n    return round(math.pi * r * r, 2)\nprint(area(1))"
    for level in levels():
        assert run_code(program, "assert area(1) == 3.14\nassert area(2) == 12.57", QUICK, level).ended == "passed"
        outcome = run_code(program, "assert area(1) == 3", QUICK, level)
        assert (outcome.ended, outcome.level) == ("failed", level)
        assert "AssertionError" in outcome.said


CLAMP = "def clamp(x, low, high):\n    if x < low:\n        return low\n    if x > high:\n        return high\n    return x"


def test_tests_must_pass_and_mutants_must_fail() -> None:
    tests = "assert clamp(5, 1, 9) == 5\nassert clamp(0, 1, 9) == 1\nassert clamp(10, 1, 9) == 9"
    verdict = judge_code(CLAMP, tests, QUICK)
    assert verdict.level == best_level()
    caught, of = map(int, verdict.caught.split("/"))
    assert caught >= 2
    assert of >= 3
    for program, wrong, rule in (
        (CLAMP, "assert clamp(0, 1, 9) == 0", "tests_fail"),
        (CLAMP, "clamp(5, 1, 9)", "tests_vacuous"),
        (CLAMP, "assert callable(clamp)", "tests_vacuous"),
        ("def clamp(:", tests, "unparsable"),
    ):
        with pytest.raises(Rejected, match=rule):
            judge_code(program, wrong, QUICK)
