"""A local dashboard: serves pages of results, checks the token, and makes the troubles that real ones make."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "right-token"


@dataclass(frozen=True)
class Answer:
    """What to send: Content-Length as `announced` (the body's unless told), `drip` seconds between bytes."""

    body: bytes = b"[]"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    announced: int | None = None
    drip: float = 0.0
    silence: float = 0.0


@dataclass
class Dashboard:
    """`answers` maps a path with query to an answer; `troubles` come first, one a request."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    troubles: list[Answer] = field(default_factory=list)
    fallback: Callable[[str], Answer] = lambda path: Answer(b"nothing here", 404)
    requests: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@contextmanager
def dashboard_server() -> Iterator[Dashboard]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    dashboard = Dashboard(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.dashboard = dashboard  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield dashboard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zipped(body: bytes) -> Answer:
    return Answer(gzip.compress(body), headers=(("Content-Encoding", "gzip"),))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        dashboard: Dashboard = self.server.dashboard  # type: ignore[attr-defined]
        dashboard.requests.append(self.path)
        dashboard.tokens.append(self.headers["Authorization"])
        dashboard.times.append(time.monotonic())
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            answer = Answer(b'{"error": "unauthorized"}', 401)
        elif dashboard.troubles:
            answer = dashboard.troubles.pop(0)
        else:
            answer = dashboard.answers.get(self.path) or dashboard.fallback(self.path)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.silence)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        announced = len(answer.body) if answer.announced is None else answer.announced
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        try:
            self._write(answer)
        except (BrokenPipeError, ConnectionResetError):
            # The client has given up, as it should.
            self.close_connection = True
        if announced != len(answer.body):
            self.close_connection = True

    def _write(self, answer: Answer) -> None:
        if not answer.drip:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            time.sleep(answer.drip)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at the requests."""


def dashboard_at(url: str, token: str = TOKEN) -> dict[str, dict[str, str]]:
    """The sources of settings that pull a dashboard and nothing else."""
    return {"dashboard": {"url": url, "token": token}}
