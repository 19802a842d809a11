"""Headless Chromium, driven through the DevTools protocol over a pipe; no library is needed.

The browser reads JSON from file descriptor 3 and writes it to 4, a zero byte after each message.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Browser:
    """One process; a context manager."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        ours_out, theirs_in = os.pipe(), os.pipe()

        def connect() -> None:
            # Both at once: one of them may be 3 or 4 already.
            read, write = os.dup(theirs_in[0]), os.dup(ours_out[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--remote-debugging-pipe", "--allow-file-access-from-files"),
                *("--force-device-scale-factor=1", "--hide-scrollbars", "--touch-events=enabled"),
                *("--disable-background-networking", f"--user-data-dir={self._profile}"),
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=connect,
            close_fds=False,
        )
        os.close(theirs_in[0])
        os.close(ours_out[1])
        self._to, self._from = os.fdopen(theirs_in[1], "wb"), os.fdopen(ours_out[0], "rb")
        self._waiting = b""
        return self

    def __exit__(self, *_: object) -> None:
        self.call("Browser.close")
        self._to.close()
        self._from.close()
        self._process.wait(30)

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """What the browser answers; events that come before it are kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str) -> dict[str, Any]:
        """The next event of this kind."""
        while True:
            for number, event in enumerate(self.events):
                if event.get("method") == method:
                    del self.events[number]
                    return event
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            part = self._from.read1(1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self._waiting += part
        message, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(message)


class Page:
    """A tab, with what went wrong in it and what it asked for.

    Attributes:
        complaints: Uncaught errors, and what was written to the console as a warning or an error.
        requests: Addresses, the page's own first.
    """

    def __init__(self, browser: Browser, width: int, height: int = 900, **media: str) -> None:
        self._browser = browser
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        features = [{"name": name.replace("_", "-"), "value": v} for name, v in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        answer = self._browser.call(method, self._session, **params)
        self._sort()
        return answer

    def resize(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, path: Path) -> None:
        """Load a file, and all that it asks for."""
        self.call("Page.navigate", url=path.as_uri())
        self._browser.wait("Page.loadEventFired")
        self._sort()

    def run(self, expression: str) -> Any:
        """The value of an expression; of a promise, once it is kept."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def mouse(self, kind: str, x: float, y: float) -> None:
        """`mousePressed`, `mouseMoved` or `mouseReleased`, with the left button."""
        buttons = 0 if kind == "mouseReleased" else 1
        self.call(
            "Input.dispatchMouseEvent",
            **{"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1},
        )

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """`touchStart`, `touchMove` or `touchEnd`."""
        where = [{"x": x, "y": y} for x, y in points]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=where)

    def key(self, name: str, shift: bool = False) -> None:
        """Press and release, e.g. `ArrowLeft`."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=name,
                code=name,
                windowsVirtualKeyCode=codes[name],
                modifiers=8 * shift,
            )

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _sort(self) -> None:
        left = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session or event["method"].startswith("Page."):
                left.append(event)
                continue
            params = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif event["method"] == "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"]["text"])
            elif event["method"] == "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                self.complaints += [params["type"]] * (params["type"] in ("error", "warning"))
        self._browser.events = left
