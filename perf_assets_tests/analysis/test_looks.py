"""Findings over time: what was confirmed stays as newer results come in, or says why it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.change_points import find_many
from perf_assets.analysis.endings import endings, restoring
from perf_assets.analysis.regressions import RegressionRules, Regressions
from perf_assets_tests.analysis.looks import Looks
from perf_assets_tests.analysis.signals import FloatArray, levels, two_modes, white


def confirmed(found: Regressions) -> dict[int, str]:
    """First bad runs of the confirmed ones by id."""
    table = found.table[found.table["state"] == "confirmed"]
    return dict(zip(table["regression_id"], table["first_bad_run"], strict=True))


def lost_or_moved(history: FloatArray, every: int = 3, first: int = 12) -> list[str]:
    """What a look does not know any more of what was confirmed at an earlier one; one look at so many new values."""
    looks, known, wrong = Looks(), dict[int, str](), []
    for count in range(first, history.size + 1, every):
        found = looks.look(history[:count])
        table = found.table.set_index("regression_id")
        reasons = dict(zip(found.withdrawn["regression_id"], found.withdrawn["reason"], strict=True))
        for regression_id, run in known.items():
            if regression_id not in table.index:
                if not reasons.get(regression_id):
                    wrong.append(f"{run} is gone after {count} values")
            elif table.loc[regression_id, "first_bad_run"] != run and pd.isna(table.loc[regression_id, "recovered_at"]):
                wrong.append(f"{run} has become {table.loc[regression_id, 'first_bad_run']} after {count} values")
        known = confirmed(found) | known
    return wrong


# What was confirmed stays


@limits(max_examples=12)
@given(st.integers(0, 10_000))
def test_more_history_neither_removes_nor_moves_what_was_confirmed(seed: int) -> None:
    random = np.random.default_rng(seed)
    heights = 100.0 * np.cumprod(random.choice([0.6, 0.85, 1.15, 1.4, 2.0], int(random.integers(2, 5))))
    stretches = [(int(random.integers(4, 20)), height, random.choice([0.3, 1.0, 3.0])) for height in heights]
    assert lost_or_moved(levels(seed, *stretches)) == []


@pytest.mark.parametrize("second", [88.0, 89.0, 110.0])
def test_a_second_rise_does_not_take_back_the_first(second: float) -> None:
    for seed in range(3):
        history, looks = levels(seed, (19, 50.0, 1.0), (8, 70.6, 1.0), (5, second, 1.0)), Looks()
        first = confirmed(looks.look(history[:27]))
        assert list(first.values()) == ["run-19"]
        for count in range(28, history.size + 1):
            found = looks.look(history[:count])
            assert first.items() <= confirmed(found).items(), (seed, count)
            assert found.withdrawn.empty
        assert len(looks.changes) == 2


@pytest.mark.parametrize("seed", [7, 12, 32, 37, 42])
def test_what_was_confirmed_stays_while_a_few_values_are_back(seed: int) -> None:
    """Its p-value is far above what a new finding would need."""
    history, looks = levels(seed, (20, 100.0, 1.0), (7, 115.0, 1.0), (3, 100.0, 1.0)), Looks()
    first = confirmed(looks.look(history[:27]))
    assert list(first.values()) == ["run-20"]
    found = looks.look(history)
    assert confirmed(found) == first
    assert found.table["q_value"].iloc[0] > 0.05
    assert found.table["waits_for"].isna().all()
    assert found.withdrawn.empty


def test_neighbouring_changes_keep_an_id_each() -> None:
    """Where the interval of one reaches the other, both ids were given to either of them."""
    history = np.concatenate((levels(2, (8, 100.0, 0.3), (9, 85.0, 0.5), (10, 72.0, 1.0)), [85.3, 83.7, 83.9]))
    looks = Looks(direction="higher_is_better")
    first = confirmed(looks.look(history[:27]))
    assert sorted(first.values()) == ["run-17", "run-8"]
    looks.anchors["low_ts"], looks.anchors["high_ts"] = looks.at(5), looks.at(25)
    assert confirmed(looks.look(history[:27])) == first


def test_what_no_longer_differs_is_withdrawn_with_that_reason() -> None:
    looks = Looks()
    rise = levels(2, (20, 50.0, 1.0), (6, 58.0, 1.0))
    first = confirmed(looks.look(rise))
    assert list(first.values()) == ["run-20"]
    found = looks.look(np.concatenate((rise[:23], 50.0 + white(40, 3))))
    assert found.withdrawn["regression_id"].tolist() == list(first)
    (row,) = found.withdrawn.itertuples()
    assert (row.first_bad_run, row.kind, row.title) == ("run-20", "regression", "test-1")
    assert row.reason == "With the newer measurements the levels before and after no longer differ."
    assert not set(first) & set(found.table["regression_id"])


def test_what_has_become_small_is_withdrawn_with_its_size() -> None:
    looks = Looks()
    rise = levels(1, (30, 100.0, 0.2), (6, 112.0, 0.2))
    first = confirmed(looks.look(rise))
    found = looks.look(np.concatenate((rise[:30], 104.0 + 0.2 * white(40, 3))))
    (row,) = found.withdrawn.itertuples()
    assert row.regression_id in first
    assert (
        row.reason == "With the newer measurements the change is +4 %, less than half of the smallest that is reported."
    )


def test_a_larger_change_beside_it_is_not_the_size_of_what_is_gone() -> None:
    looks = Looks()
    history = levels(1, (30, 100.0, 0.5), (30, 130.0, 0.5))
    looks.look(history)
    [anchor] = looks.anchors.to_dict("records")
    other = anchor | {"first_bad_run": "run-25", "regression_id": "7", "low_ts": looks.at(20), "high_ts": looks.at(40)}
    looks.anchors = pd.DataFrame([anchor, other])
    (row,) = looks.look(history).withdrawn.itertuples()
    assert (row.regression_id, row.reason) == (7, "With the newer measurements the levels before and after no longer "
                                               "differ.")  # fmt: skip


def test_what_lies_before_the_first_measurement_is_no_longer_compared() -> None:
    looks = Looks()
    looks.look(levels(1, (30, 100.0, 1.0), (10, 130.0, 1.0)))
    looks.anchors["low_ts"] = looks.anchors["high_ts"] = looks.at(0)
    (row,) = looks.look(levels(2, (40, 130.0, 1.0))).withdrawn.itertuples()
    assert row.reason.startswith("The measurements before it are no longer analysed: ")


# Known changes among those that are found


def index_of(values: FloatArray, *known: int) -> list[int]:
    return find_many(values, [0, values.size], known={0: np.array(known)})["index"].tolist()


def test_a_known_change_counts_in_place_of_what_is_found_beside_it() -> None:
    values = levels(4, (60, 50.0, 1.0), (60, 60.0, 1.0))
    assert index_of(values) == [60]
    for place in (58, 59, 61, 63):
        assert index_of(values, place) == [place]
    assert index_of(values, 60, 62) == [60]


def test_a_known_change_stays_where_its_levels_differ_though_it_would_not_be_found() -> None:
    values = levels(0, (40, 50.0, 1.0), (40, 50.65, 1.0))
    assert index_of(values) == []
    assert index_of(values, 40) == [40]
    assert index_of(levels(5, (80, 50.0, 1.0)), 40) == []


@pytest.mark.parametrize("newest", [1, 2, 3, 4])
def test_a_known_change_stays_while_a_larger_one_begins(newest: int) -> None:
    for seed in range(20):
        values = levels(seed, (13, 100.0, 0.5), (8, 85.0, 0.5), (newest, 166.0, 0.5))
        assert 13 in index_of(values, 13), seed


@pytest.mark.parametrize("seed", [7, 12, 32, 37, 42])
def test_a_known_change_stays_while_a_few_values_are_back(seed: int) -> None:
    values = levels(seed, (20, 100.0, 1.0), (7, 115.0, 1.0), (3, 100.0, 1.0))
    assert index_of(values) == []
    assert index_of(values, 20) == [20]


@pytest.mark.parametrize("known", [(0,), (79,), (80,), (500,), (30, 31, 32, 33)])
def test_known_changes_that_cannot_be_ones_are_left_out(known: tuple[int, ...]) -> None:
    values = levels(5, (40, 50.0, 1.0), (40, 60.0, 1.0))
    assert 40 in index_of(values, *known)
    assert set(index_of(values, *known)) <= {40, 79, 30}


def test_known_changes_of_one_series_are_not_those_of_another() -> None:
    values = levels(0, (40, 50.0, 1.0), (40, 50.65, 1.0))
    table = find_many(np.tile(values, 3), [0, 80, 160, 240], known={1: np.array([40])})
    assert table[["series", "index"]].to_numpy().tolist() == [[1, 40]]


def test_a_known_change_is_found_behind_gaps() -> None:
    values = levels(0, (40, 50.0, 1.0), (40, 50.65, 1.0))
    gaps = np.insert(values, 10, [np.nan, np.inf, np.nan])
    assert index_of(gaps, 43) == [43]
    assert index_of(gaps, 10) == []


# How changes end


def test_three_values_back_in_between_are_no_recovery() -> None:
    for seed in range(10):
        history = levels(seed, (40, 50.0, 1.0), (12, 70.0, 1.0), (3, 50.0, 1.0), (12, 70.0, 1.0))
        table = Looks().look(history).table
        assert table["kind"].tolist() == ["regression"]
        assert table["recovered_at"].isna().all()


def test_a_level_that_is_back_is_a_recovery() -> None:
    looks = Looks()
    table = looks.look(levels(3, (40, 50.0, 1.0), (12, 70.0, 1.0), (12, 50.0, 1.0))).table.set_index("kind")
    assert table.loc["regression", "recovered_at"] == looks.at(52)
    assert pd.isna(table.loc["improvement", "recovered_at"])


def test_a_second_mode_beside_the_old_level_has_not_recovered() -> None:
    recovered = 0
    for seed in range(20):
        modes = np.where(np.random.default_rng(seed).random(80) < 0.5, 50.0, 95.0) + white(80, seed)
        table = Looks().look(np.concatenate((50.0 + white(80, 99), modes))).table
        recovered += bool(table.loc[table["kind"] == "regression", "recovered_at"].notna().any())
    assert recovered <= 2


def changes_at(*rows: tuple[int, float, float, float, int]) -> pd.DataFrame:
    """Changes by day: hour, before, after, p-value, points."""
    table = pd.DataFrame(rows, columns=["hour", "before", "after", "p_value", "points_after"])
    start = pd.Timestamp("2026-06-01")
    return table.assign(
        series_id=1, part_of_day="all day", changed_at=start + pd.to_timedelta(table["hour"], unit="h"),
        previous_at=start + pd.to_timedelta(table["hour"] - 1, unit="h"), last_good_commit=None, first_bad_commit=None,
        change=table["after"] / table["before"] - 1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("later", "recovered", "incident"),
    [
        ((10, 70.0, 50.0, 1e-9, 3), True, True), ((10, 70.0, 54.0, 1e-9, 3), True, True),
        ((10, 70.0, 40.0, 1e-9, 3), True, True), ((10, 70.0, 56.0, 1e-9, 3), False, False),
        ((10, 70.0, 50.0, 0.06, 3), False, False), ((10, 70.0, 50.0, 1e-9, 2), False, False),
        ((24, 70.0, 50.0, 1e-9, 30), True, True), ((25, 70.0, 50.0, 1e-9, 30), True, False),
    ],
)  # fmt: skip
def test_a_level_is_back_within_the_threshold_of_the_old_one(
    later: tuple[int, float, float, float, int], recovered: bool, incident: bool
) -> None:
    changes = changes_at((0, 50.0, 70.0, 1e-9, later[0]), later)
    ended = endings(changes.iloc[:1], changes, np.array([0.1]), fewest=3)
    assert ended.followed.tolist() == [True]
    assert ended.incident.tolist() == [incident]
    assert np.isnat(ended.recovered_at).tolist() == [not recovered]


def test_a_short_level_that_has_ended_counts_as_one() -> None:
    changes = changes_at((0, 50.0, 70.0, 1e-9, 40), (40, 70.0, 50.0, 1e-9, 2), (42, 50.0, 90.0, 1e-9, 9))
    ended = endings(changes, changes, np.full(3, 0.1), fewest=3)
    assert np.isnat(ended.recovered_at).tolist() == [False, False, True]
    assert ended.followed.tolist() == [True, True, False]


def test_what_another_series_or_part_of_the_day_does_ends_nothing() -> None:
    changes = changes_at((0, 50.0, 70.0, 1e-9, 9), (9, 70.0, 50.0, 1e-9, 9))
    for name, other in (("series_id", 2), ("part_of_day", "night 00-06 UTC")):
        apart = changes.astype({name: object}).copy()
        apart.loc[1, name] = other
        ended = endings(apart.iloc[:1], apart, np.array([0.1]), fewest=3)
        assert (ended.followed.any(), np.isnat(ended.recovered_at).all()) == (False, True)


@pytest.mark.parametrize(
    ("earlier", "lasted", "restores"), [(15.0, 5, True), (18.0, 11, True), (15.0, 12, False), (13.0, 5, False)]
)
def test_the_end_of_a_short_level_restores_the_one_before(earlier: float, lasted: int, restores: bool) -> None:
    changes = changes_at((40 - lasted, earlier, 12.0, 1e-9, lasted), (40, 12.0, 15.0, 1e-9, 9))
    findings = changes.iloc[1:].assign(kind="regression", first_bad_at=changes["changed_at"], recovered_at=pd.NaT)
    assert restoring(findings, changes.assign(position=changes["hour"]), np.array([0.1])).tolist() == [restores]


@pytest.mark.parametrize(
    ("before", "after", "restores"),
    [
        (100.0, 100.0, True), (100.0, 95.0, True), (100.0, 108.0, True), (100.0, 60.0, False),
        # Half of the way back to a level of 0 is an improvement of its own.
        (0.0, 0.0, True), (0.0, 5.0, True), (0.0, 60.0, False),
    ],
)  # fmt: skip
def test_an_improvement_that_goes_no_further_than_the_level_before_a_regression_restores_it(
    before: float, after: float, restores: bool
) -> None:
    changes = changes_at((40, before or np.nan, 200.0, 1e-9, 40), (80, 200.0, after, 1e-9, 40)).fillna({"before": 0.0})
    findings = changes.assign(
        kind=["regression", "improvement"], first_bad_at=changes["changed_at"],
        recovered_at=[changes["changed_at"].iloc[1], pd.NaT],
    )  # fmt: skip
    found = restoring(findings, changes.assign(position=changes["hour"]), np.array([0.1, 0.1]))
    assert found.tolist() == [False, restores]


def test_no_findings_restore_nothing() -> None:
    none = changes_at().assign(kind="", first_bad_at=pd.NaT, recovered_at=pd.NaT)
    assert restoring(none, changes_at().assign(position=0), np.empty(0)).tolist() == []


@pytest.mark.parametrize(("every", "commits"), [("h", False), ("h", True), ("D", False)])
def test_an_incident_is_a_level_that_was_left_within_a_day(every: str, commits: bool) -> None:
    looks = Looks(every=every, commits=commits)
    table = looks.look(levels(1, (200, 50.0, 1.0), (8, 70.0, 1.0), (100, 50.0, 1.0))).table
    over = every == "h" and not commits
    assert sorted(table["shape"]) == (["incident"] if over else ["step", "step"])
    assert sorted(table["kind"]) == (["regression"] if over else ["improvement", "regression"])
    assert table.loc[table["kind"] == "regression", "recovered_at"].tolist() == [looks.at(208)]


def test_a_level_that_lasts_two_days_is_no_incident() -> None:
    table = Looks(every="h", commits=False).look(levels(1, (200, 50.0, 1.0), (48, 70.0, 1.0), (100, 50.0, 1.0))).table
    assert table["shape"].tolist() == ["step", "step"]


# Zeros


def test_a_level_that_is_back_after_zeros_is_no_news() -> None:
    for seed in range(5):
        zeros = 0.0, 0.0
        looks = Looks()
        table = looks.look(levels(seed, (10, *zeros), (60, 50.0, 1.0), (8, *zeros), (40, 50.0, 1.0))).table
        assert table.loc[table["kind"] == "regression", "first_bad_run"].tolist() == ["run-10"]
        assert looks.changes["position"].tolist() == [10, 70, 78]
        exact = looks.changes[["before", "after"]].to_numpy()
        assert (exact[[0, 1, 2], [0, 1, 0]] == 0.0).all()
        assert table.set_index("first_bad_run").loc["run-10", "before"] == 0.0


def test_a_higher_level_after_zeros_is_held_against_the_one_before_them() -> None:
    table = Looks().look(levels(1, (60, 50.0, 1.0), (8, 0.0, 0.0), (40, 65.0, 1.0))).table.set_index("first_bad_run")
    (row,) = table[table["kind"] == "regression"].itertuples()
    assert (row.Index, round(row.before), row.change) == ("run-68", 50, pytest.approx(0.3, abs=0.02))


def test_what_is_mostly_zero_keeps_its_rule() -> None:
    """Failures: each time they begin again is a regression from nothing."""
    history = levels(1, (60, 0.0, 0.0), (8, 0.5, 0.02), (60, 0.0, 0.0), (8, 0.5, 0.02))
    table = Looks().look(history).table
    worse = table[table["kind"] == "regression"]
    assert sorted(worse["first_bad_run"]) == ["run-128", "run-60"]
    assert (worse["before"] == 0.0).all()
    assert worse["change"].isna().all()


# What a suspected finding waits for


def test_what_is_suspected_says_how_many_measurements_it_waits_for() -> None:
    waited = set()
    for seed in range(5):
        for newest in (6, 8, 10, 11, 12, 16):
            history = levels(seed, (70, 100.0, 6.0), (newest, 114.0, 6.0))
            for row in Looks().look(history).table.itertuples():
                points = 70 + newest - int(row.first_bad_run.removeprefix("run-"))
                if row.state == "confirmed":
                    assert row.waits_for is None
                    continue
                number, words = row.waits_for.split(" ", 1)
                assert words == f"more measurement{'' if number == '1' else 's'} at the new level"
                assert points + int(number) in (12, 16)
                assert points < 16
                waited.add(int(number))
    assert waited >= {2, 4, 6}


@limits(max_examples=10)
@given(st.integers(0, 10_000))
def test_nothing_is_suspected_with_more_than_sixteen_values_at_its_level(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = two_modes(100, 2.0, 3.0, seed) if seed % 2 else np.cumsum(0.3 * white(100, seed)) + white(100, seed)
    history = 100.0 + noise
    history[int(random.integers(20, 83)) :] += random.choice([-30.0, 12.0, 15.0, 30.0])
    looks = Looks()
    table = looks.look(history).table
    points = looks.changes.set_index("changed_at")["points_after"]
    suspected = table[table["state"] == "suspected"]
    assert (points.reindex(suspected["first_bad_at"]) < 16).all()


def test_twelve_values_settle_what_is_significant_though_not_beyond_doubt() -> None:
    doubtful = 0
    for seed in range(40):
        looks = Looks()
        table = looks.look(levels(seed, (70, 100.0, 6.0), (14, 111.5, 6.0))).table
        sure = looks.changes.set_index("changed_at")["confirmed"].reindex(table["first_bad_at"])
        settled = table["first_bad_run"].isin(["run-69", "run-70", "run-71"])
        doubtful += int((settled.to_numpy() & ~sure.to_numpy(dtype=bool)).sum())
        assert (table.loc[settled, "state"] == "confirmed").all(), seed
    assert doubtful >= 2


def test_a_rule_that_asks_for_more_values_waits_longer() -> None:
    history = levels(1, (70, 100.0, 2.0), (17, 130.0, 2.0))
    (row,) = Looks(rules=RegressionRules(confirm_after=20)).look(history).table.itertuples()
    assert (row.state, row.waits_for) == ("suspected", "3 more measurements at the new level")


# Inputs of every kind


@pytest.mark.parametrize(
    "values",
    [
        np.full(40, np.nan), np.full(40, np.inf), np.zeros(40), np.arange(5.0), np.array([3.0]),
        -levels(1, (30, 50.0, 1.0), (30, 70.0, 1.0)), 1e-12 * levels(1, (30, 50.0, 1.0), (30, 70.0, 1.0)),
        1e12 * levels(1, (30, 50.0, 1.0), (30, 70.0, 1.0)), np.r_[np.full(20, -5.0), np.full(20, 5.0)],
    ],
    ids=range(9),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_values_of_every_kind_are_looked_at(values: FloatArray) -> None:
    looks = Looks()
    first, again = looks.look(values), looks.look(values)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert again.withdrawn.empty
    assert len(first.table) <= 1
    assert (first.table["state"] == "confirmed").all()
