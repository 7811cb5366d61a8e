"""Debian's Chromium without a window, driven over its DevTools protocol, and pages for it to open."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
]

# MLflow's server starts workers for evaluations that nobody here asks for.
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


class Page:
    """One tab, with all that its console said and all that it asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._last = socket, 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        said = {
            "Runtime.exceptionThrown": True,
            "Runtime.consoleAPICalled": params.get("type") == "error",
            "Log.entryAdded": params.get("entry", {}).get("level") == "error",
        }
        if said.get(str(method)):
            self.errors.append(json.dumps(params)[:500])

    def before_each_page(self, script: str) -> None:
        """JavaScript to run in every page before its own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def ask(self, expression: str) -> object:
        """Value of a JavaScript expression; None where it throws."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> object:
        """The value of an expression once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < end, f"{expression} is {value!r}: {self.text()[:2000]}"
            time.sleep(0.2)
        return value

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            key_of = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type=kind, **key_of)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def text(self) -> str:
        return str(self.ask("document.body.innerText"))

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def screenshot(self, path: Path, width: int, height: int) -> None:
        self.resize(width, height)
        time.sleep(1)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a browser of its own; `profile` is an empty folder."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not (told.exists() and len(told.read_text().split()) == 2):
            assert process.poll() is None, "chromium ended"
            assert time.monotonic() < end, "chromium does not answer"
            time.sleep(0.1)
        port = told.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = json.load(answer)
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(60)


def kedro_viz(project: Path) -> AbstractContextManager[str]:
    """kedro-viz over the project, on a free port; yields its address."""
    kedro = str(Path(sys.executable).parent / "kedro")
    return _server([kedro, "viz", "run", "--no-browser"], "api/main", project, {})


def mlflow_server(project: Path) -> AbstractContextManager[str]:
    """MLflow over the runs of a project, on a free port; yields its address."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{project}/mlflow.db"]
    return _server(command, "health", project, LEAN)


def _free_port() -> int:
    """A port on loopback; kedro-viz takes none above 49151, where the system would look."""
    port = 20_000 + os.getpid() % 20_000
    while True:
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
        port += 1


@contextmanager
def _server(
    command: list[str], path: str, project: Path, environment: dict[str, str]
) -> Iterator[str]:
    """A server on loopback while it is needed, once it answers at `path`."""
    port = _free_port()
    command = [*command, "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=project, env=os.environ | environment, **quiet)
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + 240
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/{path}", timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(60)
