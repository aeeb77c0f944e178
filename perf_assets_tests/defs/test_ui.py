"""Dagster's UI in a real browser: what a person sees of the assets after a run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import requests

from perf_assets_tests.cli.site import Site
from perf_assets_tests.defs.building import DAYS, START, scenario_page, small_table

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
STARTS_WITHIN_SECONDS = 90
_LOADED_WIDTH = "async image => { await image.decode(); return image.naturalWidth }"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine; Debian's package `chromium` has it"),
]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web server over the history of one run on small data."""
    site = Site(tmp_path_factory.mktemp("ui"))
    results = site.folder / "results"
    results.mkdir()
    (results / "fleet.csv").write_bytes(small_table())
    (results / "nodes.csv").write_bytes(two_metrics())
    (results / "scenarios.json").write_bytes(scenario_page())
    assert site.execute("run", results).returncode == 0
    history = site.home / "dagster"
    (history / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-m", "perf_assets.definitions"]
    environment = {**os.environ, **site.variables(), "DAGSTER_HOME": str(history)}
    with subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/server_info")
            yield address
        finally:
            server.terminate()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1500, "height": 1000},
        )
        yield context.pages[0] if context.pages else context.new_page()
        context.close()


def test_the_graph_shows_all_groups(ui: str, page: Page) -> None:
    page.goto(f"{ui}/asset-groups")
    for group in ("ingestion", "series", "trends", "correlations", "forecasts", "advice"):
        page.get_by_text(group, exact=True).first.wait_for(timeout=30_000)


@pytest.mark.parametrize(
    ("asset", "pictures"),
    [("metric_trends", 1), ("metric_correlations", 1), ("metric_forecasts", 1), ("node_scores", 1)],
)
def test_an_asset_has_description_owner_columns_and_a_picture_that_loads(
    ui: str, page: Page, asset: str, pictures: int
) -> None:
    page.goto(f"{ui}/assets/{asset}")
    for words in ("Description", "Columns", "Owners", "Row count", "Metadata"):
        page.get_by_text(words, exact=True).first.wait_for(timeout=30_000)
    links = page.get_by_text("[Show Markdown]")
    links.first.wait_for(timeout=30_000)
    shown = 0
    for number in range(links.count()):
        links.nth(number).click()
        page.get_by_text("Close", exact=True).last.wait_for()
        shown += sum(image.evaluate(_LOADED_WIDTH) > 100 for image in _pictures(page))
        page.keyboard.press("Escape")
        page.get_by_text("Copy", exact=True).wait_for(state="hidden")
    assert shown >= pictures


def _pictures(page: Page) -> list[Locator]:
    """What the open dialog shows; it is open before its content is there."""
    for _ in range(20):
        if page.locator("img[alt=chart]").count():
            break
        page.wait_for_timeout(250)
    return page.locator("img[alt=chart]").all()


def test_lineage_leads_from_raw_results_to_recommendations(ui: str, page: Page) -> None:
    seen, upstream = set(), ["recommendations"]
    while upstream and "raw_results" not in seen:
        asset = upstream.pop()
        if asset in seen:
            continue
        seen.add(asset)
        page.goto(f"{ui}/assets/{asset}")
        page.get_by_text("Upstream assets").first.wait_for(timeout=30_000)
        links = page.locator("a[href^='/assets/']")  # links to code have it further on
        page.wait_for_timeout(500)
        upstream += [str(link.get_attribute("href")).split("/assets/")[1].split("?")[0] for link in links.all()]
    assert "raw_results" in seen


def two_metrics() -> bytes:
    """Two metrics of three nodes that rise and fall together, so that there is a correlation to draw."""
    noise = np.random.default_rng(3).normal(0, 0.02, (3, DAYS))
    rows = [
        (START + timedelta(days=day), metric, factor * (0.5 + noise[node, day]), f"node-{node}")
        for node in range(3)
        for day in range(DAYS)
        for metric, factor in (("cpu_usage", 1.0), ("load_average", 2.0))
    ]
    columns = ["timestamp", "metric_name", "metric_value", "node_id"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False).encode()


def _wait_for(address: str) -> None:
    ends = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        try:
            requests.get(address, timeout=2).raise_for_status()
            return
        except requests.RequestException:
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)
