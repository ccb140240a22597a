"""Which runs stand in one row, and what tells rows apart."""

import pytest
from helpers.made_up import plane, record, seeds

from ebmcli.report import rows


@pytest.mark.parametrize(
    ("other", "columns"),
    [
        ({"head": "free"}, []),
        ({"head": "softplus"}, ["head"]),
        ({"energy": "autoencoder", "head": None}, ["energy", "head"]),
    ],
)
def test_an_energy_or_a_head_that_differs_between_losses_stands_in_the_table(other, columns):
    """It is a confounder, though no loss ran with two of them."""
    free = record("hinge", "langevin", 0, config={"head": "free"}, **plane(0.1, 2.0))
    (table,) = rows.tables([free, record("min-hinge", "langevin", 0, config=other, **plane(0.2, 1.0))])
    assert table.columns[2 : table.columns.index("n")] == columns
    assert len(table.rows) == 2


@pytest.mark.parametrize(
    ("loss", "sampler", "told"),
    [
        ("score-matching", "pcd", "pcd (ignored)"),
        ("score-matching", "none", "none"),
        ("hinge", "pcd", "pcd"),
        ("gone", "pcd", "pcd"),
        ("hinge", "gone", "gone"),
    ],
)
def test_negatives_that_a_loss_does_not_look_at_are_called_ignored(loss, sampler, told):
    (table,) = rows.tables([record(loss, sampler, 0, **plane(0.1, 2.0))])
    assert table.rows[0][1] == told


def test_seeds_and_folds_are_replicates_and_all_else_that_varies_makes_rows():
    runs = [
        record("hinge", "exhaustive", seed, task="letters", config={"fold": fold, "lr": lr})
        for seed in (0, 1) for fold in (0, 3) for lr in (0.1, 0.2)
    ]  # fmt: skip
    found = rows.rows(runs)
    assert [(row.key.varied, len(row.members)) for row in found] == [({"lr": 0.1}, 4), ({"lr": 0.2}, 4)]
    assert found[1].key.text == "hinge with exhaustive, lr 0.2"
    assert found[1].key.as_settings() == {"task": "letters", "loss": "hinge", "sampler": "exhaustive", "lr": 0.2}
    assert [rows.replicate_text(one) for one in found[0].members] == [
        "seed 0", "fold 3, seed 0", "seed 1", "fold 3, seed 1",
    ]  # fmt: skip


def test_reasons_name_the_first_run_of_every_verdict_that_is_not_healthy():
    bad = {"verdict": "flat", "verdict_reason": "no gap"}
    runs = [*seeds("hinge", "pcd", [0.1]), *(record("log", "pcd", s, **plane(0.2, 0.0, **bad)) for s in (4, 5))]
    assert rows.reasons(runs, "moons") == ["log with pcd: flat, no gap (seed 4)."]
    assert rows.reasons(runs, "letters") == []
