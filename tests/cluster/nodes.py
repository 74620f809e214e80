"""A Ray cluster of several nodes on this machine, each a raylet of its own that can be lost and can join; some run in another environment.

With `apart`, each node lies in a network namespace and a mount namespace of its own (root only): it has its own address and /tmp, and what
the nodes share is the object store.
"""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class TestCluster:
    """Raylets by name; `address` is the head's, which runs no task. `environment` is what nodes are started in, `scratch` Ray's folder."""

    folder: Path
    scratch: str
    environment: dict[str, str]
    apart: bool = False
    port: int = 0
    nodes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    __test__ = False

    @property
    def host(self) -> str:
        """The head's address."""
        return "10.77.0.1" if self.apart else "127.0.0.1"

    @property
    def address(self) -> str:
        """Where drivers join."""
        return f"{self.host}:{self.port}"

    def start_head(self) -> None:
        """Start the head, which has no CPUs for tasks."""
        if self.apart:
            run("ip link add ray0 type bridge && ip addr add 10.77.0.1/24 dev ray0 && ip link set ray0 up")
        self._start("head", ["--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={self.scratch}"])

    def join(self, name: str, cpus: int = 1, python: str = sys.executable, memory: int = 2 << 30, hidden: str = "") -> None:
        """Start a node; it does not see what lies in the folder `hidden` (root only)."""
        self._start(name, [f"--address={self.address}", f"--num-cpus={cpus}", f"--memory={memory}"], python, hidden)

    def lose(self, name: str) -> None:
        """Kill a node: its raylet, and its workers with it."""
        process = self.nodes.pop(name)
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self.apart and name != "head":
            run(f"ip netns del ray-{name}; ip link del ray-{name}", check=False)

    def _start(self, name: str, options: list[str], python: str = sys.executable, hidden: str = "") -> None:
        fixed = ["--block", "--disable-usage-stats", "--object-store-memory=80000000"]
        command = [python, "-m", "ray.scripts.scripts", "start", *fixed, *options]
        if name == "head" or not self.apart:
            command.append(f"--node-ip-address={self.host}")
        else:
            number = 2 + sum(ord(letter) for letter in name) % 200
            run(
                f"ip netns add ray-{name} && ip link add ray-{name} type veth peer name eth0 netns ray-{name} && "
                f"ip link set ray-{name} master ray0 up && ip -n ray-{name} addr add 10.77.0.{number}/24 dev eth0 && "
                f"ip -n ray-{name} link set eth0 up && ip -n ray-{name} link set lo up"
            )
            command = ["ip", "netns", "exec", f"ray-{name}", *command, f"--node-ip-address=10.77.0.{number}"]
            hidden = hidden or "/tmp"
        if hidden:
            command = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs tmpfs {hidden} && exec {' '.join(command)}"]
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            self.nodes[name] = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=stream, stderr=stream, start_new_session=True, cwd="/"
            )
        deadline = time.monotonic() + 90
        while "runtime started" not in log.read_text():
            if self.nodes[name].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text())
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(command: str, check: bool = True) -> None:
    subprocess.run(["sh", "-c", command], check=check, capture_output=not check)


@contextmanager
def cluster(folder: Path, environment: dict[str, str] | None = None, apart: bool = False) -> Iterator[TestCluster]:
    """Yield a cluster with a head and no other node; end all of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as scratch:  # short: Ray's sockets lie in it
        made = TestCluster(folder, scratch, {"RAY_health_check_period_ms": "500", **(environment or {})}, apart, _free_port())
        try:
            made.start_head()
            yield made
        finally:
            for name in list(made.nodes)[::-1]:
                made.lose(name)
            if apart:
                run("ip link del ray0", check=False)


def can_hide() -> bool:
    """Tell whether this process may give a node a mount namespace of its own, in which our code is not to be seen."""
    return os.getuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


def python_without_us(folder: Path) -> str:
    """Make an environment with every package of this one but our own, and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    places = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})["purelib"]
    Path(places, "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # the .pth files there are not read
    return str(folder / "bin/python")
