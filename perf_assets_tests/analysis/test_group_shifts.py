"""Shifts that only many short series show together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.group_shifts import find_group_shifts
from perf_assets.analysis.regressions import MEMBER_COLUMNS, REGRESSION_COLUMNS, RegressionRules
from perf_assets_tests.analysis.signals import MONDAY, white

NO_MEMBERS = pd.DataFrame({"series_id": [], "changed_at": []}).astype({"changed_at": "datetime64[us]"})


class Scenarios:
    """Series of seven values, a day apart, of which the last two may be slower; noise of 25 %."""

    def __init__(self, seed: int, series: int = 7, before: int = 5, after: int = 2, spread: float = 0.25) -> None:
        self.before, self.count, self.rows = before, before + after, []
        self.values = np.exp(
            spread * white(series * self.count, seed).reshape(series, self.count)
            + np.log(600.0 * (1.0 + np.arange(series)))[:, None]
        )
        self.about = pd.DataFrame(
            [
                {"series_id": number, "project": "p", "metric": "scenario_duration", "unit": "s",
                 "direction": "lower_is_better", "test_name": f"scenario-{number}", "test_type": "scenario",
                 "node_id": None, "node_type": None, "title": f"scenario-{number}", "simulated": False}
                for number in range(series)
            ]
        )  # fmt: skip

    def slower(self, share: float, *series: int) -> Scenarios:
        self.values[list(series) or slice(None), self.before :] *= 1.0 + share
        return self

    def measurements(self) -> pd.DataFrame:
        numbers = np.arange(self.count)
        return pd.concat(
            [
                pd.DataFrame(
                    {"series_id": number, "ts": pd.date_range(MONDAY, periods=self.count, freq="D"), "value": values,
                     "run_key": [f"run-{n}" for n in numbers], "commit_id": [f"c{n}" for n in numbers]}
                )
                for number, values in enumerate(self.values)
            ]
        )  # fmt: skip

    def find(
        self, members: pd.DataFrame = NO_MEMBERS, rules: RegressionRules | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        return find_group_shifts(self.measurements(), members, self.about, rules or RegressionRules())


def test_seven_scenarios_with_two_slower_runs_each_are_one_finding() -> None:
    found = [Scenarios(seed).slower(0.45).find()[0] for seed in range(100)]
    regressions = [table for table in found if table["kind"].tolist() == ["regression"]]
    assert len(regressions) >= 78
    assert all(len(table) <= 1 for table in found)
    near = [table for table in regressions if table["first_bad_run"].iloc[0] in ("run-4", "run-5", "run-6")]
    assert len(near) >= 0.95 * len(regressions)


def test_a_group_says_what_its_series_show() -> None:
    scenarios = Scenarios(1, spread=0.1).slower(0.45)
    table, members = scenarios.find()
    (row,) = table.itertuples()
    assert (row.shape, row.scope, row.scope_name, row.kind) == ("group", "project", "p", "regression")
    assert (row.last_good_run, row.first_bad_run, row.first_bad_commit) == ("run-4", "run-5", "c5")
    assert (row.last_good_at, row.first_bad_at) == (MONDAY + pd.Timedelta(days=4), MONDAY + pd.Timedelta(days=5))
    assert row.change == pytest.approx(0.45, abs=0.12)
    assert row.change_low < row.change < row.change_high
    assert (row.members, len(members), members["series_id"].nunique()) == (7, 7, 7)
    assert (members["after"] > members["before"]).all()
    assert row.explanation == "7 of 7 series moved the same way; together they show what none of them proves alone."
    assert tuple(table.columns) == REGRESSION_COLUMNS
    assert tuple(members.columns) == MEMBER_COLUMNS
    assert row.after > row.before


def test_what_is_suspected_of_a_group_names_the_measurements_it_waits_for() -> None:
    tables = [Scenarios(seed, series=4, before=5, after=1, spread=0.1).slower(0.5).find()[0] for seed in range(30)]
    table = pd.concat([each for each in tables if len(each)])
    assert set(table["state"]) <= {"confirmed", "suspected"}
    waiting = table[table["state"] == "suspected"]["waits_for"]
    assert len(waiting) >= 5
    assert not waiting.str.startswith("1 more measurements").any()
    assert waiting.str.fullmatch(r"(1 more measurement|\d\d? more measurements) at the new level").all()
    assert table[table["state"] == "confirmed"]["waits_for"].isna().all()


def test_without_a_shift_there_is_none() -> None:
    assert sum(len(Scenarios(seed).find()[0]) > 0 for seed in range(100)) <= 5


def test_a_shift_of_few_of_its_series_is_not_the_groups() -> None:
    assert all(Scenarios(seed, spread=0.05).slower(0.9, 0, 1).find()[0].empty for seed in range(20))


def test_a_shift_that_less_than_three_of_four_series_share_is_not_the_groups() -> None:
    for seed in range(5):
        scenarios = Scenarios(seed, before=8, after=8, spread=0.05).slower(1.5, 0, 1, 2, 3, 4)
        assert scenarios.slower(-0.15, 5, 6).find()[0].empty
        assert len(Scenarios(seed, before=8, after=8, spread=0.05).slower(1.5).find()[0]) == 1


def test_a_shift_smaller_than_the_rules_ask_does_not_count() -> None:
    scenarios = Scenarios(1, spread=0.02).slower(0.2)
    assert len(scenarios.find()[0]) == 1
    assert scenarios.find(rules=RegressionRules(threshold=0.5))[0].empty


def known(series: range, day: int = 5) -> pd.DataFrame:
    at = np.datetime64(MONDAY + pd.Timedelta(days=day), "us")
    return pd.DataFrame({"series_id": list(series), "changed_at": at})


def test_a_group_whose_members_have_findings_of_their_own_adds_nothing() -> None:
    scenarios = Scenarios(1, spread=0.1).slower(0.45)
    assert scenarios.find(known(range(7)))[0].empty
    assert scenarios.find(known(range(4)))[0].empty
    assert len(scenarios.find(known(range(3)))[0]) == 1
    assert len(scenarios.find(known(range(7), day=40))[0]) == 1


@pytest.mark.parametrize("changed", [3, 4, 6])
def test_what_changed_by_itself_is_no_evidence_for_the_others(changed: int) -> None:
    for seed in range(20):
        some = Scenarios(seed, series=12, before=20, after=20, spread=0.02).slower(0.3, *range(changed))
        assert some.find(known(range(changed), day=20))[0].empty


def test_the_change_of_a_group_is_the_middle_one_of_those_that_had_no_finding() -> None:
    table, members = Scenarios(1, spread=0.05).slower(0.45).find(known(range(2)))
    (row,) = table.itertuples()
    assert row.members == len(members) == 5
    assert row.change == pytest.approx(members["change"].median())
    assert row.change_low < row.change < row.change_high


def test_the_widest_group_that_shifted_takes_the_narrower_ones() -> None:
    scenarios = Scenarios(1, series=8, spread=0.1).slower(0.45)
    scenarios.about["node_id"] = [f"node-{number % 2}" for number in range(8)]
    assert scenarios.find()[0]["scope"].tolist() == ["project"]
    one = Scenarios(1, series=8, spread=0.1).slower(0.45, 0, 2, 4, 6)
    one.about["node_id"] = [f"node-{number % 2}" for number in range(8)]
    table, _ = one.find()
    assert table[["scope", "scope_name"]].to_numpy().tolist() == [["node", "node-0"]]


@pytest.mark.parametrize(
    ("column", "other"), [("metric", "scenario_cost"), ("direction", "higher_is_better"), ("project", "q")]
)
def test_a_group_has_one_metric_direction_and_project(column: str, other: str) -> None:
    scenarios = Scenarios(1, series=4, spread=0.05).slower(0.45)
    assert len(scenarios.find()[0]) == 1
    scenarios.about.loc[:1, column] = other
    assert scenarios.find()[0].empty


def test_neutral_series_form_no_group() -> None:
    scenarios = Scenarios(1, spread=0.05).slower(0.45)
    scenarios.about["direction"] = "neutral"
    assert scenarios.find()[0].empty


@pytest.mark.parametrize(("before", "after"), [(2, 1), (40, 30)])
def test_too_short_and_too_long_series_form_no_group(before: int, after: int) -> None:
    assert Scenarios(1, before=before, after=after, spread=0.05).slower(0.45).find()[0].empty


def test_faster_is_an_improvement_where_lower_is_better_and_the_other_way_round() -> None:
    scenarios = Scenarios(1, spread=0.05).slower(-0.4)
    assert scenarios.find()[0]["kind"].tolist() == ["improvement"]
    scenarios.about["direction"] = "higher_is_better"
    assert scenarios.find()[0]["kind"].tolist() == ["regression"]


def test_all_at_once_and_constant_values_are_looked_at() -> None:
    same, flat = Scenarios(1, spread=0.1).slower(0.45), Scenarios(1, spread=0.0)
    table = same.measurements().assign(ts=np.datetime64(MONDAY, "us"))
    found, _ = find_group_shifts(table, NO_MEMBERS, same.about, RegressionRules())
    assert len(found) <= 1
    assert flat.find()[0].empty
    stepped = Scenarios(1, spread=0.0).slower(0.45).find()[0]
    assert stepped["change"].tolist() == [pytest.approx(0.45)]


@limits(max_examples=15)
@given(st.integers(0, 1_000), st.sampled_from([1e-9, 1e-3, 1e9]))
def test_the_unit_does_not_matter(seed: int, factor: float) -> None:
    plain, scaled = Scenarios(seed).slower(0.45), Scenarios(seed).slower(0.45)
    scaled.values *= factor
    expected, found = plain.find()[0], scaled.find()[0]
    assert found["regression_id"].tolist() == expected["regression_id"].tolist()
    shares = ["change", "q_value"]
    np.testing.assert_allclose(found[shares].to_numpy(dtype=float), expected[shares].to_numpy(dtype=float), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@limits(max_examples=20)
@given(st.lists(st.floats(), min_size=21, max_size=21))
def test_any_numbers_give_a_finding_or_none(values: list[float]) -> None:
    scenarios = Scenarios(1, series=3)
    scenarios.values = np.array(values).reshape(3, 7)
    table, members = scenarios.find()
    assert len(table) <= 1
    assert set(members["regression_id"]) == set(table["regression_id"])
