"""Both channels against the real thing: a local server with Slack's limits, and a folder."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.alerts.channels import DeliveryError, OutboxChannel, clip, file_stem, readable
from perf_assets.alerts.model import Alert
from perf_assets.alerts.slack import Slack, escaped, slack_blocks
from perf_assets_tests.alerts.slack_server import CHANNEL, TOKEN, refusal, slack_server

ALERT = Alert(
    alert_id="regression-1",
    title="checkout_flow is 14 % slower since 2026-09-10 06:00 UTC (code, 20 nodes)",
    summary="checkout_flow takes 14 % longer.\nSee <!channel> & friends.",
    facts=(("Metric", "test_execution_time"), ("First bad commit", "<abc>")),
    severity="regression",
    simulated=False,
    link="http://ci.example/report.html?a=1&b=|",
    happened_at=datetime(2026, 9, 10, 6, tzinfo=UTC),
)

# Characters that count double, are escaped, vanish, or have no UTF-8 form.
awkward_text = st.text(st.sampled_from("&<>*\0\n\ud800😀\u200d a"), max_size=100)
any_text = awkward_text | st.text(max_size=100)
long_text = st.builds(lambda text, times: text * times, any_text, st.integers(1, 200))
any_alert = st.builds(
    Alert,
    alert_id=any_text,
    title=long_text,
    summary=long_text,
    facts=st.lists(st.tuples(any_text, long_text), max_size=4).flatmap(
        lambda facts: st.integers(1, 150).map(lambda times: tuple(facts * times))
    ),
    severity=st.just("regression"),
    simulated=st.booleans(),
    link=st.none() | long_text,
)


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


def channel_to(slack, **changes) -> Slack:
    return Slack(**{"token": TOKEN, "channel": CHANNEL, "base_url": slack.url, "timeout": 5} | changes)


def test_slack_takes_the_alert(slack):
    assert channel_to(slack).send(ALERT) == f"{CHANNEL}/1757505600.000001"
    (message,) = slack.messages
    header, summary, facts, link = message["blocks"]
    assert header["text"]["text"] == ALERT.title
    assert summary["text"] == {"type": "plain_text", "text": ALERT.summary, "emoji": False}
    assert facts["fields"][1]["text"] == "*First bad commit*\n&lt;abc&gt;"
    assert link["text"]["text"] == "<http://ci.example/report.html?a=1&amp;b=%7C|Details>"


def test_simulated_data_is_labelled(slack):
    channel_to(slack).send(replace(ALERT, simulated=True))
    assert "Simulated data, not measured." in json.dumps(slack.messages[0]["blocks"])


@settings(max_examples=25, deadline=None)
@given(alert=any_alert)
def test_any_alert_fits_slack_and_has_utf8(alert):
    blocks = [block.to_dict() for block in slack_blocks(alert)]
    assert refusal({"channel": CHANNEL, "text": "x", "blocks": blocks}) is None
    json.dumps(blocks, ensure_ascii=False).encode("utf-8")
    readable(alert).encode("utf-8")


def test_cut_messages_are_accepted_by_the_server(slack):
    big = replace(ALERT, title="&" * 999 + "😀", summary="<line>\n" * 9999, facts=(("n" * 999, "😀" * 3000),) * 999)
    channel_to(slack).send(big)
    assert len(slack.messages[0]["blocks"]) == 50
    assert slack.messages[0]["blocks"][4]["text"]["text"].endswith("\n…")


@given(text=any_text, limit=st.integers(1, 60))
def test_clip_never_cuts_a_character_or_an_entity(text, limit):
    shown = clip(text, limit, escaped)
    assert 1 <= len(shown.encode("utf-16-le")) // 2 <= max(limit, 1)
    whole = escaped(clip(text, 10**6))
    assert shown == whole or (shown.endswith("…") and whole.startswith(shown[:-1]))
    bare = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(bare) & set("&<>")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token": "xoxb-wrong"}, "invalid_auth.*copy the bot token"),
        ({"channel": "#nowhere"}, "#nowhere.*channel_not_found.*invite the app"),
    ],
)
def test_refusals_name_the_remedy(slack, changes, message):
    with pytest.raises(DeliveryError, match=message):
        channel_to(slack, **changes).send(ALERT)
    assert slack.requests == 1


def test_a_short_rate_limit_is_waited_for(slack):
    slack.troubles = ["rate_limit"]
    channel_to(slack).send(ALERT)
    assert (slack.requests, len(slack.messages)) == (2, 1)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("long_rate_limit", "ratelimited, status 429.*next delivery"),
        ("dated_rate_limit", "ratelimited, status 429"),
        ("server_error", "internal_error, status 500"),
        ("proxy_page", "status 502"),
        ("odd_json", "did not answer as Slack does"),
        ("empty_list", "no reason given, status 200"),
        ("closed", "did not answer as Slack does"),
    ],
)
def test_lasting_troubles_are_delivery_errors(slack, trouble, message):
    slack.troubles = [trouble]
    with pytest.raises(DeliveryError, match=message):
        channel_to(slack).send(ALERT)
    assert (slack.requests, slack.messages) == (1, [])


def test_a_message_whose_answer_is_lost_is_not_sent_again_at_once(slack):
    slack.troubles = ["lost"] * 4
    with pytest.raises(DeliveryError, match="did not answer as Slack does"):
        channel_to(slack).send(ALERT)
    assert (slack.requests, len(slack.messages)) == (1, 1)


def test_silence_ends_in_a_timeout(slack):
    slack.troubles = ["slow"]
    with pytest.raises(DeliveryError, match="timed out"):
        channel_to(slack, timeout=1).send(ALERT)


def test_nobody_listens(slack):
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:1/.*refused.*Check the network"):
        channel_to(slack, base_url="http://127.0.0.1:1/api/").send(ALERT)


def test_the_token_is_shown_nowhere(slack, caplog):
    caplog.set_level(logging.DEBUG)
    slack.troubles = ["server_error"]
    with pytest.raises(DeliveryError) as caught:
        channel_to(slack).send(ALERT)
    channel_to(slack).send(ALERT)
    shown = caplog.text + str(caught.value) + str(caught.value.__cause__) + repr(channel_to(slack))
    assert "Received the following response" in caplog.text
    assert TOKEN not in shown


def test_outbox_leaves_json_and_text(tmp_path):
    receipt = OutboxChannel(tmp_path / "var" / "outbox").send(ALERT)
    written = sorted(path.name for path in (tmp_path / "var" / "outbox").iterdir())
    assert written == ["regression-1.json", "regression-1.txt"]
    document = json.loads(Path(receipt).read_text(encoding="utf-8"))
    assert document["title"] == ALERT.title
    assert document["happened_at"] == "2026-09-10T06:00:00+00:00"
    text = (tmp_path / "var" / "outbox" / "regression-1.txt").read_text(encoding="utf-8")
    assert text.startswith(ALERT.title)
    assert "Metric: test_execution_time" in text


def test_outbox_that_cannot_be_written(tmp_path):
    (tmp_path / "outbox").write_text("a file where the folder should be")
    with pytest.raises(DeliveryError, match="Make the folder writable"):
        OutboxChannel(tmp_path / "outbox").send(ALERT)


@given(first=any_text, second=any_text)
def test_file_names_are_safe_and_different(first, second):
    stem = file_stem(first)
    assert stem.isascii()
    assert 1 <= len(stem) <= 100
    assert not set(stem) & set('/\\:*?"<>| \n\0')
    assert not stem.startswith(".")
    assert (stem == file_stem(second)) == (first == second)
