"""The steps of loading: each file of SQL names in its comment what it reads and writes, and is run by one module."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import perf_assets.warehouse.loading

FOLDER = Path(perf_assets.warehouse.loading.__file__).parent
STEPS = sorted((FOLDER / "sql").glob("*.sql"))
WRITTEN = r"(?:TEMP TABLE|TEMP VIEW|INTO|UPDATE|DELETE FROM)\s+(\w+)"
CLAUSE = r"(\w+) AS \("
READ = r"(?:FROM|JOIN|USING)\s+(\w+)"


def listed(text: str, what: str) -> set[str]:
    """The names that the comment lists after `what`."""
    found = re.findall(rf"-- {what}: ((?:[\w, ]+,\n--   )?.*)", text)
    return set(re.findall(r"\w+", "".join(found)))


KNOWN = {
    name for file in STEPS for what in ("Reads", "Writes") for name in listed(file.read_text(encoding="utf-8"), what)
}


@pytest.mark.parametrize("file", STEPS, ids=lambda file: file.stem)
def test_the_comment_names_what_the_statements_read_and_write(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    statements = re.sub(r"--.*", "", text)
    written = set(re.findall(WRITTEN, statements))
    read = set(re.findall(READ, statements.replace("DELETE FROM", ""))) & KNOWN - set(re.findall(CLAUSE, statements))
    assert listed(text, "Writes") == written
    assert read - written <= listed(text, "Reads") <= read


def test_every_step_is_run_by_one_module() -> None:
    run: dict[str, set[str]] = {file.stem: set() for file in STEPS}
    for module in FOLDER.glob("*.py"):
        for call in re.findall(r"\.run\((.*?)\)", module.read_text(encoding="utf-8")):
            for step in re.findall(r'"(\w+)"', call):
                run[step].add(module.stem)
    shared = {"without_facts", "further_values"}
    assert {step for step, modules in run.items() if len(modules) != 1} == shared


def test_no_module_of_loading_is_long() -> None:
    assert all(len(file.read_text(encoding="utf-8").splitlines()) <= 500 for file in FOLDER.glob("*.py"))
