from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.environments import ENVIRONMENT_COLUMNS
from perf_assets.analysis.level_changes import find_change_points
from perf_assets.analysis.regressions import RegressionRules, Regressions, find_regressions
from perf_assets.analysis.sensitivity import find_detection_limits
from perf_assets_tests.analysis.signals import MONDAY, step, white

POINTS = 80
TS = pd.date_range(MONDAY, periods=POINTS, freq="D").to_numpy()


class Fleet:
    """Series of tests on nodes, each around 100 with a noise of 3; events are added by series."""

    def __init__(self, tests: int = 4, nodes: int = 6, types: int = 2) -> None:
        self.rows: list[dict[str, object]] = []
        self.values: dict[int, np.ndarray] = {}
        self.doubtful_falls = False
        self.astray: dict[int, int] = {}
        self.measured: pd.DataFrame | None = None
        self.ts = TS
        self.commits: list[str | None] = [f"commit-{n}" for n in range(POINTS)]
        self.image_changes: list[tuple[int, str, object]] = []
        self.contexts: list[str | None] = [
            f'{{"runner_image": "{"new" if n >= 50 else "old"}"}}' for n in range(POINTS)
        ]
        for test in range(tests):
            for node in range(nodes):
                series_id = len(self.rows) + 1
                self.rows.append(
                    {"series_id": series_id, "project": "p", "metric": "test_execution_time", "unit": "s",
                     "direction": "lower_is_better", "test_name": f"test-{test}", "node_id": f"node-{node}",
                     "node_type": f"type-{node % types}", "title": f"test-{test} on node-{node}", "simulated": False,
                     "first_seen": TS[0], "last_seen": TS[-1], "as_of": TS[-1]}
                )  # fmt: skip
                self.values[series_id] = 100 + 3 * white(POINTS, 1_000 + series_id)

    def shift(self, at: int, size: float, **where: str) -> Fleet:
        for series_id in self.ids(**where):
            self.values[series_id] = step(self.values[series_id], at, size)
        return self

    def renew(self, at: int, image: str, **where: str) -> Fleet:
        """Take series over to another runner image."""
        self.image_changes += [(series_id, image, TS[at]) for series_id in self.ids(**where)]
        return self

    def ids(self, **where: str) -> list[int]:
        return [
            int(str(row["series_id"])) for row in self.rows if all(row[name] == value for name, value in where.items())
        ]

    def find(self, rules: RegressionRules | None = None, anchors: pd.DataFrame | None = None) -> Regressions:
        series = pd.DataFrame(self.rows)
        frames = [
            pd.DataFrame({"series_id": key, "run_id": np.arange(POINTS), "ts": self.ts, "value": values}).dropna()
            for key, values in self.values.items()
        ]
        runs = pd.DataFrame(
            {"run_id": np.arange(POINTS), "run_key": [f"run-{n}" for n in range(POINTS)],
             "commit_id": self.commits}
        )  # fmt: skip
        measurements = pd.concat(frames)
        changes = find_change_points(measurements)
        for series_id, runs_off in self.astray.items():
            own, off = changes["series_id"] == series_id, pd.Timedelta(days=runs_off)
            changes.loc[own, ["index_run_id", "previous_run_id", "position"]] += runs_off
            changes.loc[own, ["changed_at", "previous_at", "changed_at_high"]] += off
        if self.doubtful_falls:
            changes.loc[changes["size"] < 0, "q_value"] = 0.9
        limits = find_detection_limits(measurements, changes)
        images = pd.DataFrame(self.image_changes, columns=["series_id", "runner_image", "since"])
        images = images.astype({"series_id": "int64", "since": "datetime64[us]"})
        return find_regressions(
            changes,
            series,
            runs,
            limits,
            rules or RegressionRules(),
            anchors,
            images,
            self.environments(),
            self.measured,
        )

    def environments(self) -> pd.DataFrame:
        """What the contexts say, as the warehouse tells it."""
        told = [json.loads(context or "null") for context in self.contexts]
        told = [each if isinstance(each, dict) else {} for each in told]
        rows: list[tuple[object, ...]] = []
        for field in sorted({name for each in told for name in each}):
            known = [(place, str(each[field])) for place, each in enumerate(told) if field in each]
            for setting, group in itertools.groupby(known, key=lambda each: each[1]):
                places = [place for place, _ in group]
                for series_id, values in self.values.items():
                    first, last = np.median(values[places[:10]]), np.median(values[places[-10:]])
                    rows.append((series_id, field, setting, TS[places[0]], places[0], places[-1] + 1, first, last))
        table = pd.DataFrame(rows, columns=list(ENVIRONMENT_COLUMNS))
        return table.sort_values(["series_id", "field", "position"], ignore_index=True)


