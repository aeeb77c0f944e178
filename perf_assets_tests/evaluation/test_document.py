from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evaluation.__main__ import document, main
from evaluation.proportions import Check, Estimate
from evaluation.results import Measured, Origin, Tables, keep
from evaluation.sections import SECTIONS, Section


def measure(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": pd.DataFrame({"share": [0.02 * size]})}


def checks(tables: Tables) -> list[Check]:
    share = float(tables["results"]["share"].iloc[0])
    figure = Estimate(share, share - 0.005, share + 0.005)
    return [Check("alarms", figure, "at most", 0.01), Check("finds", figure, "at least", 0.01)]


def chapter(tables: Tables, seed: int) -> list[str]:
    return ["## Chapter", "", f"Seed {seed}.", ""]


SECTION = Section("own", 7, 1, measure, checks, chapter)


def test_the_document_sums_up_targets_and_lists_what_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keep(Measured("own", 7, Origin("abc", "digest", "", 1), 1.0, measure(7, 1, None)))
    text = document([SECTION, SECTIONS[0]])
    assert "| own | 1 of 2 | abc |" in text
    assert "| own | alarms | at most 0.01 | 0.020 [0.015, 0.025] |" in text
    assert "## Chapter\n\nSeed 7." in text
    assert "Not measured yet: change-points." in text


def test_what_another_machine_measured_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(SECTION, name="other", chapter=lambda tables, seed: ["## Other", "", "| what |", "|---|", ""])
    for folder, section in (("here", SECTION), ("there", other)):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        keep(Measured(section.name, 7, Origin(folder, "digest", "", 1), 1.0, measure(7, 1, None)))
    monkeypatch.chdir(tmp_path / "here")
    first = document([SECTION, other, SECTIONS[0]])
    monkeypatch.chdir(tmp_path / "there")
    both = document([SECTION, other, SECTIONS[0]], first)
    assert "Not measured yet: other, change-points." in first
    assert "Not measured yet: change-points." in both
    for line in ("| own | 1 of 2 | here |", "| other | 1 of 2 | there |", "## Chapter", "Seed 7.", "## Other"):
        assert both.count(line) == 1
    assert both.count("| alarms | at most 0.01 |") == 2
    monkeypatch.chdir(tmp_path)
    assert document([SECTION, other, SECTIONS[0]], both) == both


def test_a_section_without_targets_is_told_from_one_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    origin = Origin("abc", "digest", "", 1)
    measured, absent = (replace(SECTION, name=name, checks=lambda tables: []) for name in ("measured", "absent"))
    keep(Measured("measured", 7, origin, 1.0, measure(7, 1, None)))
    keep(Measured("absent", 7, origin, 1.0, {"results": pd.DataFrame()}))
    text = document([measured, absent])
    assert "| measured | no targets | abc |" in text
    assert "| absent | no data | abc |" in text


def test_an_unknown_section_is_named_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluation", "--only", "trends,trend"])
    with pytest.raises(SystemExit):
        main()
    assert "no section is called trend; there are change-points," in capsys.readouterr().err


def test_a_section_measured_before_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for fresh in ([], [], ["--fresh"]):
        command = ["evaluation", "--only", "joint-episodes", "--seed", "7", "--size", "2", *fresh]
        monkeypatch.setattr(sys, "argv", command)
        assert main() == 0
    said = capsys.readouterr().out
    assert said.count("joint-episodes: measured before") == 1
    assert said.count("Not written to docs/accuracy.md") == 3
