"""Where alerts go. A channel turns one alert into its own form and hands it over, or says why it could not."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.error import URLError

from perf_assets.alerts.model import Alert
from perf_assets.characters import showable
from perf_assets.durable import write_durably

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.models.blocks import Block

SLACK_URL = "https://slack.com/api/"
HEADER_LIMIT, TEXT_LIMIT, FIELD_LIMIT, FIELDS_LIMIT, BLOCKS_LIMIT = 150, 3000, 2000, 10, 50
SUMMARY_SECTIONS = 4
"""Slack refuses messages that are too long as a whole (`msg_blocks_too_long`), without saying from where on."""

LONGEST_WAIT_SECONDS = 60
"""A longer Retry-After is left to the next delivery: waiting here would outlast the claim on the alert."""

REMEDIES = {
    "invalid_auth": "The token is wrong; copy the bot token (xoxb-...) from the app's page OAuth & Permissions.",
    "not_authed": "No token was sent; configure the bot token (xoxb-...) of the Slack app.",
    "token_revoked": "The token was revoked; reinstall the Slack app and configure its new token.",
    "token_expired": "The token has expired; reinstall the Slack app and configure its new token.",
    "account_inactive": "The app or its user was removed from the workspace; reinstall it and configure its new token.",
    "missing_scope": "The token may not post; add the scope chat:write to the Slack app and reinstall it.",
    "channel_not_found": "Slack knows no such channel, or the app cannot see it; configure the channel's id (C...) and "
    "invite the app to private channels.",
    "not_in_channel": "The app is not in the channel; invite it with /invite.",
    "is_archived": "The channel is archived; configure another one.",
    "invalid_blocks": "Slack refused the form of the message; this is a fault of perf-assets, please report it with "
    "the alert's id.",
    "ratelimited": "Slack asks to wait; the next delivery tries again.",
}


class DeliveryError(Exception):
    """The channel did not take the alert; the message says why and what to do. It never contains a token."""


class Channel(Protocol):
    """One place that alerts are sent to; `name` is what deliveries are recorded under."""

    @property
    def name(self) -> str: ...

    def send(self, alert: Alert) -> str:
        """Hand the alert over and return the receipt. Raises DeliveryError."""
        ...


@dataclass(frozen=True)
class SlackChannel:
    """Posts to one Slack channel by `chat.postMessage`.

    Rate limits and failures to connect are tried again at once, twice each. When an answer is lost on the way, nothing
    is tried again at once: Slack may have shown the message, and offers no key by which it would know a repetition.
    """

    token: str = field(repr=False)
    channel: str
    base_url: str = SLACK_URL
    timeout: int = 30

    @property
    def name(self) -> str:
        return f"slack:{self.channel}"

    def send(self, alert: Alert) -> str:
        """Post the alert; the receipt is Slack's channel id and message timestamp."""
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            answer = self._client().chat_postMessage(
                channel=self.channel,
                text=clip(one_line(alert.title), TEXT_LIMIT, escaped),
                blocks=slack_blocks(alert),
                unfurl_links=False,
                unfurl_media=False,
            )
            return f"{answer.get('channel', self.channel)}/{answer.get('ts', '')}"
        except SlackApiError as error:
            raise DeliveryError(self._refusal(error)) from error
        # slack_sdk reads whatever a proxy answers as if it were an object of Slack, hence the last three.
        except (SlackClientError, OSError, HTTPException, ValueError, AttributeError, TypeError) as error:
            raise DeliveryError(
                f"Slack at {self.base_url} did not answer as Slack does ({type(error).__name__}: {error}). Check the "
                "network and the proxy; the next delivery tries again."
            ) from error

    def _client(self) -> WebClient:
        from slack_sdk import WebClient
        from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
        from slack_sdk.http_retry.handler import RetryHandler
        from slack_sdk.http_retry.request import HttpRequest
        from slack_sdk.http_retry.response import HttpResponse
        from slack_sdk.http_retry.state import RetryState

        class ShortRateLimitRetryHandler(RateLimitErrorRetryHandler):
            """The library's handler, which sleeps for as long as it is told, kept to waits that fit in a claim."""

            def _can_retry(
                self,
                *,
                state: RetryState,
                request: HttpRequest,
                response: HttpResponse | None = None,
                error: Exception | None = None,
            ) -> bool:
                limited = super()._can_retry(state=state, request=request, response=response, error=error)
                return limited and response is not None and _waits_briefly(response.headers)

        retries: list[RetryHandler] = [
            # urllib raises URLError where the request could not be sent, other errors where the answer is lost.
            ConnectionErrorRetryHandler(max_retry_count=2, error_types=[URLError]),
            ShortRateLimitRetryHandler(max_retry_count=2),
        ]
        return WebClient(token=self.token, base_url=self.base_url, timeout=self.timeout, retry_handlers=retries)

    def _refusal(self, error: Exception) -> str:
        response = error.response  # type: ignore[attr-defined]
        # Whatever a proxy answers comes as the data of a response.
        content = response.data if isinstance(response.data, dict) else {}
        code = "ratelimited" if response.status_code == 429 else str(content.get("error") or "no reason given")
        remedy = REMEDIES.get(code.removesuffix("_format"), "Look it up in Slack's page on chat.postMessage.")
        details = (content.get("response_metadata") or {}).get("messages") or []
        refusal = f"Slack refused the message to {self.channel} ({code}, status {response.status_code})."
        return " ".join([refusal, remedy, *map(str, details)])


