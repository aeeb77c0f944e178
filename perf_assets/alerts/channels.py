"""Where alerts go. A channel turns one alert into its own form and hands it over, or says why it could not.

Belongs here: what every channel is, the outbox, and texts as channels need them. Each service has a module of its own,
named under the entry points of `perf_assets.channels`.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from perf_assets.characters import showable
from perf_assets.durable import write_durably
from perf_assets.plugins import Plugin

if TYPE_CHECKING:
    # The settings read the section of a channel, and commands that only list things need no pandas for that.
    from perf_assets.alerts.model import Alert


class DeliveryError(Exception):
    """The channel did not take the alert; the message says why and what to do. It never contains a token."""


class Channel(Protocol):
    """One place that alerts are sent to; `name` is what deliveries are recorded under."""

    @property
    def name(self) -> str: ...

    def send(self, alert: Alert) -> str:
        """Hand the alert over and return the receipt. Raises DeliveryError."""
        ...


class ChannelPlugin(Plugin, extra="forbid"):
    """A channel to a service. Its fields are its section of the configuration, such as `slack`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What deliveries are recorded under: another name is another place, which has had none of the alerts."""

    @abstractmethod
    def send(self, alert: Alert) -> str:
        """Hand the alert over and return the receipt. Raises DeliveryError."""

    def __str__(self) -> str:
        return self.name

    def probe(self) -> str:
        """What one request finds, for `doctor`; empty where nothing is asked. Raises DeliveryError."""
        return ""


@dataclass(frozen=True)
class OutboxChannel:
    """Writes each alert into a folder, as JSON for programs and as text for people; needs no network."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

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
    if sum(map(units, parts)) <= limit:
        return "".join(parts)
    length, kept = 1, []
    for part in parts:
        length += units(part)
        if length > limit:
            break
        kept.append(part)
    return "".join(kept) + "…"


def one_line(text: str) -> str:
    """`text` with every run of white space made one space."""
    return " ".join(text.split())


def file_stem(alert_id: str) -> str:
    """A file name without extension that any file system takes, the same for the same id and different for others."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", alert_id):
        return alert_id
    digest = hashlib.sha256(alert_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^A-Za-z0-9]+', '-', alert_id)[:40].strip('-') or 'alert'}.{digest[:16]}"


def units(text: str) -> int:
    """The length of a text in UTF-16 code units, as JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2
