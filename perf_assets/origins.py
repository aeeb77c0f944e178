"""The ways in which results come in."""

from typing import Literal

Origin = Literal[
    "sample",
    "file",
    "drop",
    "push",
    "dashboard",
    "github-actions",
    "jenkins",
    "gitlab",
    "circleci",
    "prometheus",
    "folder",
    "dagster",
]
