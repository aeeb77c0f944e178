"""Result formats: bytes in, measurements out; one file a format.

Belongs here: recognising a file by its content and reading every row of it, or saying why not. Does not belong here:
where files come from, and where measurements go.
"""

from perf_assets.formats.recognition import broken_formats, format_named, formats, recognise

__all__ = ["broken_formats", "format_named", "formats", "recognise"]