def test_a_quiet_fleet_has_no_regression() -> None:
    found = Fleet().find()
    assert found.table.empty
    assert found.members.empty


def test_a_single_change_is_suspected_until_the_evidence_is_beyond_doubt() -> None:
    where = {"test_name": "test-1", "node_id": "node-2"}
    early = {after: Fleet().shift(POINTS - after, 30.0, **where).find().table["state"].tolist() for after in (2, 3)}
    assert early == {2: [], 3: ["confirmed"]}
    rules = RegressionRules(threshold=0.05)
    states = {
        after: Fleet().shift(POINTS - after, 8.0, **where).find(rules).table["state"].tolist() for after in (4, 20)
    }
    assert states == {4: ["suspected"], 20: ["confirmed"]}


def test_a_change_smaller_than_the_noise_is_none() -> None:
    where = {"test_name": "test-1", "node_id": "node-2"}
    assert Fleet().shift(30, 2.5, **where).find(RegressionRules(threshold=0.01)).table.empty


def test_an_improvement_by_half_is_suspicious_and_says_so() -> None:
    row = Fleet().shift(40, -60.0, test_name="test-1", node_id="node-2").find().table.iloc[0]
    assert row["kind"] == "improvement"
    assert row["suspicious"]
    assert "does the test still do its work" in row["explanation"]
    assert not Fleet().shift(40, -20.0, test_name="test-1", node_id="node-2").find().table.iloc[0]["suspicious"]


def test_a_regression_tells_the_smallest_change_its_series_can_show() -> None:
    row = Fleet().shift(40, 20.0, test_name="test-1", node_id="node-2").find().table.iloc[0]
    assert 0.02 < row["smallest_detectable"] < 0.06


@pytest.mark.parametrize(
    ("where", "scope", "cause", "members"),
    [({"test_name": "test-2"}, "test", "code", 6), ({"node_id": "node-3"}, "node", "environment", 4),
     ({"node_type": "type-1"}, "node_type", "environment", 12)],
)  # fmt: skip
def test_what_moved_together_is_one_finding_with_its_cause(
    where: dict[str, str], scope: str, cause: str, members: int
) -> None:
    found = Fleet().shift(50, 20.0, **where).find()
    row = found.table.iloc[0]
    assert len(found.table) == 1
    assert (row["scope"], row["scope_name"], row["cause"]) == (scope, *where.values(), cause)
    assert row["members"] == members == len(found.members)
    assert row["change"] == pytest.approx(0.2, abs=0.03)
    assert row["change_low"] <= row["change"] <= row["change_high"]


def test_the_interval_of_few_is_no_narrower_than_their_own() -> None:
    found = Fleet().shift(50, 20.0, node_id="node-3").find()
    row, members = found.table.iloc[0], found.members["change"]
    assert len(members) == 4
    assert row["change_low"] < members.min() - 0.002
    assert members.max() + 0.002 < row["change_high"]


@pytest.mark.parametrize(("where", "members"), [({}, 24), ({"node_type": "type-1"}, 12), ({"node_id": "node-2"}, 4)])
def test_what_went_over_to_an_image_and_moved_then_is_the_images(where: dict[str, str], members: int) -> None:
    found = Fleet().shift(50, 20.0, **where).renew(50, "2026.10.2", **where).find()
    (row,) = found.table.itertuples()
    assert (row.scope, row.scope_name, row.cause) == ("runner_image", "2026.10.2", "environment")
    assert row.members == members == len(found.members)
    assert row.explanation == (
        f"{members} series went over to runner image 2026.10.2 and moved together: the environment changed, not one "
        "test; runner_image changed from old to new."
    )


@pytest.mark.parametrize(
    ("where", "scope"),
    [({"test_name": "test-2"}, "test"), ({"node_id": "node-3"}, "node"), ({"node_type": "type-1"}, "node_type")],
)
def test_an_image_that_left_many_series_as_they_were_is_not_the_reason(where: dict[str, str], scope: str) -> None:
    found = Fleet().shift(50, 20.0, **where).renew(50, "new").find()
    assert found.table["scope"].tolist() == [scope]


def test_an_image_that_came_at_another_time_is_not_the_reason() -> None:
    found = Fleet().shift(50, 20.0, node_type="type-1").renew(30, "new", node_type="type-1").find()
    assert found.table["scope"].tolist() == ["node_type"]


