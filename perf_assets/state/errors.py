"""What a state store says that cannot be used."""

from __future__ import annotations

from perf_assets.errors import UserError


class StateError(UserError):
    """The state store, or a backup of it, cannot be used; the message says where it is and what to do."""


def reason_of(error: Exception) -> object:
    """What the driver said: SQLAlchemy's own text repeats the statement and its values."""
    return getattr(error, "orig", None) or error
