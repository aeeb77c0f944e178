"""A local service: answers what a function of the test says, as real ones do on a good day and on a bad one."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from perf_assets_tests.sources.dashboard_server import Answer

SECRET = "hunter2-do-not-show"


@dataclass(frozen=True)
class Request:
    """What was asked: `path` without, `query` with the last value of each parameter."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Service:
    """`answer` is asked for each request; `troubles` come before it, one a request whose path holds their key."""

    url: str
    answer: Callable[[Request], Answer]
    troubles: list[tuple[str, Answer]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    not_modified: int = 0

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def asked_since(self, count: int) -> list[str]:
        return self.paths[count:]


@contextmanager
def serving(answer: Callable[[Request], Answer]) -> Iterator[Service]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    service = Service(f"http://127.0.0.1:{server.server_address[1]}", answer)
    server.service = service  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_json(content: Any, status: int = 200, **headers: str) -> Answer:
    told = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(json.dumps(content).encode(), status, (("Content-Type", "application/json"), *told))


def paged(url: str, request: Request, elements: list[Any], size: int) -> tuple[list[Any], dict[str, str]]:
    """The elements on the page that is asked for, and the Link header that leads to the next."""
    page = int(request.query.get("page", "1"))
    rest = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "page")
    more = len(elements) > page * size
    link = f'<{url}{request.path}?{rest}&page={page + 1}>; rel="next", <{url}{request.path}?{rest}&page=1>; rel="first"'
    return elements[(page - 1) * size : page * size], {"Link": link} if more else {}


def with_etag(answer: Answer) -> Answer:
    tag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:16]}"'
    return Answer(answer.body, answer.status, (*answer.headers, ("ETag", tag)), answer.announced, answer.drip)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        service: Service = self.server.service  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        request = Request(parts.path, query, {name.lower(): value for name, value in self.headers.items()})
        service.requests.append(request)
        place = next((n for n, (key, _) in enumerate(service.troubles) if key in request.path), None)
        answer = service.answer(request) if place is None else service.troubles.pop(place)[1]
        tag = dict(answer.headers).get("ETag")
        if tag is not None and request.headers.get("if-none-match") == tag:
            service.not_modified += 1
            answer = Answer(b"", 304, answer.headers)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.silence)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        announced = len(answer.body) if answer.announced is None else answer.announced
        if answer.status != 304:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        try:
            for place in range(0, len(answer.body), 1 if answer.drip else len(answer.body) or 1):
                self.wfile.write(answer.body[place : place + 1] if answer.drip else answer.body)
                time.sleep(answer.drip)
        except (BrokenPipeError, ConnectionResetError):
            # The client has given up, as it should.
            self.close_connection = True
        if announced != len(answer.body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at the requests."""
