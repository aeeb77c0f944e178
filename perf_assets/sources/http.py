"""HTTP as pulling needs it: patient with passing troubles, sparing with requests, careful with secrets.

Belongs here: getting an answer whole, its next page, and what a server says of its limits. Does not belong here: what
the answers of any one service mean.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from perf_assets.sources.addresses import next_in_link_header, same_origin, shown_url
from perf_assets.sources.answers import Answer, forget_old_answers, keep_answer, kept_answer
from perf_assets.sources.errors import (
    RETRIED_STATUSES,
    EndlessPagesError,
    NotFoundError,
    NotJsonError,
    RateLimitedError,
    SettingsError,
    ShapeError,
    SourceError,
    StatusError,
    TruncatedError,
    UnauthorizedError,
    UnreachableError,
    innermost_reason,
    said_in,
)
from perf_assets.wording.moments import second
from perf_assets.wording.quantities import counted, quantity

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session
    from urllib3.util import Retry

MOST_PAGES = 10_000
MOST_REDIRECTS = 5
LONGEST_WAIT_SECONDS = 60
"""The cap on back-off: a server that wants more rest is left to the next scheduled call."""

SLOWEST_ANSWER = 10
"""An answer may take this many time-outs in all: between two bytes of a drip there is never one."""

LARGEST_ANSWER = 1 << 29
"""Bytes, after decoding."""

SHORTEST_SECRET = 8
"""Characters; a shorter one may stand in an answer by chance."""

_SECONDARY_LIMIT_REST = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to try. `timeout` is in seconds, between two bytes; a whole answer may take ten of them.

    Status 408, 425, 429 and 5xx, connection errors, time-outs and truncated bodies are tried again up to `retries`
    times, after `backoff` * 2, 4, 8... seconds or what Retry-After asks for, at most a minute. `longest_rest` is how
    many seconds a rate limit may make a pull wait.
    """

    timeout: float = 30
    retries: int = 4
    backoff: float = 0.5
    longest_rest: float = 60


Headers = Mapping[str, str]


def no_rest(status: int, headers: Headers, body: bytes) -> float | None:
    """For services without limits of their own."""
    return None


def rest_asked(status: int, headers: Headers, body: bytes) -> float | None:
    """Seconds that an answer asks to be left alone, as GitHub and those like it say it; None if it says no such thing.

    That is Retry-After; or the time until the limit's reset, where no request remains; or a minute, where a refusal
    speaks of a rate limit and gives no time (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
    """
    if status not in (403, 429):
        return None
    now = _moment(headers.get("Date")) or datetime.now(UTC)
    after = headers.get("Retry-After", "").strip()
    if after.isascii() and after.isdigit():
        return float(after)
    until = _moment(after)
    if until is not None:
        return max((until - now).total_seconds(), 0.0)
    for prefix in ("x-ratelimit", "ratelimit"):
        reset = headers.get(f"{prefix}-reset", "").strip()
        if headers.get(f"{prefix}-remaining", "").strip() == "0" and reset.isascii() and reset.isdigit():
            # Small numbers are seconds from now, as the draft standard has it; GitHub and GitLab give epoch seconds.
            seconds = float(reset) if len(reset) < 9 else float(reset) - now.timestamp()
            return max(seconds, 0.0) + 1.0
    return _SECONDARY_LIMIT_REST if b"rate limit" in body[:4096].lower() else None


@dataclass(frozen=True)
class Service:
    """What is called: its name in messages, the headers every request gets, how it asks for rest, what helps if it
    refuses.

    `secret` is the value that may appear in no answer that is kept; it and `headers` are shown in no message.
    """

    name: str
    headers: Headers = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    rest: Callable[[int, Headers, bytes], float | None] = rest_asked
    if_refused: str = "Configure a token that is valid and may read results."
    if_missing: str = "Check the address."


def next_linked(answer: Answer) -> str | None:
    """The address of the next page by the answer's Link header."""
    return next_in_link_header(answer.link)


