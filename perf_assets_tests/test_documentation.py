"""The documentation names what there is, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from pydantic import BaseModel

from perf_assets.cli.main import main
from perf_assets.settings import Settings

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", REPOSITORY / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_make_reference_writes() -> None:
    written = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == generator().reference().rstrip("\n") + "\n"


def commands(group: click.Group, name: str = "perf-assets") -> Iterator[tuple[str, click.Command]]:
    for sub, command in group.commands.items():
        yield f"{name} {sub}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {sub}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    known = dict(commands(main))
    for line in page.read_text(encoding="utf-8").splitlines():
        for words in re.findall(r"`perf-assets ([^`]*)`", line):
            name, command = "perf-assets", None
            for word in words.split():
                if f"{name} {word}" not in known:
                    break
                name, command = f"{name} {word}", known[f"{name} {word}"]
            assert command is not None, f"{page.name}: perf-assets {words}"
            options = {option for each in command.params for option in each.opts}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", words)) <= options, f"{page.name}: perf-assets {words}"


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from settings_of(part)


def parts(annotation: Any) -> Iterator[Any]:
    inner = getattr(annotation, "__args__", ())
    yield from [annotation] if not inner else [each for argument in inner for each in parts(argument)]


def test_every_setting_is_described() -> None:
    words = set(re.findall(r"\w+", " ".join(page.read_text(encoding="utf-8") for page in PAGES)))
    assert set(settings_of(Settings)) - words - {"channels", "home"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
