"""Formats, sources and channels of a package of one's own: one module each, and a line that names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perf_assets_tests.cli.site import CONFIG, Site
from perf_assets_tests.defs.building import publish_regressions, regression_row, settings_for, small_table
from perf_assets_tests.installing import install

SECRET = "hunter2-do-not-show"
SOURCE = """
from contextlib import contextmanager
from typing import ClassVar
from pydantic import SecretStr
from perf_assets.plugins import from_environment
from perf_assets.sources.pulling import Delivery, Found
from perf_assets.sources.source import Opened, Source

class Lab(Source, extra="forbid"):
    section: ClassVar[str] = "lab"
    origin: ClassVar[str] = "lab"
    description: ClassVar[str] = "Measurements of the lab."
    remedy: ClassVar[str] = "Set sources.lab.rigs, and LAB_TOKEN in the environment."

    rigs: tuple[str, ...] = ()
    token: SecretStr | None = from_environment("LAB_TOKEN")

    @property
    def configured(self):
        return bool(self.rigs)

    @contextmanager
    def opened(self, around):
        yield Opened({rig: self.read for rig in self.rigs})

    def read(self, day, seen):
        if "read" not in seen:
            text = f"timestamp,metric_name,metric_value\\n{day}T00:00:00Z,cpu_usage,0.5\\n"
            yield Found((Delivery(f"lab {day}.csv", text.encode()),), {"read": True})

class Half(Source):
    section: ClassVar[str] = "half"
    description: ClassVar[str] = "It cannot be opened."
    remedy: ClassVar[str] = "Finish it."
"""
CHANNEL = """
from pathlib import Path
from typing import ClassVar
from perf_assets.alerts.channels import ChannelPlugin

class Pager(ChannelPlugin):
    section: ClassVar[str] = "pager"
    description: ClassVar[str] = "Lines in a file."
    remedy: ClassVar[str] = "Set pager.file."

    file: str = ""

    @property
    def configured(self):
        return bool(self.file)

    @property
    def name(self):
        return f"pager:{self.file}"

    def send(self, alert):
        with Path(self.file).open("a") as target:
            target.write(alert.alert_id + "\\n")
        return "line"
"""
POINTS = {
    "perf_assets.sources": {"lab": "lab:Lab", "gone": "nowhere:Gone", "odd": "lab:contextmanager", "half": "lab:Half"},
    "perf_assets.channels": {"pager": "pager:Pager", "mute": "pager:nothing"},
    "perf_assets.formats": {"broken": "crashing:FORMAT"},
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    modules = {"lab": SOURCE, "pager": CHANNEL, "crashing": "raise RuntimeError('out of paper')"}
    return Site(tmp_path / "site", install(tmp_path / "installed", modules, POINTS) | {"LAB_TOKEN": SECRET})


def configure(site: Site, text: str) -> None:
    site.variables()
    site.config.write_text(CONFIG + text)


def test_a_source_is_pulled_and_shown_like_the_others(site: Site) -> None:
    configure(site, "[sources.lab]\nrigs = ['one', 'two']\n")
    done = site.execute("pull", "lab")
    assert done.returncode == 0, done.stderr
    assert {receipt["origin"] for receipt in _landed(site)} == {"lab"}
    assert len(_landed(site)) == 2 * 8
    doctor = {line["subject"]: line for line in json.loads(site.execute("doctor", "--json").stdout)}
    assert (doctor["lab"]["state"], doctor["gitlab"]["state"]) == ("ok", "missing")
    assert "Set sources.gitlab.projects" in doctor["gitlab"]["detail"]
    assert SECRET not in done.stdout + done.stderr + json.dumps(doctor)


def test_what_cannot_be_loaded_is_named_and_the_others_go_on(site: Site) -> None:
    configure(site, "")
    (site.folder / "small.csv").write_bytes(small_table(1, 1))
    done = site.execute("ingest", site.folder / "small.csv")
    assert done.returncode == 0
    assert "entry point broken = crashing:FORMAT of group perf_assets.formats cannot be loaded" in done.stderr
    assert "RuntimeError: out of paper" in done.stderr
    doctor = site.execute("doctor", "--json")
    assert doctor.returncode == 1
    broken = [line["detail"] for line in json.loads(doctor.stdout) if line["subject"] == "plugin"]
    for name in ("broken = crashing:FORMAT", "gone = nowhere:Gone", "odd = lab:contextmanager", "mute = pager:nothing"):
        assert any(f"entry point {name} of group" in line for line in broken), name
    assert any("half = lab:Half of group perf_assets.sources lacks configured, opened" in line for line in broken)


def test_a_section_whose_plugin_cannot_be_loaded_is_an_error_that_says_so(site: Site) -> None:
    configure(site, "[sources.gone]\nx = 1\n")
    done = site.execute("regressions")
    assert done.returncode == 2
    assert "sources.gone: no such setting" in done.stderr
    assert "gone = nowhere:Gone of group perf_assets.sources cannot be loaded (ModuleNotFoundError" in done.stderr


def test_an_alert_goes_to_every_channel_that_is_configured(site: Site) -> None:
    configure(site, f"[pager]\nfile = '{site.folder / 'pages'}'\n")
    publish_regressions(settings_for(site.home), regression_row(1), regression_row(2, simulated=True))
    done = site.execute("alerts", "send")
    assert (done.returncode, done.stdout) == (0, "2 sent, 0 sent before, 0 failed\n")
    assert (site.folder / "pages").read_text() == "regression-1\n"
    assert site.execute("alerts", "send").stdout == "0 sent, 2 sent before, 0 failed\n"
    also = Site(site.folder, {**site.environ, "SLACK_BOT_TOKEN": SECRET, "SLACK_API_URL": "http://127.0.0.1:1/"})
    failed = also.execute("alerts", "send")
    assert failed.returncode == 1
    assert "0 sent, 2 sent before, 1 failed" in failed.stdout
    assert SECRET not in failed.stdout + failed.stderr


def _landed(site: Site) -> list[dict[str, object]]:
    files = (site.home / "landing").rglob("receipts.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
