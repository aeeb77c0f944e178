"""What cannot be rebuilt: what people said, what was sent, and the ids given to regressions.

Facts and everything derived from them belong in the warehouse.
"""

from perf_assets.state.errors import StateError
from perf_assets.state.store import StateStore, open_state

__all__ = ["StateError", "StateStore", "open_state"]
