"""A real headless Chromium for tests, driven over its DevTools protocol through two pipes.

That protocol is JSON: no driver program, no package and no port stands between.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120.0
"""Seconds for an answer: a shared machine may be slow, a dead browser is noticed at once."""
HIGH = 20


def program() -> str | None:
    """Return the browser: the one that STRESSCUBE_CHROMIUM names, or what is installed."""
    return shutil.which(os.environ.get("STRESSCUBE_CHROMIUM", "")) or next(
        filter(None, map(shutil.which, NAMES)), None
    )


class Page:
    """One tab: what it said, what it asked a network for, and what is in it."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._number, self._rest = 0, b""
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command; what happens meanwhile is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, path: Path) -> None:
        """Open a file and wait until its scripts have run."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.until("document.documentElement?.dataset.ready === 'yes'")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page, or of its promise."""
        found = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.05)

    def look(self, *, width: int, height: int, dark: bool = False, mobile: bool = False) -> None:
        """Set the size of the window, in CSS pixels, and the reader's theme."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if mobile else 1, mobile=mobile,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def settle(self) -> None:
        """Wait until what was changed has been drawn."""
        self.evaluate(
            "new Promise((done) => setTimeout(() => requestAnimationFrame(() => "
            "requestAnimationFrame(() => done(true))), 250))"
        )

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def _receive(self) -> dict[str, Any]:
        """Return the next message; events are noted on the way."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], 1.0)
            data = os.read(self._back, 1 << 20) if ready else b""
            gone = self._process.poll() is not None
            assert data or not (ready or gone), "the browser has gone"
            assert time.monotonic() < end, "the browser does not answer"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, what: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(what["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(what["args"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.complaints.append(what["entry"]["text"])
        elif event == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog: {what['message']}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])


@contextmanager
def chromium() -> Generator[Page]:
    """Start a browser with a profile of its own, and end it."""
    path = program()
    assert path, "no Chromium"
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    # The protocol's pipes are 3 and 4: moved up first, so that neither is in the other's way.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, HIGH) for end in (theirs_in, theirs_out)]
    os.close(theirs_in)
    os.close(theirs_out)

    def wire() -> None:
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    # A helper of the browser may still write for a moment after it was killed: what it leaves
    # in a temporary folder is no test's business.
    with tempfile.TemporaryDirectory(
        prefix="stresscube-browser-", ignore_cleanup_errors=True
    ) as profile:
        # No sandbox: containers often allow none, and the pages are our own.
        command = [
            path, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}",
            "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--no-sandbox", "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, preexec_fn=wire, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for end in ends:
            os.close(end)
        try:
            yield Page(process, to, back)
        finally:
            _end(process)
            os.close(to)
            os.close(back)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a browser and its helper processes, which outlive it, and let go of its profile."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