def test_an_image_that_came_to_one_node_after_another_is_one_finding() -> None:
    fleet = Fleet()
    for number in range(6):
        where = {"node_id": f"node-{number}"}
        fleet.shift(40 + number, 20.0, **where).renew(40 + number, "new", **where)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.members) == ("runner_image", 24)


def test_an_image_that_was_taken_back_is_an_improvement_of_the_one_before() -> None:
    fleet = Fleet().shift(30, 20.0).renew(30, "new").shift(60, -20.0).renew(60, "old")
    table = fleet.find().table.set_index("kind")
    assert table["scope"].tolist() == ["runner_image", "runner_image"]
    assert table["scope_name"].to_dict() == {"regression": "new", "improvement": "old"}
    assert abs(table.loc["regression", "recovered_at"] - TS[60]) <= pd.Timedelta(days=2)


def test_an_image_takes_series_that_neither_node_nor_test_have_in_common() -> None:
    fleet = Fleet()
    pairs = [{"test_name": f"test-{number}", "node_id": f"node-{number}"} for number in range(4)]
    for where in pairs:
        fleet.shift(50, 20.0, **where).renew(50, "new", **where)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.members) == ("runner_image", 4)


def test_one_series_is_bracketed_by_its_runs_and_commits() -> None:
    row = Fleet().shift(50, 20.0, test_name="test-2", node_id="node-3").find().table.iloc[0]
    assert (row["scope"], row["kind"], row["state"]) == ("series", "regression", "confirmed")
    assert (row["last_good_run"], row["first_bad_run"]) == ("run-49", "run-50")
    assert (row["last_good_commit"], row["first_bad_commit"]) == ("commit-49", "commit-50")
    assert row["cause"] == "environment"
    assert "runner_image changed from old to new" in row["explanation"]


def test_direction_decides_between_regression_and_improvement() -> None:
    fleet = Fleet().shift(40, -20.0, test_name="test-1")
    assert fleet.find().table["kind"].tolist() == ["improvement"]
    for row in fleet.rows:
        row["direction"] = "higher_is_better"
    assert fleet.find().table["kind"].tolist() == ["regression"]
    for row in fleet.rows:
        row["direction"] = "neutral"
    assert fleet.find().table.empty


def test_a_significant_change_below_the_threshold_does_not_matter() -> None:
    fleet = Fleet().shift(40, 6.0, test_name="test-1")
    assert fleet.find().table.empty
    assert len(fleet.find(RegressionRules(threshold=0.10, thresholds={"test_execution_time": 0.03})).table) == 1


def test_a_fresh_change_is_suspected_until_enough_runs_confirm_it() -> None:
    found = Fleet().shift(POINTS - 5, 40.0, test_name="test-1").find(RegressionRules(confirm_after=10))
    assert found.table["state"].tolist() == ["suspected"]
    assert found.anchors.empty


def test_a_regression_that_was_mended_says_when() -> None:
    found = Fleet().shift(30, 20.0, test_name="test-1").shift(60, -20.0, test_name="test-1").find()
    by_kind = found.table.set_index("kind")
    assert abs(by_kind.loc["regression", "recovered_at"] - TS[60]) <= pd.Timedelta(days=2)
    assert pd.isna(by_kind.loc["improvement", "recovered_at"])


def test_two_events_at_one_time_are_told_apart() -> None:
    found = Fleet().shift(50, 20.0, node_id="node-3").shift(50, -25.0, test_name="test-1").find()
    assert sorted(found.table["kind"]) == ["improvement", "regression"]


def test_ids_stay_when_an_anchored_change_moves_a_little() -> None:
    first = Fleet().shift(50, 12.0, test_name="test-1").find()
    moved = Fleet().shift(51, 12.0, test_name="test-1")
    assert moved.find().table["regression_id"].tolist() != first.table["regression_id"].tolist()
    again = moved.find(anchors=first.anchors)
    assert again.table["regression_id"].tolist() == first.table["regression_id"].tolist()


def test_what_was_confirmed_is_told_until_it_is_less_than_half_as_large() -> None:
    where = {"test_name": "test-1", "node_id": "node-2"}
    anchors = Fleet().shift(40, 12.0, **where).find().anchors
    assert len(anchors) == 1
    smaller, small = (Fleet().shift(40, percent, **where) for percent in (8.0, 4.0))
    assert smaller.find().table.empty
    [row] = smaller.find(anchors=anchors).table.itertuples()
    assert (str(row.regression_id), row.state) == (anchors["regression_id"].iloc[0], "confirmed")
    assert small.find(anchors=anchors).table.empty


