"""Addresses: as users write them, as they may be printed, as the next page is named, and whose they are."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

from perf_assets.sources.errors import ForeignHostError, SettingsError, ShapeError

_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]*))?)*)')
_LINK_PARAMETER = re.compile(r';\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*)))?')


def shown_url(url: str) -> str:
    """`url` as it may be printed: without user, password and fragment, the values of the query hidden."""
    parts = urlsplit(url)
    query = "&".join(f"{name}=..." for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def address(base_url: str, path: str, remedy: str) -> str:
    """`path` below a base URL as a user writes it, a user name in it left out. Raises SettingsError with the remedy."""
    from requests import Request
    from requests.exceptions import RequestException

    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        netloc = parts.netloc.rpartition("@")[2]
        url = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + path, "", ""))
        prepared = Request("GET", url).prepare().url if usable else None
    except (RequestException, ValueError) as error:
        raise SettingsError(remedy) from error
    if prepared is None:
        raise SettingsError(remedy)
    return prepared


def with_query(url: str, **parameters: object) -> str:
    """`url` with these parameters instead of its own of the same names."""
    parts = urlsplit(url)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*query, *((name, str(v)) for name, v in parameters.items())])))


def next_in_link_header(header: str) -> str | None:
    """The target of the first link whose relations include `next` (RFC 8288, section 3), if there is one."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, bare in _LINK_PARAMETER.findall(parameters):
            if name.lower() == "rel":
                # Only the first rel of a link counts (section 3.3).
                if "next" in (quoted or bare).lower().split():
                    return str(target)
                break
    return None


def same_origin(url: str, target: str, service: str) -> str:
    """`target`, relative to `url`, as requests will call it; refused on another host, but for the step up to https."""
    from requests import Request
    from requests.exceptions import RequestException

    try:
        prepared = Request("GET", urldefrag(urljoin(url, target)).url).prepare().url or ""
        here, there = _origin(url), _origin(prepared)
    except (RequestException, ValueError) as error:
        raise ShapeError(
            f"{shown_url(url)}: leads to an address that cannot be read. The paging of {service} is at fault; tell "
            "whoever runs it."
        ) from error
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
