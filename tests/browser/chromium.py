"""Drive a headless Chromium over its DevTools protocol, through a pipe."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--window-size=1200,900",
]
PATIENCE = 60.0


class Page:
    """One tab: what it is told, and the events it reports."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self.process, self._send, self._receive = process, send, receive
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        limit = time.monotonic() + PATIENCE
        while True:
            answer = self._read(limit)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _read(self, limit: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], max(limit - time.monotonic(), 0))
            if not ready:
                raise TimeoutError("Chromium does not answer")
            self._buffer += os.read(self._receive, 1 << 20)
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def js(self, expression: str) -> Any:
        """The value of an expression; a promise is awaited."""
        found = self.do(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description"))
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait, in the page, until a condition holds."""
        self.js(
            "new Promise((done) => { const look = () => { "
            f"if ({condition}) done(true); else setTimeout(look, 5); }}; look(); }})"
        )

    def open(self, address: str) -> None:
        """Load an address anew and wait for its view."""
        self.do("Page.navigate", url="about:blank")
        self.do("Page.navigate", url=address)
        self.until(
            "document.getElementById('main') && document.getElementById('main').dataset.ready"
        )

    def go(self, fragment: str) -> None:
        """Change the fragment of the address and wait for its view."""
        self.js("delete document.getElementById('main').dataset.ready")
        self.js(f"location.hash = {json.dumps(fragment)}")
        self.until("document.getElementById('main').dataset.ready")

    def text(self) -> str:
        """The visible text of the view."""
        return str(self.js("document.getElementById('main').innerText"))

    def key(self, key: str) -> None:
        """Press and release a key."""
        codes = {"Enter": 13, "Escape": 27}
        named = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        self.do("Input.dispatchKeyEvent", type="keyDown", **common, **named)
        self.do("Input.dispatchKeyEvent", type="keyUp", **common)

    def problems(self) -> list[str]:
        """Errors so far: exceptions, and what the browser logs as an error."""
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"]))
            entry = event.get("params", {}).get("entry", {})
            if event.get("method") == "Log.entryAdded" and entry.get("level") == "error":
                found.append(entry["text"])
        return found

    def requested(self) -> set[str]:
        """The kinds of address that anything was loaded from."""
        return {
            event["params"]["request"]["url"].split(":")[0]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        }


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own in ``folder``."""
    assert PROGRAM is not None
    to_browser, our_end = os.pipe()
    our_ear, from_browser = os.pipe()

    def ends() -> None:
        # Chromium listens on 3 and speaks on 4.
        os.dup2(to_browser, 3)
        os.dup2(from_browser, 4)

    # The pipe's ends must not be 3 or 4 themselves while they are moved there.
    high = [os.dup(fd) for fd in (to_browser, from_browser)]
    to_browser, from_browser = (os.dup(fd) for fd in high)
    process = subprocess.Popen(
        [PROGRAM, *FLAGS, f"--user-data-dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=ends,
        close_fds=False,
    )
    try:
        yield Page(process, our_end, our_ear)
    finally:
        process.terminate()
        process.wait()
