"""Slack: alerts as messages in one channel of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import TYPE_CHECKING, ClassVar
from urllib.error import URLError

from pydantic import Field, SecretStr

from perf_assets.alerts.channels import ChannelPlugin, DeliveryError, clip, one_line, units
from perf_assets.characters import showable
from perf_assets.plugins import from_environment, revealed

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.http_retry.handler import RetryHandler
    from slack_sdk.models.blocks import Block

    from perf_assets.alerts.model import Alert

SLACK_URL = "https://slack.com/api/"
HEADER_LIMIT, TEXT_LIMIT, FIELD_LIMIT, FIELDS_LIMIT, BLOCKS_LIMIT = 150, 3000, 2000, 10, 50
SUMMARY_SECTIONS = 4
"""Slack refuses messages that are too long as a whole (`msg_blocks_too_long`), without saying from where on."""

PROBE_TIMEOUT = 10
"""Seconds; somebody waits for the answer."""

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


class Slack(ChannelPlugin):
    """Posts to one Slack channel by `chat.postMessage`.

    Rate limits and failures to connect are tried again at once, twice each. When an answer is lost on the way, nothing
    is tried again at once: Slack may have shown the message, and offers no key by which it would know a repetition.
    """

    section: ClassVar[str] = "slack"
    description: ClassVar[str] = "Messages in a channel of Slack."
    remedy: ClassVar[str] = "Set SLACK_BOT_TOKEN in the environment, and slack.channel."

    channel: str = "#performance"
    """Channel name or id that alerts are sent to, once SLACK_BOT_TOKEN is set."""
    base_url: str = from_environment("SLACK_API_URL", SLACK_URL, optional=True)
    """Address of the Slack API, where it is not Slack's own (a proxy, a test)."""
    token: SecretStr | None = from_environment("SLACK_BOT_TOKEN")
    timeout: int = Field(30, ge=1)
    """Seconds."""

    @property
    def configured(self) -> bool:
        return self.token is not None

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

    def probe(self) -> str:
        """Which team the token is for."""
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        client = WebClient(revealed(self.token), base_url=self.base_url, timeout=PROBE_TIMEOUT)
        try:
            answer = client.auth_test()
        except SlackApiError as error:
            raise DeliveryError(f"Slack refuses the token: {error.response.get('error')}") from error
        except (SlackClientError, OSError, HTTPException, AttributeError) as error:
            raise DeliveryError(f"Slack cannot be reached at {client.base_url}: {error}") from error
        except ValueError:
            # Its message may show the token: a header cannot hold a line break, which a pasted token may end with.
            raise DeliveryError("SLACK_BOT_TOKEN holds a character no token has, such as a line break") from None
        return f"team {answer.get('team')}, channel {self.channel}"

    def _client(self) -> WebClient:
        from slack_sdk import WebClient
        from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
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
        token = revealed(self.token)
        return WebClient(token=token, base_url=self.base_url, timeout=self.timeout, retry_handlers=retries)

    def _refusal(self, error: Exception) -> str:
        response = error.response  # type: ignore[attr-defined]
        # Whatever a proxy answers comes as the data of a response.
        content = response.data if isinstance(response.data, dict) else {}
        code = "ratelimited" if response.status_code == 429 else str(content.get("error") or "no reason given")
        remedy = REMEDIES.get(code.removesuffix("_format"), "Look it up in Slack's page on chat.postMessage.")
        details = (content.get("response_metadata") or {}).get("messages") or []
        refusal = f"Slack refused the message to {self.channel} ({code}, status {response.status_code})."
        return " ".join([refusal, remedy, *map(str, details)])


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


def escaped(text: str) -> str:
    """Text that Slack's mrkdwn shows as it is: no link, no mention of a person or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sections(text: str) -> list[str]:
    """The summary in as few texts as hold it, broken between lines; two characters are kept for the mark of a cut."""
    sections: list[str] = []
    for line in filter(str.strip, showable(text).splitlines()):
        shown = clip(line, TEXT_LIMIT - 2)
        if sections and units(sections[-1]) + 1 + units(shown) <= TEXT_LIMIT - 2:
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
        if units(address) <= TEXT_LIMIT - 20:
            yield f"<{address}|Details>"


def _fact(name: str, value: str) -> str:
    return f"*{clip(one_line(name), 200, escaped)}*\n{clip(value, FIELD_LIMIT - 203, escaped)}"


def _waits_briefly(headers: Mapping[str, str | list[str]]) -> bool:
    told = [values for name, values in headers.items() if name.lower() == "retry-after"]
    waits = [values if isinstance(values, str) else values[0] for values in told]
    return all(wait.isascii() and wait.isdigit() and int(wait) <= LONGEST_WAIT_SECONDS for wait in waits)
