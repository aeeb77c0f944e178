"""Errors that a user can mend: what is wrong, where, and what to do.

Belongs here: the one base class, so that a command can tell them from defects without importing every room.
"""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """Shown as its message alone; `exit_code` is what a command ends with."""

    exit_code: ClassVar[int] = 2
