from __future__ import annotations

from evaluation.joint_episodes import (
    AFFECTED,
    LENGTH,
    chapter,
    evaluate_joint_episodes,
    outcome_table,
    simulate_metrics,
)


def test_planted_episodes_are_found_and_clean_tables_stay_clean() -> None:
    outcome = evaluate_joint_episodes(range(20))
    assert outcome.precision.share >= 0.9
    assert outcome.recall.share >= 0.9
    assert outcome.clean_with_episode.hits <= 1


def test_an_episode_shifts_five_metrics_for_ten_rows() -> None:
    planted, starts = simulate_metrics(7, 0.6, 0.3)
    unshifted = simulate_metrics(7, 0.6, 0.3, shift=0.0)[0]
    changed = planted.to_numpy() != unshifted.to_numpy()
    assert changed.sum() == len(starts) * LENGTH * AFFECTED
    assert changed[starts[0]].sum() == AFFECTED


def test_the_chapter_tells_precision_and_recall() -> None:
    text = "\n".join(chapter(outcome_table(evaluate_joint_episodes(range(3))), 0))
    assert "3 tables of 12 metrics" in text
    assert "| planted episodes that were found | at least 90 |" in text