@limits(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_series_does_not_matter(random) -> None:
    fleet = Fleet().shift(50, 20.0, node_id="node-3").shift(30, -20.0, test_name="test-1")
    fleet.shift(65, 30.0, node_type="type-0").renew(65, "new", node_type="type-0")
    before = fleet.find().table
    assert set(before["scope"]) == {"node", "test", "runner_image"}
    random.shuffle(fleet.rows)
    random.shuffle(fleet.image_changes)
    pd.testing.assert_frame_equal(before, fleet.find().table)


@limits(max_examples=10)
@given(st.integers(1, 60))
def test_constant_series_beside_change_nothing(count: int) -> None:
    fleet = Fleet().shift(50, 20.0, test_name="test-1")
    before = fleet.find().table
    for number in range(count):
        series_id = 1_000 + number
        fleet.rows.append({**fleet.rows[0], "series_id": series_id, "test_name": f"flat-{number}", "title": f"{number}",
                           "node_id": None, "node_type": None})  # fmt: skip
        fleet.values[series_id] = np.full(POINTS, 5.0)
    after = fleet.find().table
    assert after["regression_id"].tolist() == before["regression_id"].tolist()
    assert after["members"].tolist() == before["members"].tolist()


@pytest.mark.parametrize("level", [0.0, 1e-9])
def test_a_change_from_nothing_is_told_without_a_share(level: float) -> None:
    fleet = Fleet()
    fleet.values[5] = np.full(POINTS, level)
    fleet.values[5][50:] += 0.1 + 0.02 * white(30, 7)
    row = fleet.find().table.iloc[0]
    assert (row["series_id"], row["kind"], row["state"]) == (5, "regression", "confirmed")
    assert np.isnan(row[["change", "change_low", "change_high"]].to_numpy(dtype=float)).all()
    assert (row["before"], row["after"]) == (pytest.approx(level, abs=1e-6), pytest.approx(0.1, abs=0.02))


def test_a_test_that_began_to_fail_on_all_nodes_is_one_finding() -> None:
    fleet = Fleet()
    for series_id in fleet.ids(test_name="test-1"):
        fleet.values[series_id] = np.append(np.zeros(50), 0.1 + 0.02 * white(30, series_id))
    found = fleet.find()
    row = found.table.iloc[0]
    assert (len(found.table), row["scope"], row["members"], row["cause"]) == (1, "test", 6, "code")
    assert np.isnan(row["change"])


def test_a_change_from_nothing_that_was_mended_says_when() -> None:
    fleet = Fleet()
    fleet.values[5] = np.concatenate((np.zeros(20), 0.1 + 0.02 * white(45, 7), np.zeros(15)))
    table = fleet.find().table
    assert table.loc[table["kind"] == "regression", "recovered_at"].tolist() == [TS[65]]


def test_a_context_that_is_no_object_explains_nothing() -> None:
    fleet = Fleet().shift(50, 20.0, test_name="test-2", node_id="node-3")
    fleet.contexts = ["[1, 2]", "3", None, '"text"'] * (POINTS // 4)
    assert fleet.find().table.iloc[0]["explanation"] == "Only this series changed."


def test_an_improvement_is_over_when_the_level_before_comes_back() -> None:
    where = {"test_name": "test-2", "node_id": "node-3"}
    lost, kept = Fleet().shift(40, -20.0, **where).shift(60, 20.0, **where), Fleet().shift(40, -20.0, **where)
    for fleet, until in ((lost, TS[60]), (kept, pd.NaT)):
        table = fleet.find().table
        (row,) = table[table["kind"] == "improvement"].itertuples()
        assert row.first_bad_at == TS[40]
        assert row.recovered_at is until or row.recovered_at == until


def test_the_only_series_of_a_project_is_not_told_from_others() -> None:
    fleet = Fleet().shift(50, 20.0, test_name="test-2", node_id="node-3")
    (key,) = fleet.ids(test_name="test-2", node_id="node-3")
    fleet.rows = [row for row in fleet.rows if row["series_id"] == key]
    fleet.values = {key: fleet.values[key]}
    fleet.contexts = [None] * POINTS
    assert fleet.find().table.iloc[0]["explanation"] == "No other series of its project is measured."


def test_a_level_that_came_back_is_recovered_though_that_change_is_not_beyond_doubt() -> None:
    fleet = (
        Fleet()
        .shift(30, 20.0, test_name="test-1", node_id="node-1")
        .shift(60, -20.0, test_name="test-1", node_id="node-1")
    )
    fleet.doubtful_falls = True
    table = fleet.find().table
    assert table["kind"].tolist() == ["regression"]
    assert table["recovered_at"].tolist() == [TS[60]]


def test_findings_that_begin_at_one_commit_say_so() -> None:
    fleet = (
        Fleet()
        .shift(50, 20.0, test_name="test-1", node_id="node-2")
        .shift(50, 25.0, test_name="test-3", node_id="node-5")
    )
    fleet.shift(60, 25.0, test_name="test-0", node_id="node-0")
    told = fleet.find().table.set_index("test_name")["explanation"]
    both = (
        "1 other series changed at the same commit; 1 other finding begins at that commit. "
        "runner_image changed from old to new."
    )
    assert told["test-1"] == told["test-3"] == both
    assert told["test-0"] == "Only this series changed."


def test_ids_are_of_one_finding_each_though_a_group_falls_apart() -> None:
    nodes = ["node-0", "node-1", "node-2"]
    together, apart = Fleet(), Fleet()
    for node in nodes:
        together.shift(50, 25.0, test_name="test-1", node_id=node)
    known = together.find()
    assert known.table["scope"].tolist() == ["test"]
    for left in nodes:
        apart = Fleet()
        for node in nodes:
            if node != left:
                apart.shift(50, 25.0, test_name="test-1", node_id=node)
        found = apart.find(anchors=known.anchors).table
        assert len(found) == 2
        assert found["regression_id"].is_unique
        assert known.table["regression_id"].iloc[0] in found["regression_id"].tolist()


def test_a_test_on_two_nodes_is_code_when_both_changed() -> None:
    row = Fleet(tests=6, nodes=2, types=1).shift(50, 20.0, test_name="test-1").find().table.iloc[0]
    assert (row["scope"], row["scope_name"], row["cause"], row["members"]) == ("test", "test-1", "code", 2)


def test_a_node_with_two_tests_is_the_environment_when_both_changed() -> None:
    row = Fleet(tests=2, nodes=6).shift(50, 20.0, node_id="node-3").find().table.iloc[0]
    assert (row["scope"], row["scope_name"], row["cause"], row["members"]) == ("node", "node-3", "environment", 2)


def test_one_of_two_nodes_is_no_reason_to_blame_the_test() -> None:
    row = Fleet(tests=6, nodes=2, types=1).shift(50, 20.0, test_name="test-1", node_id="node-0").find().table.iloc[0]
    assert (row["scope"], row["cause"]) == ("series", "environment")


def test_an_image_that_comes_to_a_node_every_third_day_is_one_finding() -> None:
    fleet = Fleet(tests=6)
    for number in range(6):
        where = {"node_id": f"node-{number}"}
        fleet.shift(40 + 3 * number, 20.0, **where).renew(40 + 3 * number, "new", **where)
    row = fleet.find().table.iloc[0]
    assert (row["scope"], row["members"]) == ("runner_image", 36)


def test_a_level_within_the_noise_of_zero_has_no_share() -> None:
    fleet = Fleet()
    fleet.values[5] = 0.1 + 3 * white(POINTS, 9)
    fleet.shift(40, 12.0, test_name="test-0", node_id="node-4")
    row = fleet.find().table.iloc[0]
    assert (row["series_id"], row["kind"]) == (5, "regression")
    assert np.isnan(row["change"])


def bench(tests: int = 12, nodes: int = 1) -> Fleet:
    """Benchmarks that say nothing of their environment."""
    fleet = Fleet(tests, nodes)
    fleet.contexts = [None] * POINTS
    return fleet


def without_nodes(fleet: Fleet) -> Fleet:
    for row in fleet.rows:
        row |= {"node_id": None, "node_type": None, "title": f"{row['test_name']}"}
    return fleet


def in_suites(fleet: Fleet, *suites: str) -> Fleet:
    """Tests of the fleet in suites, in turn."""
    for number, row in enumerate(fleet.rows):
        row["tags"] = json.dumps({"suite": suites[number % len(suites)], "os": "linux"})
    return fleet


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("changed", [12, 7])
def test_a_commit_that_changed_most_series_of_a_project_is_one_finding(changed: int, named: bool) -> None:
    fleet = bench() if named else without_nodes(bench())
    for number in range(changed):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.reach, row.cause, row.members) == (
        "commit",
        "commit-40",
        "",
        "code",
        changed,
    )
    assert row.explanation == (f"{changed} of 12 series changed at commit commit-40: the code changed, not one test.")


def test_changes_of_less_than_half_of_a_project_are_findings_of_their_own() -> None:
    fleet = without_nodes(bench())
    for number in range(5):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    table = fleet.find().table
    assert table["scope"].tolist() == ["series"] * 5
    assert set(table["explanation"]) == {
        "4 other series changed at the same commit; 4 other findings begin at that commit."
    }


def test_a_commit_that_changed_one_suite_names_the_suite() -> None:
    fleet = in_suites(without_nodes(bench()), "a", "b", "c")
    for series_id in range(2, 13, 3):
        fleet.values[series_id] = step(fleet.values[series_id], 40, 20.0)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.reach, row.members) == ("commit", "commit-40", "of suite b", 4)
    assert row.explanation.startswith("4 of 4 series of suite b changed at commit commit-40: ")


