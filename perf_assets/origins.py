"""The ways in which results come in."""

Origin = str
"""One of OWN_WAYS, or the origin that a source names."""

OWN_WAYS: tuple[Origin, ...] = ("sample", "file", "drop", "push")
