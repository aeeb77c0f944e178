"""The client that pulling sources share: conditional requests, limits as services tell them, and secrets."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.sources.answers import KEPT_DAYS
from perf_assets.sources.errors import SettingsError, StatusError, UnauthorizedError
from perf_assets.sources.http import Client, Patience, Service, no_rest, rest_asked, secret_header
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.service import SECRET, Request, as_json, serving, with_etag
from perf_assets_tests.sources.service import Service as Local

SERVED = datetime(2026, 9, 10, 6, 0, tzinfo=UTC)
DATE = format_datetime(SERVED, usegmt=True)
EPOCH = int(SERVED.timestamp())


@pytest.fixture
def local() -> Iterator[Local]:
    def answer(request: Request) -> Answer:
        linked = (("Link", f'<{request.path}?page=2>; rel="next"'),) if "page" not in request.query else ()
        return with_etag(Answer(f"[{request.query.get('page', 1)}]".encode(), headers=linked))

    with serving(answer) as service:
        yield service


def client(tmp_path: Path, **more: object) -> Client:
    headers = secret_header("Authorization", SECRET, "THE_TOKEN", "Bearer")
    service = Service("the service", headers, SECRET, **more)
    return Client(service, Patience(2, 1, 0.001, 1), tmp_path / "cache")


def test_what_has_not_changed_is_told_from_what_was_kept_with_its_next_page(local, tmp_path):
    with client(tmp_path) as first:
        bodies = [answer.body for answer in first.pages(f"{local.url}/runs", get=first.get_if_changed)]
    assert (bodies, first.requests, first.not_modified) == ([b"[1]", b"[2]"], 2, 0)
    with client(tmp_path) as second:
        again = list(second.pages(f"{local.url}/runs", get=second.get_if_changed))
    assert [answer.body for answer in again] == bodies
    assert all(answer.not_modified for answer in again)
    assert (second.requests, second.not_modified, local.not_modified, second.bytes) == (2, 2, 2, 0)
    assert [request.headers.get("if-none-match") is not None for request in local.requests] == [
        False,
        False,
        True,
        True,
    ]


def test_what_has_changed_is_told_anew(local, tmp_path):
    with client(tmp_path) as asking:
        asking.get_if_changed(f"{local.url}/runs")
        local.answer = lambda request: with_etag(Answer(b"[new]"))
        assert asking.get_if_changed(f"{local.url}/runs").body == b"[new]"
        assert asking.get_if_changed(f"{local.url}/runs").body == b"[new]"
    assert asking.not_modified == 1


def test_a_kept_answer_holds_no_secret_and_is_for_its_owner_alone(local, tmp_path):
    with client(tmp_path) as asking:
        asking.get_if_changed(f"{local.url}/runs")
    (kept,) = (tmp_path / "cache").iterdir()
    assert SECRET.encode() not in kept.read_bytes()
    assert kept.stat().st_mode & 0o077 == 0


def test_answers_that_nobody_asks_for_are_forgotten(local, tmp_path):
    with client(tmp_path) as asking:
        asking.get_if_changed(f"{local.url}/runs")
        asking.get_if_changed(f"{local.url}/jobs")
    old, _ = sorted((tmp_path / "cache").iterdir())
    long_ago = time.time() - (KEPT_DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    with client(tmp_path):
        pass
    assert old not in list((tmp_path / "cache").iterdir())
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_an_answer_without_etag_is_not_kept_and_304_unasked_for_is_an_error(local, tmp_path):
    local.answer = lambda request: Answer(b"[]")
    with client(tmp_path) as asking:
        asking.get_if_changed(f"{local.url}/runs")
        asking.get_if_changed(f"{local.url}/runs")
        assert asking.not_modified == 0
        local.answer = lambda request: Answer(status=304)
        with pytest.raises(StatusError, match="status 304"):
            asking.get_if_changed(f"{local.url}/runs")


@pytest.mark.parametrize(
    ("status", "headers", "body", "rest"),
    [
        (403, {"Retry-After": "30"}, b"", 30.0),
        (429, {"Retry-After": "0"}, b"", 0.0),
        (429, {"Retry-After": format_datetime(SERVED + timedelta(seconds=90), usegmt=True)}, b"", 90.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 10)}, b"", 11.0),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": "10"}, b"", 11.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH - 10)}, b"", 1.0),
        (403, {"x-ratelimit-remaining": "12", "x-ratelimit-reset": str(EPOCH + 10)}, b"", None),
        (403, {"x-ratelimit-remaining": "12"}, b"You have exceeded a secondary rate limit.", 60.0),
        (429, {}, b"API Rate Limit exceeded", 60.0),
        (403, {}, b"Resource not accessible by personal access token", None),
        (429, {}, b"", None),
        (500, {"Retry-After": "30"}, b"rate limit", None),
    ],
)
def test_the_rest_that_a_service_asks_for(status, headers, body, rest):
    assert rest_asked(status, {"Date": DATE} | headers, body) == rest
    assert no_rest(status, headers, body) is None


@given(st.sampled_from([200, 403, 429]), st.text(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_any_headers_are_read_or_ignored(status, after, reset, body):
    headers = {"Retry-After": after, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "Date": reset}
    rest = rest_asked(status, headers, body)
    assert rest is None or rest >= 0


def test_no_message_and_no_log_shows_the_secret(local, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    local.answer = lambda request: as_json({"message": "no access"}, 401)
    url = local.url.replace("://", "://user:hunter3-in-the-url@")
    with client(tmp_path) as asking, pytest.raises(UnauthorizedError) as caught:
        asking.get(f"{url}/runs?key=hunter4")
    told = f"{caught.value} {asking.service!r} {caplog.text}"
    assert "hunter3" not in str(caught.value)
    assert "hunter4" not in str(caught.value)
    assert SECRET not in told


@pytest.mark.parametrize("secret", ["", " ", "two words", "line\nbreak", "tökén"])
def test_secrets_that_no_header_can_hold(secret):
    with pytest.raises(SettingsError, match="THE_TOKEN is empty or has characters") as caught:
        secret_header("Authorization", secret, "THE_TOKEN")
    assert not secret.strip() or secret not in str(caught.value)


def test_a_line_end_after_a_pasted_secret_is_left_out():
    assert secret_header("X", f"{SECRET}\n", "THE_TOKEN", "Bearer") == {"X": f"Bearer {SECRET}"}
