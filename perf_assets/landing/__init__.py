"""Landing: the raw bytes as they came, immutable, named by content hash, filed by the day they were received.

Belongs here: keeping and finding raw files, and what was said of them when they came. Does not belong here: what is in
them.
"""

from perf_assets.landing.landing import Arrival, Landing, content_hash, utc_now
from perf_assets.landing.receipts import Given, LandedFile, LandedFiles
from perf_assets.origins import Origin

__all__ = ["Arrival", "Given", "LandedFile", "LandedFiles", "Landing", "Origin", "content_hash", "utc_now"]
