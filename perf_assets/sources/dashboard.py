"""Results of scenario runs from the dashboard API, page by page as raw bytes; reading them is the format's business."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perf_assets.sources.addresses import address, next_in_link_header, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import (
    EndlessPagesError,
    ForeignHostError,
    NotJsonError,
    SettingsError,
    ShapeError,
    SourceError,
    StatusError,
    TruncatedError,
    UnauthorizedError,
    UnreachableError,
)
from perf_assets.sources.http import Client, Patience, Service, no_rest, secret_header
from perf_assets.wording.quantities import counted, quantity

__all__ = [
    "EndlessPagesError",
    "ForeignHostError",
    "NotJsonError",
    "SettingsError",
    "ShapeError",
    "SourceError",
    "StatusError",
    "TruncatedError",
    "UnauthorizedError",
    "UnreachableError",
    "fetch_results",
    "next_in_body",
    "next_in_link_header",
    "probe",
    "shown_url",
]

RESULTS_PATH = "/api/results"
NEXT_KEYS = ("next", "nextPage", "next_page")

BASE_URL_REMEDY = "The dashboard's URL is not usable; write it as https://host or https://host/path, without a query."


def fetch_results(
    base_url: str, token: str, *, timeout: float = 30, retries: int = 4, backoff: float = 0.5
) -> Iterator[bytes]:
    """Every page of `GET {base_url}/api/results`, as it came (after content decoding), in the order of the server.

    The next page is named by a `Link` header with `rel="next"` (RFC 8288), or in the body by `next`, `nextPage` or
    `next_page`: an address, a page number (sent as `page`) or any other text (sent as `cursor`). `timeout`, `retries`
    and `backoff` are those of Patience.

    Raises SettingsError at once, other SourceErrors while iterating. Pages already given stay valid.
    """
    url = address(base_url, RESULTS_PATH, BASE_URL_REMEDY)
    return _pages(url, _service(token), Patience(timeout, retries, backoff))


def probe(base_url: str, token: str, *, timeout: float = 10) -> str:
    """One request, not tried again, and a line about what it found. Raises SourceError."""
    url = address(base_url, RESULTS_PATH, BASE_URL_REMEDY)
    with Client(_service(token), Patience(timeout, retries=0)) as client:
        answer = client.get(url)
        results = _results(client, answer)
        following = _following(client, answer)
    first = results[0] if results else None
    fields = f" with the fields {', '.join(map(str, first))}" if isinstance(first, dict) else ""
    more = "; more pages follow" if following else ""
    size = quantity(len(answer.body), "By")
    return f"{shown_url(url)} answers with {counted(len(results), 'result')}{fields} in {size}{more}"


def next_in_body(content: object, url: str) -> str | None:
    """The address, maybe relative, that the body of the page at `url` names as next, if any. Raises ShapeError."""
    if not isinstance(content, dict):
        return None
    named = [content[key] for key in NEXT_KEYS if content.get(key) not in (None, "", False)]
    if not named:
        return None
    value = named[0]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ShapeError(
            f"{shown_url(url)}: the next page is given as {type(value).__name__}, not as a text or a number. The "
            "paging of the dashboard is at fault; tell whoever runs it."
        )
    text = str(value)
    if "://" in text or text.startswith(("/", "?", "./")) or "?" in text:
        return text
    return with_query(url, **{"page" if text.isascii() and text.isdigit() else "cursor": text})


def _pages(url: str, service: Service, patience: Patience) -> Iterator[bytes]:
    with Client(service, patience) as client:
        for answer in client.pages(url, lambda page: _following(client, page)):
            _results(client, answer)
            yield answer.body


def _results(client: Client, answer: Answer) -> list[Any]:
    content = client.json(answer)
    results = content.get("results") if isinstance(content, dict) else content
    if not isinstance(results, list):
        keys = f" with the keys {', '.join(content)}" if isinstance(content, dict) else ""
        raise ShapeError(
            f"{shown_url(answer.url)}: expected a list of results or an object with a list `results`, found "
            f"{type(content).__name__}{keys}. Check that the URL is that of the dashboard."
        )
    return results


def _following(client: Client, answer: Answer) -> str | None:
    return next_in_link_header(answer.link) or next_in_body(client.json(answer), answer.url)


def _service(token: str) -> Service:
    return Service(
        "the dashboard",
        secret_header("Authorization", token, "The dashboard's token", "Bearer"),
        token.strip(),
        rest=no_rest,
        if_missing="Check the address: the results are expected below it, at /api/results.",
    )
