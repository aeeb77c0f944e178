from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.seasons import (
    CUSTOMARY,
    Sample,
    _seasonal_by_stl,
    changing_samples,
    chapter,
    checks,
    evaluate_changes,
    evaluate_patterns,
    samples,
)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Sample]:
    return {sample.kind: sample for sample in samples(60, 7)}


def test_sines_have_the_strength_they_are_named_by(drawn: dict[str, Sample]) -> None:
    for strength in (0.1, 0.3, 0.5):
        values = drawn[f"daily of strength {strength:g}, hourly, 14 days"].values
        assert 1.0 - 1.0 / values.var(axis=1).mean() == pytest.approx(strength, abs=0.02)


def test_noise_has_the_spacing_and_span_it_is_named_by(drawn: dict[str, Sample]) -> None:
    sample = drawn["AR .9, 6-hourly, 120 days"]
    assert sample.values.shape == (60, 480)
    assert sample.times[1] - sample.times[0] == pd.Timedelta(hours=6)
    assert not sample.pattern


def test_patterns_move_and_double_where_they_are_said_to() -> None:
    drawn = {sample.kind: sample for sample in changing_samples(200, 7)}
    moves, doubles = (drawn[f"{what}: daily, hourly values, white"] for what in ("moves", "doubles"))
    first, second = np.split(moves.values.reshape(200, 20, 24), [moves.changed or 0], axis=1)
    assert np.corrcoef(first.mean(axis=1).ravel(), second.mean(axis=1).ravel())[0, 1] < -0.8
    first, second = np.split(doubles.values.reshape(200, 20, 24), [doubles.changed or 0], axis=1)
    assert second.mean(axis=1).std() == pytest.approx(2 * first.mean(axis=1).std(), rel=0.1)


def test_the_peer_sees_a_sine_and_no_noise() -> None:
    wave = np.sqrt(2.0) * np.sin(2.0 * np.pi * np.arange(336) / 24)
    noise = 0.3 * np.random.default_rng(1).standard_normal((2, 336))
    assert _seasonal_by_stl(Sample("wave", noise + wave, 1, "daily", True)) == 2
    assert _seasonal_by_stl(Sample("noise", noise, 1, "daily", False)) == 0
    assert CUSTOMARY == 0.64


def test_every_kind_is_measured_judged_and_written() -> None:
    patterns, changes = evaluate_patterns(3, 7), evaluate_changes(3, 7)
    judged = checks(patterns, changes)
    assert len(judged) == patterns["target"].notna().sum() + changes["target"].notna().sum()
    assert {check.limit for check in judged} == {"at most", "at least"}
    text = "\n".join(chapter(patterns, changes, 7))
    assert "| white, hourly, 5 days | at most 5 |" in text
    assert "| moves: daily, hourly values, white | at least 90 | 100.0 " in text
