"""The page on how it is built names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import perf_assets

PACKAGE = Path(perf_assets.__file__).parent
ROOT = PACKAGE.parent


def document(name: str) -> str:
    file = ROOT / name
    if not file.exists():
        pytest.skip(f"{name} is not beside the installed package")
    return file.read_text(encoding="utf-8")


def test_every_package_and_module_is_named_and_every_named_one_exists() -> None:
    table = document("docs/architecture.md").split("## Packages")[1].split("Beside the package")[0]
    named = {name for row in table.splitlines() if row.startswith("| `") for name in _code(row.split("|")[1])}
    there = {path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert named == there


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_what_is_named_with_a_path_or_in_a_module_exists(name: str) -> None:
    for text in _code(document(name)):
        if "NAME" in text or " " in text or "(" in text:
            continue
        if "/" in text or text.endswith((".py", ".md", ".toml")):
            found = [ROOT / text, *ROOT.glob(f"perf_assets_tests/cli/{text}")]
            assert any(path.exists() for path in found), text
        elif "." in text and text.split(".")[0] in {path.name for path in PACKAGE.iterdir()} | {"ingestion"}:
            assert _resolves(text), text


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def _resolves(dotted: str) -> bool:
    """Whether a name such as `alerts.delivery.deliver` is a module or is defined in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[:length])
        if place.with_suffix(".py").exists() or (place / "__init__.py").exists():
            file = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
            return all(re.search(rf"\b{part}\b", file.read_text(encoding="utf-8")) for part in parts[length:])
    return False


def test_listed_tests_and_modules_exist() -> None:
    tests = ROOT / "perf_assets_tests"
    for line in (tests / "thorough.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            module, _, name = line.partition("::")
            assert f"def {name}(" in (tests / module).read_text(encoding="utf-8"), line
    for line in (tests / "slow.txt").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or (tests / line).is_file(), line
