"""A headless Chromium, driven by its own protocol (DevTools): enough of it to open a page, press keys, and see what happened."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 30.0
_WHOLE = "performance.getEntriesByType('navigation')[0].loadEventEnd > 0 && !document.querySelector('[data-waiting]')"
"""The page is loaded, and no frame of one that is not ready."""


class Browser:
    """One tab. Errors, violations of the page's policy, dialogs and requests are collected as they happen."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._number = 0
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.violations: list[str] = []
        self.errors: list[str] = []
        self._loads = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            message = json.loads(self._connection.recv(timeout=_PATIENCE))
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)
        raise TimeoutError(method)

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(told["message"])
                self._number += 1
                self._connection.send(json.dumps({"id": self._number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}))
            case "Page.loadEventFired":
                self._loads += 1
            case "Log.entryAdded":
                entry = told["entry"]
                where = self.violations if "Content Security Policy" in entry["text"] else self.errors
                where.append(f"{entry['text']} {entry.get('url', '')}")
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(told["exceptionDetails"])[:500])

    def open(self, address: str) -> None:
        """Open a page and wait until it is loaded."""
        before = self._loads
        self.send("Page.navigate", url=address)
        self.until(lambda: self._loads > before, "the page loads")
        self.wait(_WHOLE)

    def run(self, script: str) -> Any:
        """Return what a script gives; a promise is awaited."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, (script, told)
        return told["result"].get("value")

    def wait(self, script: str) -> Any:
        """Wait until a script gives something true."""
        found: list[Any] = []

        def is_there() -> bool:
            with contextlib.suppress(AssertionError):  # the page is being replaced
                found[:] = [self.run(script)]
            return bool(found and found[0])

        self.until(is_there, script)
        return found[0]

    def until(self, is_so: Any, what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            self.run("0")
            time.sleep(0.03)

    def press(self, key: str) -> None:
        """Press a key; a character is typed."""
        typed = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13}.get(key, ord(key.upper()) if len(key) == 1 else 0)
        for kind in ("keyDown", "keyUp"):
            more = typed if kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def leaves_by(self, act: Any) -> None:
        """Do something that opens another page, and wait for that."""
        before = self._loads
        act()
        self.until(lambda: self._loads > before, "another page")
        self.wait(_WHOLE)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path: Path, whole: bool = False) -> None:
        told = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium and yield a tab of it; skip the test where there is none."""
    connect = pytest.importorskip("websockets.sync.client").connect
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser is installed; any of {', '.join(NAMES)} would do")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            "--no-first-run",
        ]
        flags += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions"]
        flags.append(f"--user-data-dir={profile}")
        started = subprocess.Popen([program, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _port(Path(profile) / "DevToolsActivePort", started)
            with connect(_tab(port), max_size=1 << 28, proxy=None) as connection:
                yield Browser(connection)
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait(10)


def _port(file: Path, started: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert started.poll() is None, "the browser ended"
        lines = file.read_text().splitlines() if file.exists() else []
        if lines:
            return int(lines[0])
        time.sleep(0.05)
    raise TimeoutError("the browser does not start")


def _tab(port: int) -> str:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_PATIENCE) as answer:
        tabs = json.loads(answer.read())
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
