"""Paired differences to a baseline: what is said of each, and which row is compared with which."""

from helpers.made_up import NOISE, plane, record, seeds

from ebmcli.report import differences, rows
from ebmcli.report.blocks import Text


def table(*groups, measure="kl", baseline="hinge"):
    return differences.to_baseline(rows.rows([one for group in groups for one in group]), measure, baseline)


def findings(*others):
    """(shared seeds, finding) by loss."""
    base = seeds("hinge", "pcd", [0.1 + n for n in NOISE])
    return {row[0]: (row[-4], row[-1]) for row in table(base, *others).rows}


def test_differences_to_a_baseline_say_what_can_be_said():
    kls = [0.1 + n for n in NOISE]
    found = findings(
        seeds("log", "pcd", [0.5 - n for n in NOISE]),
        seeds("mce", "pcd", [0.01 - n / 20 for n in NOISE]),
        seeds("lvq2", "pcd", [0.1 - n for n in NOISE]),
        seeds("simple", "pcd", kls),
        seeds("ml", "pcd", [10 * kl for kl in kls]),
        seeds("nce", "uniform", [0.3]),
        [record("nll", "quadrature", 77, **plane(0.3, 1.0))],
    )
    assert {name: str(told) for name, (_, told) in found.items()} == {
        "log": "worse", "mce": "better", "lvq2": "not significant", "simple": "equal",
        "ml": "the same in every seed, no test", "nce": "one shared seed, no test", "nll": "no shared seeds",
    }  # fmt: skip
    assert str(found["log"][0]) == "4"


def test_a_difference_over_survivors_says_so():
    lost = [*seeds("log", "pcd", [0.01 - n / 20 for n in NOISE]), record("log", "pcd", 9, status="diverged")]
    assert findings(lost)["log"][1] == "better, of the runs that survived"


def test_a_row_is_compared_with_the_baseline_of_its_own_negatives():
    runs = (
        seeds("hinge", "pcd", [0.1] * 4),
        seeds("hinge", "uniform", [0.2 + n for n in NOISE]),
        seeds("log", "uniform", [0.1] * 4),
        seeds("nll", "quadrature", [0.1] * 4),
    )
    against = {row[0]: row[2] for row in table(*runs).rows}
    assert against == {"log": "hinge with uniform", "nll": "hinge with pcd"}
    named = [row[:3] for row in table(*runs, baseline="hinge/uniform").rows]
    assert [row[2] for row in named] == ["hinge with uniform"] * 3
    assert named[0][:2] == ["hinge", "pcd"]


def test_negatives_count_before_all_other_settings():
    def group(loss, sampler, lr):
        return [record(loss, sampler, seed, config={"lr": lr}, **plane(0.1, 1.0)) for seed in (0, 1)]

    found = table(
        group("hinge", "pcd", 0.1), group("hinge", "uniform", 0.2),
        group("log", "uniform", 0.1), group("log", "uniform", 0.2), group("log", "pcd", 0.2),
    )  # fmt: skip
    against = ["hinge with uniform, lr 0.2", "hinge with uniform, lr 0.2", "hinge with pcd, lr 0.1"]
    assert [row[3] for row in found.rows] == against


def test_more_is_better_than_a_baseline_where_the_arrow_says_so():
    base = [record("hinge", "pcd", seed, auroc=0.5 + noise) for seed, noise in enumerate(NOISE)]
    more = [record("log", "pcd", seed, auroc=0.9 - noise) for seed, noise in enumerate(NOISE)]
    (row,) = table(base, more, measure="auroc").rows
    assert row[-1] == "better"


def test_a_baseline_that_did_not_run_or_ran_alone_is_said_to():
    assert table(seeds("log", "pcd", [0.1])) == Text("No run of hinge on moons: no differences to it.")
    assert table(seeds("hinge", "pcd", [0.1])) == Text("Only hinge has run on moons: no differences to it.")


def test_a_measure_that_spans_decades_is_compared_by_ratios():
    """Differences alone would be those of the hardest seed."""
    hard = [0.01, 0.03, 0.2, 0.9]
    base, half = (
        seeds("hinge", "pcd", hard),
        seeds("log", "pcd", [value * (0.5 + n) for value, n in zip(hard, NOISE, strict=True)]),
    )
    (row,) = table(base, half).rows
    assert str(row[-3]).startswith("×0.5")
    assert row[-1] == "better"
    assert str(table(half, base, baseline="log").rows[0][-1]) == "worse"