class Client:
    """Calls one service, and counts what it asked for. A context manager: the connections end with it.

    `cache` is a folder of answers that may be deleted at any time; without one nothing is kept.
    """

    def __init__(self, service: Service, patience: Patience, cache: Path | None = None) -> None:
        self.service = service
        self.requests = 0
        self.not_modified = 0
        self.bytes = 0
        self._patience = patience
        self._cache = cache
        self._session: Session | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._cache is not None:
            forget_old_answers(self._cache)

    def get(self, url: str) -> Answer:
        """The answer of `url`. Raises SourceError."""
        return self._get(url, {})

    def get_if_changed(self, url: str) -> Answer:
        """The same, but only asked for anew if it has changed since it was kept (ETag). Raises SourceError."""
        if self._cache is None:
            return self.get(url)
        file = self._cache / hashlib.sha256(f"{self.service.name} {url}".encode()).hexdigest()
        kept = kept_answer(file)
        answer = self._get(url, {"If-None-Match": kept.etag} if kept else {})
        if kept is not None and answer.not_modified:
            self.not_modified += 1
            file.touch()
            return kept
        if answer.etag:
            keep_answer(file, answer)
        return answer

    def pages(
        self,
        url: str,
        following: Callable[[Answer], str | None] = next_linked,
        get: Callable[[str], Answer] | None = None,
    ) -> Iterator[Answer]:
        """The answer of `url` and those that follow it, each named by the one before. Raises SourceError."""
        seen = {url}
        remedy = f"The paging of {self.service.name} is at fault; tell whoever runs it."
        for _ in range(MOST_PAGES):
            answer = (get or self.get)(url)
            yield answer
            named = following(answer)
            if named is None:
                return
            followed = same_origin(answer.url, named, self.service.name)
            if followed in seen:
                raise EndlessPagesError(f"{shown_url(url)}: the next page was read already. {remedy}")
            url = followed
            seen.add(url)
        raise EndlessPagesError(f"{shown_url(url)}: more than {counted(MOST_PAGES, 'page')}. {remedy}")

    def whole(self, answer: Answer) -> Answer:
        """The answer, if it is JSON: one that breaks off may look whole otherwise. Raises NotJsonError."""
        self.json(answer)
        return answer

    def json(self, answer: Answer) -> Any:
        """What the body says. Raises NotJsonError."""
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = answer.content_type or "no content type"
            size = quantity(len(answer.body), "By")
            raise NotJsonError(
                f"{shown_url(answer.url)}: the answer ({size}, {kind}) is not JSON: {error}. Check "
                f"that the URL is that of {self.service.name}'s API and leads to no login page."
            ) from error

    def _get(self, url: str, headers: Headers) -> Answer:
        """The answer after redirects, whole. They are followed here because requests would go to any host."""
        start = url
        for _ in range(MOST_REDIRECTS + 1):
            response, body = self._get_patiently(url, headers)
            if not response.is_redirect:
                return self._accepted(response, body, url, headers)
            url = same_origin(url, self._opened().get_redirect_target(response) or "", self.service.name)
        raise StatusError(
            f"{shown_url(start)}: more than {MOST_REDIRECTS} redirects. Configure the address they lead to."
        )

    def _get_patiently(self, url: str, headers: Headers) -> tuple[Response, bytes]:
        """One answer with its retries, which cover the body too; those that requests can do end with the headers."""
        from requests.exceptions import RequestException, SSLError
        from urllib3.exceptions import HTTPError, MaxRetryError

        policy = _policy(self._patience)
        rests = 0
        while True:
            try:
                response, body = self._get_once(url, headers)
            except SSLError as error:
                raise UnreachableError(
                    f"{shown_url(url)}: no trusted TLS connection ({innermost_reason(error)}). Check the address; "
                    "where the certificate is from your own authority, name its file in REQUESTS_CA_BUNDLE."
                ) from error
            except (RequestException, HTTPError, TimeoutError) as error:
                try:
                    policy = policy.increment("GET", url, error=error)
                except MaxRetryError:
                    raise _connection_error(error, url, self.service.name) from error
                policy.sleep()
                continue
            rest = self.service.rest(response.status_code, response.headers, body)
            if rest is not None:
                self._rest(rest, rests, response.status_code, url)
                rests += 1
                continue
            if not policy.total or response.status_code not in RETRIED_STATUSES:
                return response, body
            policy = policy.increment("GET", url, response=response.raw)
            _sleep(policy, response)

    def _get_once(self, url: str, headers: Headers) -> tuple[Response, bytes]:
        timeout = self._patience.timeout
        deadline = time.monotonic() + SLOWEST_ANSWER * timeout
        self.requests += 1
        with self._opened().get(
            url, timeout=timeout, stream=True, allow_redirects=False, headers=dict(headers)
        ) as response:
            parts = []
            size = 0
            while part := response.raw.read1(1 << 16, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise ShapeError(
                        f"{shown_url(url)}: the answer is longer than {quantity(LARGEST_ANSWER, 'By')}. Ask for less."
                    )
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the page was not complete after {quantity(SLOWEST_ANSWER * timeout, 's')}")
            self.bytes += size
            return response, b"".join(parts)

    def _opened(self) -> Session:
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.auth = _signature(self.service.headers)
        return self._session

    def _rest(self, seconds: float, rests: int, status: int, url: str) -> None:
        until = (datetime.now(UTC) + timedelta(seconds=min(seconds, 1e9))).replace(tzinfo=None)
        if seconds > self._patience.longest_rest or rests >= self._patience.retries:
            raise RateLimitedError(
                f"{shown_url(url)}: status {status}, {self.service.name} allows no more requests until "
                f"{second(until)}. Earlier results are kept, and the next pull continues from there; ask "
                "for less, or less often.",
                until,
            )
        time.sleep(seconds)

    def _accepted(self, response: Response, body: bytes, url: str, headers: Headers) -> Answer:
        secret = self.service.secret.strip()
        if len(secret) >= SHORTEST_SECRET and secret.encode() in body:
            raise ShapeError(f"{shown_url(url)}: the answer shows the token, so it is not kept. Tell whoever runs it.")
        if response.status_code == 304 and "If-None-Match" in headers:
            return Answer(url, b"", not_modified=True)
        if response.status_code != 200:
            raise self._refusal(response, body, url)
        return Answer(
            url,
            body,
            response.headers.get("Link", ""),
            response.headers.get("Content-Type", ""),
            response.headers.get("ETag", ""),
        )

    def _refusal(self, response: Response, body: bytes, url: str) -> SourceError:
        service, status = self.service, response.status_code
        told = f"{shown_url(url)}: status {status}"
        if status in (401, 403):
            return UnauthorizedError(
                f"{told}, {service.name} does not accept the token{said_in(body)}. {service.if_refused}", status
            )
        told = f"{told} {response.reason or ''}".rstrip() + said_in(body)
        if status in (404, 410):
            return NotFoundError(f"{told}. {service.if_missing}", status)
        if status == 429:
            return StatusError(f"{told}. Send {service.name} fewer requests, or less often.", status)
        remedy = f"Look into {service.name}'s log." if status >= 500 else "Check the address."
        return StatusError(f"{told}. {remedy}", status)


def secret_header(name: str, secret: str, whose: str, scheme: str = "") -> dict[str, str]:
    """A header that holds a secret. Raises SettingsError, which does not show it, for what no header can hold."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret.strip()):
        raise SettingsError(f"{whose} is empty or has characters that no token has; configure another.")
    return {name: f"{scheme} {secret.strip()}".strip()}


def _signature(headers: Headers) -> Callable[[PreparedRequest], PreparedRequest]:
    """What puts the headers on each request. A callable, for otherwise requests prefers what it finds in ~/.netrc."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        request.headers.update(headers)
        return request

    return sign


def _policy(patience: Patience) -> Retry:
    from urllib3.util import Retry

    return Retry(
        total=patience.retries,
        backoff_factor=patience.backoff,
        backoff_max=LONGEST_WAIT_SECONDS,
        retry_after_max=LONGEST_WAIT_SECONDS,
    )


def _sleep(policy: Retry, response: Response) -> None:
    from urllib3.exceptions import InvalidHeader

    try:
        policy.sleep(response.raw)
    except InvalidHeader:
        # A Retry-After that is neither seconds nor a date says no more than the status does.
        policy.sleep()


def _connection_error(error: Exception, url: str, service: str) -> SourceError:
    from urllib3.exceptions import DecodeError, IncompleteRead, ProtocolError

    if isinstance(error, DecodeError | IncompleteRead) or _was_cut_short(error):
        return TruncatedError(
            f"{shown_url(url)}: the answer was cut short or damaged ({innermost_reason(error)}). Try again later; if "
            f"it stays so, look for a proxy between here and {service}."
        )
    happened = "the connection was lost" if isinstance(error, ProtocolError) else "no answer"
    return UnreachableError(
        f"{shown_url(url)}: {happened} ({innermost_reason(error)}). Check the address, that {service} runs, and that "
        "this machine can reach it."
    )


def _was_cut_short(error: Exception) -> bool:
    from urllib3.exceptions import IncompleteRead, ProtocolError

    return isinstance(error, ProtocolError) and any(isinstance(part, IncompleteRead) for part in error.args)


def _moment(text: str | None) -> datetime | None:
    """A date of HTTP, with its zone."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
