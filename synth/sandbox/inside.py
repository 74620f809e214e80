"""What runs in the sandbox's child process: it gives up its rights, then runs a program and its tests. It imports nothing of ours.

Input on stdin is JSON: `program`, `tests`, `limits`, `word` (a secret word that means "passed"). Modules that honest exercises use are
loaded first; then limits are set, and, where the kernel filters system calls (seccomp, on x86-64), opening, writing and deleting files, new
processes, sockets, signals to others and tracing are refused for good. Nothing restores these rights, so it does not matter what the
program does to the interpreter; only its word counts, and an honest exit.
"""

import ctypes
import importlib
import json
import os
import platform
import random
import resource
import struct
import sys

_MODULES = (
    "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "heapq", "itertools", "math",
    "operator", "re", "statistics", "string", "textwrap", "typing",
)  # fmt: skip
"""What an honest exercise imports; other modules cannot be loaded where files are out of reach."""

_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026
_ARCHITECTURE = 0xC000003E
_OPENING = {2: 1, 257: 2}
"""Calls that open files, and which argument holds the flags."""
_CLONE, _CLONE3, _THREAD = 56, 435, 0x10000
_REFUSED = (
    # processes: fork, vfork, execve, execveat, ptrace, process_vm_readv, process_vm_writev
    57, 58, 59, 322, 101, 310, 311,
    # sockets: socket, connect, bind, listen, sendto, socketpair
    41, 42, 49, 50, 44, 53,
    # files: open and openat (all), creat, openat2, open_by_handle_at, unlink.., rename.., mkdir.., rmdir, links, chmod.., chown.., truncate
    2, 257, 85, 437, 304, 87, 263, 82, 264, 316, 83, 258, 84, 88, 266, 86, 265, 90, 91, 268, 92, 93, 94, 260, 76, 77, 133, 259,
    # the rest: kill, tkill, mount, umount, chroot, pivot_root, bpf, keyctl, userfaultfd, io_uring, limits, memfd_create, kexec, reboot
    62, 200, 165, 166, 161, 155, 321, 250, 323, 425, 302, 160, 319, 246, 169, 272, 308, 317, 157, 424, 434,
)  # fmt: skip


def _refuse_system_calls() -> bool:
    """Filter system calls from now on; return whether this kernel does."""
    if platform.machine() != "x86_64":
        return False
    libc = ctypes.CDLL(None, use_errno=True)

    def step(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    load, equal, any_bit, end = 0x20, 0x15, 0x45, 0x06
    program = [step(load, 0, 0, 4), step(equal, 1, 0, _ARCHITECTURE), step(end, 0, 0, _UNKNOWN), step(load, 0, 0, 0)]
    program += [step(0x35, 0, 1, 0x40000000), step(end, 0, 0, _UNKNOWN)]
    program += [step(equal, 0, 1, _CLONE3), step(end, 0, 0, _UNKNOWN)]
    for number in _REFUSED:
        program += [step(equal, 0, 1, number), step(end, 0, 0, _REFUSE)]
    program += [step(equal, 0, 3, _CLONE), step(load, 0, 0, 16), step(any_bit, 1, 0, _THREAD), step(end, 0, 0, _REFUSE)]
    program += [step(end, 0, 0, _ALLOW)]
    code = b"".join(program)
    held = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(held))
    head = ctypes.create_string_buffer(filters, len(filters))
    no_new_rights, set_filter = 38, 22
    return bool(libc.prctl(no_new_rights, 1, 0, 0, 0) == 0 and libc.prctl(set_filter, 2, ctypes.c_ulong(ctypes.addressof(head)), 0, 0) == 0)


def main() -> None:
    """Run the program and its tests."""
    given = json.loads(sys.stdin.buffer.read())
    limits = given["limits"]
    for module in _MODULES:
        importlib.import_module(module)
    code = [compile(given[name], name, "exec") for name in ("program", "tests")]
    scope: dict[str, object] = {"__name__": "exercise", "__builtins__": __builtins__}
    random.seed(0)
    os.environ.clear()
    resource.setrlimit(resource.RLIMIT_CPU, (limits["seconds"], limits["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))
    filtered = _refuse_system_calls()
    if limits["must_filter"] and not filtered:
        os._exit(97)
    sys.stderr.write("filtered\n" if filtered else "limited\n")
    sys.stderr.flush()
    for part in code:
        exec(part, scope)
    sys.stdout.flush()
    sys.stderr.write(given["word"])
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