def test_all_of_a_project_is_named_rather_than_the_largest_of_its_suites() -> None:
    fleet = in_suites(without_nodes(bench()), "a", "b").shift(40, 20.0)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.reach, row.members) == ("commit", "", 12)


def test_parameters_of_one_benchmark_are_told_as_that() -> None:
    fleet = without_nodes(bench())
    for number, row in enumerate(fleet.rows):
        row["test_name"] = f"sort[n={10**number}]" if number < 3 else f"other-{number}"
    for series_id in (1, 2, 3):
        fleet.values[series_id] = step(fleet.values[series_id], 40, 20.0)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.members) == ("commit", 3)
    assert row.reach == "of benchmark sort with 3 parameters (n=1, n=10, n=100)"


def test_without_commits_the_run_is_named_and_the_cause_unknown() -> None:
    fleet = without_nodes(bench()).shift(40, 20.0)
    fleet.commits = [None] * POINTS
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.cause) == ("commit", "run-40", "unknown")
    assert row.explanation == "12 of 12 series changed at one time, about run run-40."


def test_of_one_commit_on_both_sides_the_environment_is_the_cause() -> None:
    many, one = without_nodes(bench()).shift(40, 20.0), without_nodes(bench()).shift(40, 20.0, test_name="test-3")
    many.commits = one.commits = ["abc"] * POINTS
    same = "Both runs are of commit abc: the code did not change, its environment did."
    (together,), (alone,) = many.find().table.itertuples(), one.find().table.itertuples()
    assert (together.scope, together.cause) == ("commit", "environment")
    assert together.explanation == f"12 of 12 series changed at one time. {same}"
    assert (alone.scope, alone.cause, alone.explanation) == (
        "series", "environment", f"{same} Only this series changed."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "scope"),
    [({"test_name": "test-2"}, "test"), ({"node_id": "node-1"}, "node"), ({"node_type": "type-1"}, "node_type")],
)
@pytest.mark.parametrize(("tests", "nodes"), [(4, 6), (3, 2), (12, 4)])
def test_what_most_others_do_not_show_is_not_the_commits(
    where: dict[str, str], scope: str, tests: int, nodes: int
) -> None:
    fleet = bench(tests, nodes).shift(40, 20.0, **where)
    # One of the others moves as well, so that the commit has the larger number.
    fleet.shift(40, 20.0, test_name="test-0", node_id="node-0")
    table = fleet.find().table
    wanted = "node" if nodes == 2 and scope == "node_type" else scope
    assert set(table["scope"]) - {"series"} == {wanted}


