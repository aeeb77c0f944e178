"""Results of scenario runs from the dashboard API, page by page as raw bytes; reading them is the format's business."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from pydantic import SecretStr

from perf_assets.plugins import from_environment, revealed
from perf_assets.sources.addresses import address, next_in_link_header, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import ShapeError
from perf_assets.sources.http import Client, Patience, Service, no_rest, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import HttpSource
from perf_assets.wording.quantities import counted, quantity

RESULTS_PATH = "/api/results"
NEXT_KEYS = ("next", "nextPage", "next_page")

PROBE_TIMEOUT = 10
"""Seconds; somebody waits for the answer."""

BASE_URL_REMEDY = "The dashboard's URL is not usable; write it as https://host or https://host/path, without a query."


class Dashboard(HttpSource):
    """Where it is, and who asks. It gives all of its results each time, so it is not asked for days.

    The next page is named by a `Link` header with `rel="next"` (RFC 8288), or in the body by `next`, `nextPage` or
    `next_page`: an address, a page number (sent as `page`) or any other text (sent as `cursor`).
    """

    section: ClassVar[str] = "dashboard"
    origin: ClassVar[str] = "dashboard"
    by_day: ClassVar[bool] = False
    description: ClassVar[str] = "Scenario runs of the scale-test dashboard, as it answers."
    remedy: ClassVar[str] = "Set SCALE_DASHBOARD_URL and SCALE_DASHBOARD_API_KEY in the environment."

    url: str = from_environment("SCALE_DASHBOARD_URL", "")
    token: SecretStr | None = from_environment("SCALE_DASHBOARD_API_KEY")

    @property
    def configured(self) -> bool:
        return bool(self.url and self.token)

    def service(self) -> Service:
        token = revealed(self.token)
        return Service(
            "the dashboard",
            secret_header("Authorization", token, "The dashboard's token", "Bearer"),
            token.strip(),
            rest=no_rest,
            if_missing="Check the address: the results are expected below it, at /api/results.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """Raises SettingsError."""
        return {shown_url(self._first_page()): partial(self._everything, client)}

    def pages(self, client: Client) -> Iterator[bytes]:
        """Every page of results, as it came. Raises SourceError; pages already given stay valid."""
        for answer in client.pages(self._first_page(), lambda page: _following(client, page)):
            _results(client, answer)
            yield answer.body

    def _everything(self, client: Client, day: Day, seen: Seen) -> Iterator[Found]:
        """All pages as one file; landing knows whether it has come before."""
        yield Found((Delivery("dashboard-results.json", b"\n".join(self.pages(client))),), {})

    def _first_page(self) -> str:
        return address(self.url, RESULTS_PATH, BASE_URL_REMEDY)

    def probe(self) -> str:
        """One request, not tried again, and a line about what it found. Raises SourceError."""
        url = self._first_page()
        with Client(self.service(), Patience(PROBE_TIMEOUT, retries=0)) as client:
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
