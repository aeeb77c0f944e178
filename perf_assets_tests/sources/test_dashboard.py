"""Fetching from a real local dashboard: paging, retries, and an error that names the remedy for each trouble."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.sources.addresses import next_in_link_header, shown_url
from perf_assets.sources.dashboard import Dashboard, next_in_body
from perf_assets.sources.errors import (
    EndlessPagesError,
    ForeignHostError,
    NotJsonError,
    SettingsError,
    ShapeError,
    StatusError,
    TruncatedError,
    UnauthorizedError,
    UnreachableError,
)
from perf_assets.sources.http import Client, Patience
from perf_assets_tests.sources.dashboard_server import TOKEN, Answer, dashboard_server, zipped

FIRST = "/api/results"
PAGE = b'[ {"scenario": "kms_orphan_simulation", "overmindDurationMs": 761000} ]\n'


@pytest.fixture
def dashboard():
    with dashboard_server() as server:
        server.answers[FIRST] = Answer(PAGE)
        yield server


@pytest.fixture
def other_host():
    with dashboard_server() as server:
        server.answers[FIRST] = Answer(PAGE)
        yield server


def fetch_results(url: str, token: str, **patience: float) -> Iterator[bytes]:
    source = Dashboard(url=url, token=token)
    with Client(source.service(), Patience(**patience)) as client:
        yield from source.pages(client)


def probe(url: str, token: str) -> str:
    return Dashboard(url=url, token=token).probe()


def fetch(dashboard, **changes) -> list[bytes]:
    options = {"timeout": 2, "retries": 3, "backoff": 0.001} | changes
    return list(fetch_results(dashboard.url, TOKEN, **options))


def test_bytes_come_as_they_are(dashboard):
    assert fetch(dashboard) == [PAGE]
    assert dashboard.requests == [FIRST]


def test_compressed_answers_are_unpacked(dashboard):
    dashboard.answers[FIRST] = zipped(PAGE)
    assert fetch(dashboard) == [PAGE]


def test_base_url_may_have_a_path_and_a_user(dashboard):
    dashboard.answers["/ci/api/results"] = Answer(PAGE)
    url = dashboard.url.replace("://", "://user:hunter2@") + "/ci/"
    assert list(fetch_results(url, TOKEN)) == [PAGE]
    assert dashboard.tokens == [f"Bearer {TOKEN}"]


def test_netrc_does_not_replace_the_token(dashboard, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch(dashboard) == [PAGE]


def test_paging_by_link_header(dashboard):
    absolute = f'<{dashboard.url}/>; rel="first", <{dashboard.url}/api/results?page=2>; rel="next"; title="a, <b>"'
    dashboard.answers[FIRST] = Answer(PAGE, headers=(("Link", absolute),))
    dashboard.answers["/api/results?page=2"] = Answer(b'{"results": []}', headers=(("Link", "<?page=3>; REL=Next"),))
    dashboard.answers["/api/results?page=3"] = Answer(b"[3]", headers=(("Link", '<?page=1>; rel="first"'),))
    assert fetch(dashboard) == [PAGE, b'{"results": []}', b"[3]"]


@pytest.mark.parametrize(
    ("key", "value", "second"),
    [
        ("next", "/api/results?offset=100", "/api/results?offset=100"),
        ("next", "?offset=100", "/api/results?offset=100"),
        ("nextPage", 2, "/api/results?page=2"),
        ("next_page", "2", "/api/results?page=2"),
        ("next", "eyJpZCI6MX0=", "/api/results?cursor=eyJpZCI6MX0%3D"),
    ],
)
def test_paging_by_body(dashboard, key, value, second):
    dashboard.answers[FIRST] = Answer(json.dumps({"results": [1], key: value}).encode())
    dashboard.answers[second] = Answer(b'{"results": [2], "next": null, "nextPage": "", "next_page": false}')
    assert len(fetch(dashboard)) == 2
    assert dashboard.requests == [FIRST, second]


def test_absolute_next_page_of_the_same_host(dashboard):
    dashboard.answers[FIRST] = Answer(json.dumps({"results": [], "next": f"{dashboard.url}/more"}).encode())
    dashboard.answers["/more"] = Answer(b"[2]")
    assert fetch(dashboard)[1] == b"[2]"


def test_pages_before_an_error_are_given(dashboard):
    dashboard.answers[FIRST] = Answer(b'{"results": [1], "next": "/gone?secret=1"}')
    pages = fetch_results(dashboard.url, TOKEN)
    assert b"results" in next(pages)
    with pytest.raises(StatusError, match=r"/gone\?secret=\.\.\.: status 404"):
        next(pages)


@pytest.mark.parametrize("form", ["{}/api/results", "//{1}/api/results", "http://127.0.0.1:1\\@{1}/", "ftp://{1}/"])
def test_the_token_never_goes_to_another_host_by_paging(dashboard, other_host, form):
    address = form.format(other_host.url, other_host.url.removeprefix("http://"))
    dashboard.answers[FIRST] = Answer(json.dumps({"results": [], "next": address}).encode())
    with pytest.raises(ForeignHostError, match="must not see the token"):
        fetch(dashboard)
    dashboard.answers[FIRST] = Answer(PAGE, headers=(("Link", f'<{other_host.url}/>; rel="next"'),))
    with pytest.raises(ForeignHostError):
        fetch(dashboard)
    assert other_host.requests == []


def test_the_token_never_goes_to_another_host_by_redirect(dashboard, other_host):
    dashboard.answers[FIRST] = Answer(status=302, headers=(("Location", f"{other_host.url}/api/results"),))
    with pytest.raises(ForeignHostError, match="Configure that address"):
        fetch(dashboard)
    assert other_host.requests == []


def test_redirects_on_the_same_host_are_followed(dashboard):
    dashboard.answers[FIRST] = Answer(b"moved", 308, (("Location", "/v2/results"),))
    dashboard.answers["/v2/results"] = Answer(b'{"results": [], "next": "?page=2"}')
    dashboard.answers["/v2/results?page=2"] = Answer(b"[2]")
    assert fetch(dashboard)[1] == b"[2]"
    dashboard.answers["/v2/results"] = Answer(b"round", 302, (("Location", FIRST),))
    with pytest.raises(StatusError, match="more than 5 redirects"):
        fetch(dashboard)


def test_unreadable_addresses(dashboard):
    for address in ("http://[bad", "https://exa mple.com:port/", "http://./"):
        dashboard.answers[FIRST] = Answer(json.dumps({"results": [], "next": address}).encode())
        with pytest.raises(ShapeError, match="cannot be read"):
            fetch(dashboard)


def test_pages_in_a_circle(dashboard):
    dashboard.answers[FIRST] = Answer(b'{"results": [], "next": 2}')
    dashboard.answers["/api/results?page=2"] = Answer(b'{"results": [], "next": "/api/results#again"}')
    with pytest.raises(EndlessPagesError, match="read already"):
        fetch(dashboard)


def test_pages_without_end(dashboard, monkeypatch):
    monkeypatch.setattr("perf_assets.sources.http.MOST_PAGES", 10)
    dashboard.fallback = lambda path: Answer(b'{"results": [], "next": %d}' % (int(path.split("=")[1]) + 1))
    dashboard.answers[FIRST] = Answer(b'{"results": [], "next": 2}')
    with pytest.raises(EndlessPagesError, match="more than 10 pages"):
        fetch(dashboard)
    assert len(dashboard.requests) == 10


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_token(dashboard, status):
    dashboard.troubles = [Answer(status=status)]
    with pytest.raises(UnauthorizedError, match=f"status {status}.*Configure a token"):
        fetch(dashboard)
    with pytest.raises(UnauthorizedError) as caught:
        list(fetch_results(dashboard.url.replace("://", "://user:hunter2@"), "wrong-token"))
    assert "wrong-token" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(dashboard.requests) == 2


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "tökén"])
def test_tokens_that_cannot_be_sent(dashboard, token):
    with pytest.raises(SettingsError) as caught:
        list(fetch_results(dashboard.url, token))
    assert not token.strip() or token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "dashboard.example", "ftp://h", "https://", "http://h?key=1", "http://[x", "http://h:p"]
)
def test_base_urls_that_cannot_be_called(url):
    with pytest.raises(SettingsError, match="https://host"):
        list(fetch_results(url, TOKEN))


def test_retry_after_is_honoured(dashboard):
    dashboard.troubles = [Answer(status=429, headers=(("Retry-After", "1"),))]
    assert fetch(dashboard) == [PAGE]
    first, second = dashboard.times
    assert second - first >= 1


def test_retry_after_is_capped(dashboard, monkeypatch):
    monkeypatch.setattr("perf_assets.sources.http.LONGEST_WAIT_SECONDS", 0.05)
    dashboard.troubles = [Answer(status=429, headers=(("Retry-After", "86400"),))]
    assert fetch(dashboard) == [PAGE]


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(status=429, headers=(("Retry-After", "soon"),)),
        Answer(status=500),
        Answer(status=503),
        Answer(PAGE, announced=len(PAGE) + 10),
        Answer(PAGE, headers=(("Content-Encoding", "gzip"),)),
    ],
)
def test_passing_troubles_are_overcome(dashboard, trouble):
    dashboard.troubles = [trouble, trouble]
    assert fetch(dashboard) == [PAGE]
    assert len(dashboard.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        (Answer(status=500), StatusError, "status 500 .*Look into the dashboard's log"),
        (Answer(status=429), StatusError, "status 429 .*fewer requests"),
        (Answer(PAGE, announced=999), TruncatedError, "cut short.*look for a proxy"),
        (Answer(PAGE, headers=(("Content-Encoding", "gzip"),)), TruncatedError, "damaged"),
    ],
)
def test_lasting_troubles_end_after_the_retries(dashboard, trouble, error, message):
    dashboard.troubles = [trouble] * 9
    with pytest.raises(error, match=message):
        fetch(dashboard)
    assert len(dashboard.requests) == 4


def test_back_off_grows(dashboard):
    dashboard.troubles = [Answer(status=502)] * 3
    fetch(dashboard, backoff=0.1)
    gaps = [later - earlier for earlier, later in zip(dashboard.times, dashboard.times[1:], strict=False)]
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4


def test_silence_is_a_time_out(dashboard):
    dashboard.troubles = [Answer(PAGE, silence=1.0)] * 2
    with pytest.raises(UnreachableError, match="timed out"):
        fetch(dashboard, timeout=0.1, retries=1)
    assert len(dashboard.requests) == 2


def test_a_pause_in_the_body_is_a_time_out(dashboard):
    dashboard.troubles = [Answer(PAGE, drip=1.0)]
    assert fetch(dashboard, timeout=0.1) == [PAGE]


def test_a_drip_without_end_is_a_time_out(dashboard):
    dashboard.troubles = [Answer(b" " * 10_000, drip=0.02)]
    with pytest.raises(UnreachableError, match=r"not complete after 500 ms"):
        fetch(dashboard, timeout=0.05, retries=0)


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://user:hunter2@127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"/api/results: no answer .*refused.*Check the address") as caught:
            list(fetch_results(url, TOKEN, retries=1, backoff=0.001))
    assert "hunter2" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_unknown_host():
    with pytest.raises(UnreachableError, match=r"no-such-host\.invalid"):
        list(fetch_results("http://no-such-host.invalid", TOKEN, retries=0))


def test_plain_http_where_tls_is_expected(dashboard):
    with pytest.raises(UnreachableError, match="TLS"):
        list(fetch_results(dashboard.url.replace("http", "https"), TOKEN, retries=0))


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b'{"results": [', b"\xff\xfe\xff", b"[" * 100_000])
def test_not_json(dashboard, body):
    dashboard.answers[FIRST] = Answer(body, headers=(("Content-Type", "text/html"),))
    with pytest.raises(NotJsonError, match=r"text/html\) is not JSON.*login page"):
        fetch(dashboard)
    assert len(dashboard.requests) == 1


@pytest.mark.parametrize("body", [b"{}", b"null", b"3", b'{"results": {}}', b'{"error": "x", "code": 3}'])
def test_wrong_shape(dashboard, body):
    dashboard.answers[FIRST] = Answer(body)
    with pytest.raises(ShapeError, match="expected a list of results"):
        fetch(dashboard)


def test_unknown_ways_to_name_the_next_page(dashboard):
    dashboard.answers[FIRST] = Answer(b'{"results": [], "next": {"href": "/2"}}')
    with pytest.raises(ShapeError, match="given as dict"):
        fetch(dashboard)


def test_probe_tells_what_it_found(dashboard):
    shown = probe(dashboard.url, TOKEN)
    assert shown == (
        f"{dashboard.url}/api/results answers with 1 result with the fields scenario, overmindDurationMs in 72 B"
    )
    dashboard.answers[FIRST] = Answer(b'{"results": [], "next": 2}')
    assert probe(dashboard.url, TOKEN).endswith("0 results in 26 B; more pages follow")
    assert dashboard.requests == [FIRST, FIRST]


def test_probe_does_not_try_again(dashboard):
    dashboard.troubles = [Answer(status=503, headers=(("Retry-After", "60"),))]
    with pytest.raises(StatusError, match="503"):
        probe(dashboard.url, TOKEN)


# What RFC 3986 allows in an address, and what RFC 8288 allows in a quoted parameter.
addresses = st.text("abc0129-._~:/?#[]@!$&'()*+,;=%", min_size=1, max_size=30)
quoted = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=15)


@given(target=addresses, other=addresses, title=quoted)
def test_link_headers_of_any_form(target, other, title):
    header = f'<{other}>; title="{title}"; rel="prev", <{target}>;title="{title}" ; rel="last next";x'
    assert next_in_link_header(header) == target
    assert next_in_link_header(f'<{other}>; title="{title}"; rel=prev; rel=next') is None


@given(st.text(max_size=200))
def test_any_link_header_is_read_or_ignored(header):
    assert next_in_link_header(header) is None or "next" in header.lower()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_any_next_page_is_an_address_an_end_or_an_error(value):
    try:
        address = next_in_body({"results": [], "next": value}, "http://h/api/results?page=1")
    except ShapeError:
        assert value is True or not isinstance(value, bool | int | str)
    else:
        assert address is None or isinstance(address, str)


@given(user=st.text("abc%:", max_size=9), value=st.text("xyz=%", min_size=1, max_size=9))
def test_shown_urls_have_no_secrets(user, value):
    assert shown_url(f"https://{user}@h:1/p?key={value}#{value}") in ("https://h:1/p?key=...", "https://h:1/p")


def test_importing_is_light():
    modules = "perf_assets.sources.dashboard", "requests", "dagster", "duckdb", "pandas"
    code = f"import sys, {modules[0]}; assert not set(sys.modules) & set({modules[1:]!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