def test_a_commit_on_all_nodes_is_none_of_the_nodes() -> None:
    (row,) = bench(4, 6).shift(40, 20.0).find().table.itertuples()
    assert (row.scope, row.scope_name, row.members) == ("commit", "commit-40", 24)


def test_series_that_were_not_measured_then_break_no_group() -> None:
    fleet = without_nodes(bench(20))
    for number in range(8):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    assert set(fleet.find().table["scope"]) == {"series"}
    # Twelve series ended, paused or have but one value on one side, years ago.
    pieces = [(TS[0], TS[10]), (TS[60], TS[-1])]
    rows = [
        (series_id, *piece)
        for series_id in range(1, 21)
        for piece in ([(TS[0], TS[-1])] if series_id <= 8 else pieces[: 1 + series_id % 2])
    ]
    fleet.measured = pd.DataFrame(rows, columns=["series_id", "since", "until"])
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.members) == ("commit", 8)
    assert row.explanation.startswith("8 of 8 series")


def test_a_pause_no_longer_than_the_distance_of_the_groups_runs_is_none() -> None:
    fleet = without_nodes(bench(20))
    for number in range(8):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    rows = [
        (series_id, *piece)
        for series_id in range(1, 21)
        for piece in ([(TS[0], TS[-1])] if series_id <= 8 else [(TS[0], TS[38]), (TS[41], TS[-1])])
    ]
    fleet.measured = pd.DataFrame(rows, columns=["series_id", "since", "until"])
    assert set(fleet.find().table["scope"]) == {"series"}


