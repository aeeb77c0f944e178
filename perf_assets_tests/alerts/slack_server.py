"""A local HTTP server that speaks as much of Slack's API as posting a message needs, limits and refusals included."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "xoxb-right-token"
CHANNEL = "C0PERF"


@dataclass
class FakeSlack:
    """What the server has accepted, and the troubles it still has to make, first one first."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    troubles: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def titles(self) -> list[str]:
        return [message["text"] for message in self.messages]


@contextmanager
def slack_server() -> Iterator[FakeSlack]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    slack = FakeSlack(url=f"http://127.0.0.1:{server.server_address[1]}/api/")
    server.slack = slack  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refusal(message: dict[str, Any]) -> str | None:
    """Slack's error code for a message it would not take, None for one it takes."""
    if message.get("channel") != CHANNEL:
        return "channel_not_found"
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    if len(blocks) > 50 or any(not _is_valid(block) for block in blocks):
        return "invalid_blocks"
    return None


def _is_valid(block: dict[str, Any]) -> bool:
    if block["type"] == "header":
        return block["text"]["type"] == "plain_text" and _fits(block["text"], 150)
    fields = block.get("fields", [])
    texts_fit = "text" not in block or _fits(block["text"], 3000)
    return (
        ("text" in block or bool(fields))
        and texts_fit
        and len(fields) <= 10
        and all(_fits(text, 2000) for text in fields)
    )


def _fits(text: dict[str, Any], limit: int) -> bool:
    # JavaScript's length, the strictest of the ways to count.
    return 1 <= len(text["text"].encode("utf-16-le")) // 2 <= limit


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        slack: FakeSlack = self.server.slack  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with slack.lock:
            slack.requests += 1
            trouble = slack.troubles.pop(0) if slack.troubles else ""
        if trouble == "lost":
            with slack.lock:
                slack.messages.append(json.loads(body))
            self.close_connection = True
        elif trouble:
            getattr(self, f"_{trouble}")()
        elif self.path != "/api/chat.postMessage":
            self._answer(404, {"ok": False, "error": "unknown_method"})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(200, {"ok": False, "error": "invalid_auth"})
        else:
            self._post(slack, json.loads(body))

    def _post(self, slack: FakeSlack, message: dict[str, Any]) -> None:
        error = refusal(message)
        if error:
            self._answer(200, {"ok": False, "error": error, "response_metadata": {"messages": [f"[ERROR] {error}"]}})
            return
        with slack.lock:
            slack.messages.append(message)
            count = len(slack.messages)
        self._answer(200, {"ok": True, "channel": CHANNEL, "ts": f"1757505600.{count:06d}"})

    def _rate_limit(self) -> None:
        self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "0"})

    def _long_rate_limit(self) -> None:
        self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "86400"})

    def _dated_rate_limit(self) -> None:
        self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "Thu, 10 Sep 2026 12:00:00 GMT"})

    def _server_error(self) -> None:
        self._answer(500, {"ok": False, "error": "internal_error"})

    def _proxy_page(self) -> None:
        self._send(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})

    def _odd_json(self) -> None:
        self._send(200, b'["not", "slack"]', {"Content-Type": "application/json"})

    def _empty_list(self) -> None:
        self._send(200, b"[]", {"Content-Type": "application/json"})

    def _slow(self) -> None:
        time.sleep(2.0)
        self.close_connection = True

    def _closed(self) -> None:
        self.close_connection = True

    def _answer(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at what was accepted."""