@dataclass(frozen=True)
class OutboxChannel:
    """Writes each alert into a folder, as JSON for programs and as text for people; needs no network."""

    folder: Path

    @property
    def name(self) -> str:
        return "outbox"

    def send(self, alert: Alert) -> str:
        """Write `<alert id>.json` and `.txt`, each whole or not at all; the receipt is the path of the JSON file."""
        target = self.folder / f"{file_stem(alert.alert_id)}.json"
        document = json.dumps(asdict(alert), indent=2, default=lambda at: at.isoformat())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(target.with_suffix(".txt"), readable(alert).encode())
            write_durably(target, f"{document}\n".encode())
        except OSError as error:
            raise DeliveryError(
                f"Cannot write {target} ({error}). Make the folder writable or configure another one."
            ) from error
        return str(target)


def slack_blocks(alert: Alert) -> list[Block]:
    """The alert in Block Kit, cut to Slack's limits: header 150, texts 3000, 10 fields of 2000 a section, 50 blocks."""
    from slack_sdk.models.blocks import HeaderBlock, MarkdownTextObject, PlainTextObject, SectionBlock

    def markdown(text: str) -> MarkdownTextObject:
        return MarkdownTextObject(text=text, verbatim=True)

    header = HeaderBlock(text=PlainTextObject(text=clip(one_line(alert.title), HEADER_LIMIT), emoji=False))
    # Plain text: an error message or a test's name may hold what mrkdwn takes for formatting.
    summary = [SectionBlock(text=PlainTextObject(text=text, emoji=False)) for text in _sections(alert.summary)]
    notes = [SectionBlock(text=markdown(text)) for text in _notes(alert)]
    room = BLOCKS_LIMIT - 1 - len(summary) - len(notes)
    fields = [markdown(_fact(name, value)) for name, value in alert.facts[: room * FIELDS_LIMIT]]
    facts = [SectionBlock(fields=fields[start : start + FIELDS_LIMIT]) for start in range(0, len(fields), FIELDS_LIMIT)]
    return [header, *summary, *facts, *notes]


def readable(alert: Alert) -> str:
    """The alert as plain text, nothing cut."""
    lines = [showable(alert.title), "", showable(alert.summary), ""]
    lines += [f"{showable(name)}: {showable(value)}" for name, value in alert.facts]
    lines += ["Simulated data, not measured."] if alert.simulated else []
    lines += [showable(alert.link)] if alert.link else []
    return "\n".join(lines) + "\n"


def clip(text: str, limit: int, form: Callable[[str], str] = str) -> str:
    """`text` in the given form (character by character), at most `limit` UTF-16 code units long, never empty.

    Slack counts as JavaScript does, so a character outside the basic plane counts twice. What is cut off leaves an
    ellipsis; a character is never cut in two, nor an entity that `form` made of it.
    """
    shown = showable(text).strip() or "(empty)"
    parts = [form(character) for character in shown[: limit + 1]]
    if sum(map(_units, parts)) <= limit:
        return "".join(parts)
    length, kept = 1, []
    for part in parts:
        length += _units(part)
        if length > limit:
            break
        kept.append(part)
    return "".join(kept) + "…"


def escaped(text: str) -> str:
    """Text that Slack's mrkdwn shows as it is: no link, no mention of a person or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str) -> str:
    """`text` with every run of white space made one space."""
    return " ".join(text.split())


def file_stem(alert_id: str) -> str:
    """A file name without extension that any file system takes, the same for the same id and different for others."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", alert_id):
        return alert_id
    digest = hashlib.sha256(alert_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^A-Za-z0-9]+', '-', alert_id)[:40].strip('-') or 'alert'}.{digest[:16]}"


def _sections(text: str) -> list[str]:
    """The summary in as few texts as hold it, broken between lines; two characters are kept for the mark of a cut."""
    sections: list[str] = []
    for line in filter(str.strip, showable(text).splitlines()):
        shown = clip(line, TEXT_LIMIT - 2)
        if sections and _units(sections[-1]) + 1 + _units(shown) <= TEXT_LIMIT - 2:
            sections[-1] += "\n" + shown
        elif len(sections) < SUMMARY_SECTIONS:
            sections.append(shown)
        else:
            sections[-1] += "\n…"
            break
    return sections


def _notes(alert: Alert) -> Iterator[str]:
    if alert.simulated:
        yield "Simulated data, not measured."
    if alert.link:
        # Slack ends the address at the first bar, and a cut address leads nowhere.
        address = escaped(one_line(showable(alert.link)).replace("|", "%7C"))
        if _units(address) <= TEXT_LIMIT - 20:
            yield f"<{address}|Details>"


def _fact(name: str, value: str) -> str:
    return f"*{clip(one_line(name), 200, escaped)}*\n{clip(value, FIELD_LIMIT - 203, escaped)}"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _waits_briefly(headers: Mapping[str, str | list[str]]) -> bool:
    told = [values for name, values in headers.items() if name.lower() == "retry-after"]
    waits = [values if isinstance(values, str) else values[0] for values in told]
    return all(wait.isascii() and wait.isdigit() and int(wait) <= LONGEST_WAIT_SECONDS for wait in waits)