def test_a_series_that_was_not_measured_at_the_commit_is_a_member() -> None:
    fleet = without_nodes(bench(6)).shift(40, 20.0)
    for series_id in (4, 5, 6):
        fleet.values[series_id][40] = np.nan
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.members) == ("commit", "commit-40", 6)


def test_the_bracket_is_that_of_the_commit_that_is_named() -> None:
    fleet = without_nodes(bench(5)).shift(40, 20.0)
    fleet.astray = {3: 1, 4: 2, 5: 3}
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.members) == ("commit", "commit-40", 5)
    assert (row.last_good_commit, row.first_bad_commit) == ("commit-39", "commit-40")


def test_a_tag_of_ones_own_makes_parts_as_well() -> None:
    fleet = without_nodes(bench()).shift(40, 20.0, test_name="test-0")
    for number, row in enumerate(fleet.rows):
        row["tags"] = json.dumps({"region": "eu" if number < 4 else "us"})
        if number < 4:
            fleet.values[number + 1][40:] += 20.0 if number else 0.0
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.reach, row.members) == ("commit", "of region eu", 4)


def test_a_pause_of_the_whole_project_leaves_no_series_out() -> None:
    fleet = without_nodes(bench(20))
    fleet.ts = TS + np.where(np.arange(POINTS) >= 40, np.timedelta64(400, "D"), np.timedelta64(0, "D"))
    for number in range(11):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    pieces = [(fleet.ts[0], fleet.ts[39]), (fleet.ts[40], fleet.ts[-1])]
    rows = [(series_id, *piece) for series_id in range(1, 21) for piece in pieces]
    fleet.measured = pd.DataFrame(rows, columns=["series_id", "since", "until"])
    (row,) = fleet.find().table.itertuples()
    assert row.explanation.startswith("11 of 20 series changed at commit commit-40: ")


@pytest.mark.parametrize("column", ["suite", "runtime", "node"])
def test_what_a_test_changed_in_is_named_as_what_it_is(column: str) -> None:
    fleet = bench(2, 3)
    if column != "node":
        fleet = without_nodes(fleet)
        values = {"suite": ["a", "b", "c"], "runtime": [f"python 3.{n}, numpy" for n in (11, 12, 13)]}[column]
        for number, row in enumerate(fleet.rows):
            row["tags"] = json.dumps({column: values[number % 3]})
    (row,) = fleet.shift(40, 20.0, test_name="test-1").find().table.itertuples()
    reach, reason = {
        "suite": ("in 3 suites (a, b, c)", "its code changed."),
        "runtime": ("on 3 Python versions (3.11, 3.12, 3.13)", "its code changed."),
        "node": ("on 3 nodes (node-0, node-1, node-2)", "its code changed, not a node."),
    }[column]
    assert (row.scope, row.reach) == ("test", reach)
    assert row.explanation == f"test-1 changed {reach} at one time: {reason}"


def on_cpu(*models: str) -> list[str | None]:
    return [json.dumps({"cpu_model": model}) for model in models]


def test_any_field_that_went_over_with_the_level_is_the_environment() -> None:
    fleet = without_nodes(bench()).shift(40, 20.0, test_name="test-1")
    # Most runs land on the other machine, and now and then one did before.
    fleet.contexts = on_cpu(*("new" if (n >= 40) ^ (n in (33, 37, 46, 55)) else "old" for n in range(POINTS)))
    for place in (33, 37, 46, 55):
        fleet.values[2][place] += 20.0 if place < 40 else -20.0
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.cause) == ("series", "environment")
    assert row.explanation == "Only this series changed. cpu_model changed from old to new."


def test_series_that_went_over_to_another_machine_are_one_finding() -> None:
    fleet = without_nodes(bench()).shift(40, 20.0)
    fleet.contexts = on_cpu(*("old" if n < 40 else "new" for n in range(POINTS)))
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.cause, row.members) == ("environment", "cpu_model new", "environment", 12)
    assert row.explanation == (
        "12 series went over to cpu_model new and moved together: the environment changed, not one test; cpu_model "
        "changed from old to new."
    )


def test_an_environment_that_left_most_as_it_was_is_no_finding_of_its_own() -> None:
    fleet = without_nodes(bench())
    for number in range(3):
        fleet.shift(40, 20.0, test_name=f"test-{number}")
    fleet.contexts = on_cpu(*("old" if n < 40 else "new" for n in range(POINTS)))
    assert set(fleet.find().table["scope"]) == {"series"}


