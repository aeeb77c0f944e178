"""Packages of one's own, installed for the processes that a test starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent


def install(folder: Path, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Install modules with entry points, by group, into a folder; the environment in which they are found."""
    metadata = folder / "one_s_own-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: one-s-own\nVersion: 1\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
