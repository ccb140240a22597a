"""Ranks and the best figure: what is within noise is not told apart, and survivors win nothing."""

import pytest
from helpers.made_up import NOISE, record, seeds

from ebmcli.report import rows, tables
from ebmcli.report.tables import Contest


def contest(*groups, measure="kl"):
    return tables.contest(rows.rows([one for group in groups for one in group]), measure)


def test_what_differs_by_noise_shares_a_rank_and_no_figure_is_bold():
    near = [0.101 - noise for noise in NOISE]
    assert contest(seeds("hinge", "pcd", [0.1 + n for n in NOISE]), seeds("log", "pcd", near)) == Contest([1, 1], None)


def test_the_best_stands_out_where_it_beats_every_other_row():
    good, poor = seeds("hinge", "pcd", [0.1 + n for n in NOISE]), seeds("log", "pcd", [0.5 - n for n in NOISE])
    worst = seeds("mce", "pcd", [0.5 + n / 2 for n in NOISE])
    assert contest(poor, good, worst) == Contest([2, 1, 2], 1)


@pytest.mark.parametrize("status", ["diverged", "failed", "oom"])
def test_a_row_that_lost_runs_has_no_rank_and_is_not_the_best_but_can_stand_in_its_way(status):
    lost = seeds("hinge", "pcd", [0.01 - n / 20 for n in NOISE])
    lost.append(record("hinge", "pcd", 9, status=status))
    good, poor = seeds("log", "pcd", [0.1 + n for n in NOISE]), seeds("mce", "pcd", [0.5 - n for n in NOISE])
    assert contest(lost, good, poor) == Contest([None, 2, 3], None)


def test_one_seed_has_no_rank_and_the_best_of_others_is_not_called_so():
    one, good = seeds("hinge", "pcd", [0.5]), seeds("log", "pcd", [0.1 + n for n in NOISE])
    assert contest(one, good, seeds("mce", "pcd", [0.5 - n for n in NOISE])) == Contest([None, 1, 2], None)


def test_a_measure_without_a_direction_has_no_ranks():
    pair = seeds("hinge", "pcd", [0.1, 0.2]), seeds("log", "pcd", [0.3, 0.5])
    assert contest(*pair, measure="gap_q50") == Contest([None, None], None)


def test_more_is_better_where_the_arrow_says_so():
    low = [record("log", "pcd", seed, auroc=0.5 + noise) for seed, noise in enumerate(NOISE)]
    high = [record("mce", "pcd", seed, auroc=0.9 - noise) for seed, noise in enumerate(NOISE)]
    assert contest(low, high, measure="auroc") == Contest([2, 1], 1)


def test_folds_repeat_runs_as_seeds_do_and_are_paired():
    noise = iter([0.004, -0.003, 0.001, 0.002] * 2)
    runs = [
        record(loss, "exhaustive", 0, task="letters", config={"fold": fold}, cer=at + 0.1 * fold + next(noise) * sign)
        for loss, at, sign in (("nll", 0.2, 1), ("hinge", 0.3, -1))
        for fold in range(4)
    ]
    found = rows.rows(runs)
    assert [len(row.members) for row in found] == [4, 4]
    assert tables.contest(found, "cer") == Contest([1, 2], 0)
    assert "fold 3, seed 0" in rows.replicate_text(found[0].members[3])


def test_what_is_ranked_by_ratios_is_said():
    """Of measures that have a direction, more than one row, and values that span a factor of ten."""
    small, large = seeds("hinge", "pcd", [0.01, 0.02]), seeds("log", "pcd", [0.3, 0.5])
    assert tables.compares_ratios(rows.rows([*small, *large]), "kl")
    assert not tables.compares_ratios(rows.rows(large), "kl")
    assert not tables.compares_ratios(rows.rows([*small, *large]), "gap_q50")
