"""A whole answer, and a folder that keeps some for conditional requests.

The folder may be deleted at any time; it holds nothing of a request but its address.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from perf_assets.durable import write_durably

KEPT_DAYS = 30
"""How long an answer is kept that nobody has asked for again."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: `url` is where it came from, redirects followed; `link` is its Link header."""

    url: str
    body: bytes
    link: str = ""
    content_type: str = ""
    etag: str = ""
    not_modified: bool = False


def keep_answer(file: Path, answer: Answer) -> None:
    described = {
        "url": answer.url,
        "link": answer.link,
        "content_type": answer.content_type,
        "etag": answer.etag,
        "sha256": hashlib.sha256(answer.body).hexdigest(),
    }
    write_durably(file, json.dumps(described).encode() + b"\n" + answer.body, mode=0o600)


def kept_answer(file: Path) -> Answer | None:
    """The kept answer; None where there is none that is whole."""
    if not file.exists():
        return None
    head, _, body = file.read_bytes().partition(b"\n")
    try:
        described = json.loads(head)
        whole = described.pop("sha256") == hashlib.sha256(body).hexdigest()
        return Answer(body=body, not_modified=True, **described) if whole else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def forget_old_answers(cache: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86_400
    for file in cache.glob("?*"):
        if file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
