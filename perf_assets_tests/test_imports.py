"""Packages of the product import each other one way, and those that everything uses import nothing."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import perf_assets

PACKAGE = Path(perf_assets.__file__).parent
NAME = PACKAGE.name


def imports() -> dict[str, set[str]]:
    """The packages and single modules that each package or single module of the product imports."""
    found: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        own = file.relative_to(PACKAGE).with_suffix("").parts[0]
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found.setdefault(own, set()).update(other for node in ast.walk(tree) for other in _imported(node))
    return {own: others - {own} for own, others in found.items()}


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            names = [alias.name for alias in node.names]
        case ast.ImportFrom(module=str(module), level=0):
            names = [f"{module}.{alias.name}" for alias in node.names]
        case _:
            return []
    return [name.split(".")[1] for name in names if name.startswith(f"{NAME}.")]


def test_no_packages_import_each_other_in_a_circle() -> None:
    order = list(TopologicalSorter(imports()).static_order())
    assert {"analysis", "report", "wording"} <= set(order)


def test_wording_and_tables_import_no_other() -> None:
    found = imports()
    assert found["wording"] == found["tables"] == set()


def test_all_who_write_for_people_import_the_wording_room() -> None:
    found = imports()
    assert all("wording" in found[writer] for writer in ("advice", "alerts", "analysis", "cli", "report"))
