"""Results of scenario runs from the dashboard API, page by page as raw bytes; reading them is the format's business."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session
    from urllib3.util import Retry

RESULTS_PATH = "/api/results"
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
NEXT_KEYS = ("next", "nextPage", "next_page")
MOST_PAGES = 10_000
MOST_REDIRECTS = 5
LONGEST_WAIT_SECONDS = 60
"""The cap on back-off and on Retry-After: a server that wants more rest is left to the next scheduled call."""

SLOWEST_PAGE = 10
"""A page may take this many time-outs in all: between two bytes of a drip there is never one."""

BASE_URL_REMEDY = "The dashboard's URL is not usable; write it as https://host or https://host/path, without a query."
PAGING_REMEDY = "The paging of the dashboard is at fault; tell whoever runs it."

LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]*))?)*)')
LINK_PARAMETER = re.compile(r';\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*)))?')


class SourceError(Exception):
    """The dashboard gave no results; the message names the URL (never a secret), what happened, and what to do."""


class SettingsError(SourceError):
    """The base URL or the token cannot be used at all."""


class UnauthorizedError(SourceError):
    """401 or 403: the token is wrong, or may not read the results."""


class UnreachableError(SourceError):
    """No connection, no answer in time, or a broken TLS connection, retries included."""


class StatusError(SourceError):
    """An answer with any other status than success, retries included."""


class TruncatedError(SourceError):
    """The connection ended before the announced end of the body, retries included."""


class NotJsonError(SourceError):
    """The body is not JSON: mostly a login page, or the wrong address."""


class ShapeError(SourceError):
    """The body is JSON, but neither a list nor an object with a list `results`, or its next page is unreadable."""


class ForeignHostError(SourceError):
    """A redirect or a next page leads to another host, which must not see the token."""


class EndlessPagesError(SourceError):
    """The pages lead in a circle, or there are more of them than can be."""


@dataclass(frozen=True)
class _Page:
    body: bytes
    results: list[Any]
    next_url: str | None


def fetch_results(
    base_url: str, token: str, *, timeout: float = 30, retries: int = 4, backoff: float = 0.5
) -> Iterator[bytes]:
    """Every page of `GET {base_url}/api/results`, as it came (after content decoding), in the order of the server.

    The next page is named by a `Link` header with `rel="next"` (RFC 8288), or in the body by `next`, `nextPage` or
    `next_page`: an address, a page number (sent as `page`) or any other text (sent as `cursor`).

    `timeout` is in seconds, between two bytes; a whole page may take ten of them. Status 429 and 5xx, connection
    errors, time-outs and truncated bodies are tried again up to `retries` times a page, after `backoff` * 2, 4, 8...
    seconds or what Retry-After asks for, at most a minute.

    Raises SettingsError at once, other SourceErrors while iterating. Pages already given stay valid.
    """
    url = _results_url(base_url)
    return _pages(url, _bearer(token), timeout, _policy(retries, backoff))


def probe(base_url: str, token: str, *, timeout: float = 10) -> str:
    """One request, not tried again, and a line that tells what it found. Raises SourceError."""
    import requests

    url = _results_url(base_url)
    bearer = _bearer(token)
    with requests.Session() as session:
        session.auth = bearer
        page = _page(session, url, timeout, _policy(0, 0.0))
    first = page.results[0] if page.results else None
    fields = f" with the fields {', '.join(map(str, first))}" if isinstance(first, dict) else ""
    more = "; more pages follow" if page.next_url else ""
    return f"{shown_url(url)} answers with {len(page.results)} results{fields} in {len(page.body):,} bytes{more}"


def shown_url(url: str) -> str:
    """`url` as it may be printed: without user, password and fragment, the values of the query hidden."""
    parts = urlsplit(url)
    query = "&".join(f"{name}=..." for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def next_in_link_header(header: str) -> str | None:
    """The target of the first link whose relations include `next` (RFC 8288, section 3), if there is one."""
    for target, parameters in LINK.findall(header):
        for name, quoted, bare in LINK_PARAMETER.findall(parameters):
            if name.lower() == "rel":
                # Only the first rel of a link counts (section 3.3).
                if "next" in (quoted or bare).lower().split():
                    return str(target)
                break
    return None


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
            f"{shown_url(url)}: the next page is given as {type(value).__name__}, not as a text or a number. "
            f"{PAGING_REMEDY}"
        )
    text = str(value)
    if "://" in text or text.startswith(("/", "?", "./")) or "?" in text:
        return text
    return _with_parameter(url, "page" if text.isascii() and text.isdigit() else "cursor", text)


def _pages(
    url: str, bearer: Callable[[PreparedRequest], PreparedRequest], timeout: float, policy: Retry
) -> Iterator[bytes]:
    import requests

    seen = {url}
    with requests.Session() as session:
        session.auth = bearer
        for _ in range(MOST_PAGES):
            page = _page(session, url, timeout, policy)
            yield page.body
            if page.next_url is None:
                return
            if page.next_url in seen:
                raise EndlessPagesError(f"{shown_url(url)}: the next page was read already. {PAGING_REMEDY}")
            url = page.next_url
            seen.add(url)
    raise EndlessPagesError(f"{shown_url(url)}: more than {MOST_PAGES:,} pages. {PAGING_REMEDY}")


def _page(session: Session, url: str, timeout: float, policy: Retry) -> _Page:
    response, body = _get(session, url, timeout, policy)
    content = _json(body, response, url)
    results = content.get("results") if isinstance(content, dict) else content
    if not isinstance(results, list):
        keys = f" with the keys {', '.join(content)}" if isinstance(content, dict) else ""
        raise ShapeError(
            f"{shown_url(url)}: expected a list of results or an object with a list `results`, found "
            f"{type(content).__name__}{keys}. Check that the URL is that of the dashboard."
        )
    following = next_in_link_header(response.headers.get("Link", "")) or next_in_body(content, response.url)
    return _Page(body, results, following and _same_origin(response.url, following))


def _get(session: Session, url: str, timeout: float, policy: Retry) -> tuple[Response, bytes]:
    """The answer after redirects, whole. They are followed here because requests would go to any host."""
    start = url
    for _ in range(MOST_REDIRECTS + 1):
        response, body = _get_patiently(session, url, timeout, policy)
        if not response.is_redirect:
            _refuse_status(response, url)
            return response, body
        url = _same_origin(url, session.get_redirect_target(response) or "")
    raise StatusError(f"{shown_url(start)}: more than {MOST_REDIRECTS} redirects. Configure the address they lead to.")


def _get_patiently(session: Session, url: str, timeout: float, policy: Retry) -> tuple[Response, bytes]:
    """One answer with its retries, which cover the body too; those that requests can do end with the headers."""
    from requests.exceptions import RequestException, SSLError
    from urllib3.exceptions import HTTPError, MaxRetryError

    while True:
        try:
            response, body = _get_once(session, url, timeout)
        except SSLError as error:
            raise UnreachableError(
                f"{shown_url(url)}: no trusted TLS connection ({_reason(error)}). Check the address; where the "
                "certificate is from your own authority, name its file in REQUESTS_CA_BUNDLE."
            ) from error
        except (RequestException, HTTPError, TimeoutError) as error:
            try:
                policy = policy.increment("GET", url, error=error)
            except MaxRetryError:
                raise _connection_error(error, url) from error
            policy.sleep()
            continue
        if not policy.total or response.status_code not in RETRIED_STATUSES:
            return response, body
        policy = policy.increment("GET", url, response=response.raw)
        _rest(policy, response)


def _get_once(session: Session, url: str, timeout: float) -> tuple[Response, bytes]:
    deadline = time.monotonic() + SLOWEST_PAGE * timeout
    with session.get(url, timeout=timeout, stream=True, allow_redirects=False) as response:
        parts = []
        while part := response.raw.read1(1 << 16, decode_content=True):
            parts.append(part)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page was not complete after {SLOWEST_PAGE * timeout:g} s")
        return response, b"".join(parts)


def _rest(policy: Retry, response: Response) -> None:
    from urllib3.exceptions import InvalidHeader

    try:
        policy.sleep(response.raw)
    except InvalidHeader:
        # A Retry-After that is neither seconds nor a date says no more than the status does.
        policy.sleep()


def _connection_error(error: Exception, url: str) -> SourceError:
    from urllib3.exceptions import DecodeError, IncompleteRead, ProtocolError

    if isinstance(error, DecodeError | IncompleteRead) or _was_cut_short(error):
        return TruncatedError(
            f"{shown_url(url)}: the answer was cut short or damaged ({_reason(error)}). Try again later; if it stays "
            "so, look for a proxy between here and the dashboard."
        )
    happened = "the connection was lost" if isinstance(error, ProtocolError) else "no answer"
    return UnreachableError(
        f"{shown_url(url)}: {happened} ({_reason(error)}). Check the address, that the dashboard runs, and that this "
        "machine can reach it."
    )


def _was_cut_short(error: Exception) -> bool:
    from urllib3.exceptions import IncompleteRead, ProtocolError

    return isinstance(error, ProtocolError) and any(isinstance(part, IncompleteRead) for part in error.args)


def _reason(error: Exception) -> str:
    """The innermost message: the outer ones repeat it, with object addresses and the whole URL."""
    inner: BaseException = error
    while True:
        deeper = getattr(inner, "reason", None) or next((a for a in inner.args if isinstance(a, BaseException)), None)
        if not isinstance(deeper, BaseException):
            return re.sub(r"^.*object at 0x[0-9a-f]+>: |^\w+\(host=.*?\): ", "", str(inner)) or type(inner).__name__
        inner = deeper


def _refuse_status(response: Response, url: str) -> None:
    status = response.status_code
    if status in (401, 403):
        raise UnauthorizedError(
            f"{shown_url(url)}: status {status}, the dashboard does not accept the token. Configure a token that is "
            "valid and may read results."
        )
    if status == 200:
        return
    remedy = {
        404: "Check the address: the results are expected below it, at /api/results.",
        429: "The dashboard asks for fewer requests; call it less often.",
    }.get(status, "Look into the dashboard's log." if status >= 500 else "Check the address.")
    raise StatusError(f"{shown_url(url)}: status {status} {response.reason or ''}".rstrip() + f". {remedy}")


def _json(body: bytes, response: Response, url: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = response.headers.get("Content-Type", "no content type")
        raise NotJsonError(
            f"{shown_url(url)}: the answer ({len(body):,} bytes, {kind}) is not JSON: {error}. Check that the URL is "
            "that of the dashboard's API and leads to no login page."
        ) from error


def _same_origin(url: str, target: str) -> str:
    """`target`, relative to `url`, as requests will call it; refused on another host, but for the step up to https."""
    from requests import Request
    from requests.exceptions import RequestException

    try:
        prepared = Request("GET", urldefrag(urljoin(url, target)).url).prepare().url or ""
        here, there = _origin(url), _origin(prepared)
    except (RequestException, ValueError) as error:
        raise ShapeError(f"{shown_url(url)}: leads to an address that cannot be read. {PAGING_REMEDY}") from error
    if there != here and not (here[0] == "http" and here[2] == 80 and there == ("https", here[1], 443)):
        raise ForeignHostError(
            f"{shown_url(url)}: leads to another host, {there[0]}://{there[1]}:{there[2]}, which must not see the "
            "token. Configure that address if it is the right one."
        )
    return prepared


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def _with_parameter(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _results_url(base_url: str) -> str:
    from requests import Request
    from requests.exceptions import RequestException

    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        netloc = parts.netloc.rpartition("@")[2]
        url = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + RESULTS_PATH, "", ""))
        prepared = Request("GET", url).prepare().url if usable else None
    except (RequestException, ValueError) as error:
        raise SettingsError(BASE_URL_REMEDY) from error
    if prepared is None:
        raise SettingsError(BASE_URL_REMEDY)
    return prepared


def _bearer(token: str) -> Callable[[PreparedRequest], PreparedRequest]:
    """What puts the token on each request. A callable, for otherwise requests prefers what it finds in ~/.netrc."""
    header = f"Bearer {token.strip()}"
    if not re.fullmatch(r"Bearer [\x21-\x7e]+", header):
        raise SettingsError("The dashboard's token is empty or has characters that no token has; configure another.")

    def sign(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = header
        return request

    return sign


def _policy(retries: int, backoff: float) -> Retry:
    from urllib3.util import Retry

    return Retry(
        total=retries,
        backoff_factor=backoff,
        backoff_max=LONGEST_WAIT_SECONDS,
        retry_after_max=LONGEST_WAIT_SECONDS,
    )