@limits(max_examples=15)
@given(st.data())
def test_a_change_has_one_finding_and_only_says_that_it_is_alone_where_it_is(data: st.DataObject) -> None:
    fleet = bench(data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4)))
    if data.draw(st.booleans()):
        fleet = in_suites(without_nodes(fleet), "a", "b")
    ids = sorted(fleet.values)
    changed = data.draw(st.lists(st.sampled_from(ids), unique=True))
    at = {series_id: data.draw(st.sampled_from([40, 41, 60])) for series_id in changed}
    for series_id, place in at.items():
        fleet.values[series_id] = step(fleet.values[series_id], place, 30.0)
    found = fleet.find()
    assert not found.members.duplicated("series_id").any() or set(at.values()) != {40}
    assert set(changed) <= set(found.members["series_id"])
    for row in found.table.itertuples():
        if "Only this series changed" in row.explanation:
            near = [other for other, place in at.items() if abs(place - at.get(row.series_id, -99)) <= 1]
            assert near in ([row.series_id], [])


def test_series_that_land_on_another_mixture_of_machines_are_one_finding() -> None:
    fleet = without_nodes(bench(5))
    new = [(n % 10 in (2, 5, 9)) ^ (n >= 40) for n in range(POINTS)]
    fleet.contexts = on_cpu(*("new" if each else "old" for each in new))
    for series_id in fleet.ids():
        fleet.values[series_id] += np.where(new, 40.0, 0.0)
    (row,) = fleet.find().table.itertuples()
    assert (row.scope, row.scope_name, row.cause) == ("environment", "cpu_model new", "environment")
    assert row.explanation.endswith("not one test; cpu_model changed from old to new.")


@limits(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_same_measurements_again_are_the_same_findings(seed: int) -> None:
    fleet, random = Fleet(tests=4, nodes=3), np.random.default_rng(seed)
    for values in fleet.values.values():
        for place in random.integers(5, POINTS - 3, 4):
            values[place:] += random.choice([-1.0, 1.0]) * random.uniform(4.0, 20.0)
    fleet.shift(40, random.uniform(6.0, 14.0), test_name="test-2")
    first = fleet.find()
    again = fleet.find(anchors=first.anchors)
    pd.testing.assert_frame_equal(again.table, first.table)
    pd.testing.assert_frame_equal(again.members, first.members)
    assert again.withdrawn.empty


@pytest.mark.parametrize("zeros", [4, 8, 15])
@pytest.mark.parametrize("after", [65.0, 80.0])
def test_a_broken_measurement_ends_no_regression(zeros: int, after: float) -> None:
    fleet = Fleet()
    fleet.values[5] = np.concatenate(
        (np.full(25, 50.0), np.full(25, 65.0), np.zeros(zeros), np.full(30 - zeros, after))
    )
    fleet.values[5][fleet.values[5] > 0] += white(POINTS - zeros, 3)
    for row in fleet.rows:
        row["level"] = float(np.median(fleet.values[int(str(row["series_id"]))]))
    table = fleet.find().table
    regressions = table[table["kind"] == "regression"].sort_values("first_bad_at")
    assert regressions["recovered_at"].isna().all()
    places = [25] if after == 65.0 else [25, 50 + zeros]
    assert regressions["first_bad_at"].tolist() == [TS[place] for place in places]
    if after > 65.0:
        assert regressions["before"].iloc[1] == pytest.approx(65.0, abs=1.0)


def test_a_noisy_stretch_long_ago_keeps_no_step_out() -> None:
    found = 0
    for seed in range(8):
        fleet = Fleet()
        noisy, quiet = 100.0 * np.exp(0.3 * white(30, seed)), 100.0 + white(50, seed + 90)
        fleet.values[5] = np.concatenate((noisy, quiet + np.repeat([0.0, 15.0], 25)))
        table = fleet.find().table
        found += TS[55] in table.loc[table["kind"] == "regression", "first_bad_at"].to_numpy(dtype=TS.dtype)
    assert found >= 7


@pytest.mark.parametrize("off", [-4, -2, 2, 4])
def test_what_went_over_before_or_after_the_level_is_no_reason(off: int) -> None:
    fleet = without_nodes(bench()).shift(40, 30.0, test_name="test-1")
    fleet.contexts = on_cpu(*("old" if n < 40 + off else "new" for n in range(POINTS)))
    (row,) = fleet.find().table.itertuples()
    assert (row.cause, row.explanation) == ("unknown", "Only this series changed.")
