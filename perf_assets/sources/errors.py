"""What can go wrong between here and a service, each with a message for the person who has to mend it."""

from __future__ import annotations

import json
import re
from datetime import datetime

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class SourceError(Exception):
    """A source gave no results; the message names the URL (never a secret), what happened, and what to do."""


class SettingsError(SourceError):
    """The address or the token cannot be used at all."""


class UnauthorizedError(SourceError):
    """401 or 403: the token is wrong, or may not read the results."""

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(SourceError):
    """No connection, no answer in time, or a broken TLS connection, retries included."""


class StatusError(SourceError):
    """An answer with any other status than success, retries included."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFoundError(StatusError):
    """404 or 410: it is not there, or the token may not see it."""


class RateLimitedError(SourceError):
    """The service allows no more requests for longer than may be waited; `until` is naive UTC."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class TruncatedError(SourceError):
    """The connection ended before the announced end of the body, retries included."""


class NotJsonError(SourceError):
    """The body is not JSON: mostly a login page, or the wrong address."""


class ShapeError(SourceError):
    """The body is not of the shape that the service documents, or its next page is unreadable."""


class ForeignHostError(SourceError):
    """A redirect or a next page leads to another host, which must not see the token."""


class EndlessPagesError(SourceError):
    """The pages lead in a circle, or there are more of them than can be."""


class StorageError(SourceError):
    """A folder cannot be listed or a file in it not be read, for a reason that may pass."""


def is_passing(error: SourceError) -> bool:
    """Whether the same request may succeed in half a minute."""
    if isinstance(error, StatusError):
        return error.status in RETRIED_STATUSES
    return isinstance(error, UnreachableError | TruncatedError | StorageError)


def ends_all(error: SourceError) -> bool:
    """Whether anything else that is asked of the same service must fail as well."""
    if isinstance(error, UnauthorizedError):
        return error.status == 401
    return isinstance(error, UnreachableError | RateLimitedError | SettingsError)


def innermost_reason(error: Exception) -> str:
    """The innermost message: the outer ones repeat it, with object addresses and the whole URL."""
    inner: BaseException = error
    while True:
        deeper = getattr(inner, "reason", None) or next((a for a in inner.args if isinstance(a, BaseException)), None)
        if not isinstance(deeper, BaseException):
            return re.sub(r"^.*object at 0x[0-9a-f]+>: |^\w+\(host=.*?\): ", "", str(inner)) or type(inner).__name__
        inner = deeper


def said_in(body: bytes) -> str:
    """What the service says of a refusal, in brackets; empty if it says nothing that can be read."""
    try:
        content = json.loads(body[:65_536])
    except (ValueError, RecursionError):
        return ""
    told = content if isinstance(content, dict) else {}
    words = next((told[key] for key in ("message", "error") if isinstance(told.get(key), str)), "")
    return f" ({' '.join(words.split())[:200]})" if words.strip() else ""
