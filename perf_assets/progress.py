"""How far long work has come: said to whoever watches, and to the log now and then.

Belongs here: counting and timing. Does not belong here: what is counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0

_LOG = logging.getLogger("perf_assets")


class Progress:
    """Tells the log every ten seconds; another watcher overrides `of`."""

    @contextmanager
    def of(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """A function to call after each of `total` steps; `what` says what is done with them."""
        started = said = time.monotonic()
        done = 0

        def tell() -> None:
            nonlocal done, said
            done += 1
            now = time.monotonic()
            if now - said >= SECONDS_BETWEEN_LINES:
                said = now
                rate = done / (now - started)
                _LOG.info("%s: %d of %d, %.0f a second, %.0f s left", what, done, total, rate, (total - done) / rate)

        yield tell
