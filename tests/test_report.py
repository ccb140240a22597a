"""Whole tables on made-up records that hold every awkward case; and nothing that can break a table or a spreadsheet."""

import csv
import io
import json

import pytest

from ebmcli import report, store

PROVENANCE = {
    "versions": {"ebm": "1", "jax": "2"}, "python": "3", "code": "abc", "commit": None, "dirty": None,
    "machine": "Linux, cpu", "cpu": "x", "devices": "2 x cpu",
}  # fmt: skip


def record(loss, sampler, seed, status="done", task="moons", provenance=PROVENANCE, config=None, **metrics):
    settings = {"task": task, "loss": loss, "sampler": sampler, "energy": "mlp", "seed": seed, "lr": 0.1} | (
        config or {}
    )
    full = {"verdict": "healthy", "verdict_reason": "fine"} | metrics if metrics else {}
    return {
        "id": f"{loss}-{sampler}-{task}-s{seed}", "status": status, "config": settings, "metrics": full,
        "seconds": {"train": 1.0}, "provenance": provenance if status in ("done", "diverged") else {},
    }  # fmt: skip


def plane(kl, gap, **more):
    return {
        "gap_q50": gap,
        "violation_rate": 0.25,
        "auroc": 0.9,
        "kl": kl,
        "kl_beta_star": kl,
        "spurious_mass": 0.01,
    } | more


RECORDS = [
    record("hinge", "langevin", 0, config={"margin": 1.0}, **plane(0.10, 2.0)),
    record("hinge", "langevin", 1, config={"margin": 1.0}, **plane(0.12, 2.2)),
    record("hinge", "langevin", 2, config={"margin": 1.0}, **plane(0.11, 2.1)),
    record("nll", "quadrature", 0, **plane(0.003, 4.0)),
    record("square-square", "pcd", 0, config={"margin": 2.0}, **plane(0.5, 1.0)),
    record("square-square", "pcd", 1, config={"margin": 2.0}, **plane(0.5, 1.0)),
    record("energy", "none", 0, **plane(3e9, -4e9, verdict="unbounded", verdict_reason="it | spreads\nfar <b>")),
    record("energy", "none", 1, status="diverged", **plane(5.0, 1.0, verdict="diverged", verdict_reason="step 7")),
    record("log", "uniform", 0, **plane(0.2, None)),
    record("log", "uniform", 1, status="killed"),
    record("perceptron", "quadrature", 0, status="failed"),
    record("hinge", "loss-augmented", 0, task="letters", config={"margin": 1.0, "margin_distance": "hamming"},
           gap_q50=-0.5, violation_rate=0.9, cer=0.2, wer=0.6, word_list_cer=0.0085),
]  # fmt: skip
MOONS = """\
| loss | negatives | n | promised | gap | gap ≥ m | verdict | auroc | kl | kl at β* | spurious mass |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| hinge | langevin | 3 | 1 | 2.10 ± 0.25 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.110 ± 0.025 | 0.110 ± 0.025 | 0.0100 ± 0 |
| nll | quadrature | 1 | infinite | 4.00 | 75.0 % | healthy | 0.900 | 0.00300 | 0.00300 | 0.0100 |
| square-square | pcd | 2 | 2, absolute | 1.00 ± 0 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.500 ± 0 | 0.500 ± 0 | 0.0100 ± 0 |
| energy | none | 1 of 2 (1 diverged) | none | -4.00e+09 | 75.0 % | 1 unbounded, 1 diverged | 0.900 | 3.00e+09 | 3.00e+09 | 0.0100 |
| log | uniform | 1 of 2 (1 killed) | infinite | – | 75.0 % | 1 healthy | 0.900 | 0.200 | 0.200 | 0.0100 |
| perceptron | quadrature | 0 of 1 (1 failed) | 0 | – | – | – | – | – | – | – |"""
LETTERS = """\
| loss | negatives | n | promised | gap | gap ≥ m | verdict | cer | wer | cer of the word list |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| hinge | loss-augmented | 1 | 1 a letter | -0.500 | 10.0 % | healthy | 0.200 | 0.600 | 0.00850 |"""


@pytest.fixture
def sweep(tmp_path):
    """Writes records as a sweep leaves them on disk; returns its folder."""

    def written(records, refused=(), command="ebm sweep x.toml"):
        cells = [{"id": r["id"], "config": r["config"], "refused": ""} for r in records]
        cells += [{"id": f"r{n}", "config": config, "refused": reason} for n, (config, reason) in enumerate(refused)]
        folder = tmp_path / "x"
        folder.mkdir()
        store.save_manifest(folder, {"created": "2026-01-01T00:00:00Z", "command": command, "cells": cells})
        for one in records:
            run = store.claim(folder, one["id"], one["config"])
            if one["metrics"]:
                store.save_result(run, one)
            elif one["status"] == "failed":
                store.save_failure(run, {"kind": "failed", "message": "ValueError: a | b"})
        return folder

    return written


def test_whole_tables(sweep):
    text = report.markdown(sweep(RECORDS))
    assert MOONS in text
    assert LETTERS in text
    assert "- energy with none: unbounded, it \\| spreads far &lt;b> (seed 0)." in text
    assert "12 runs: 9 done, 1 diverged, 1 failed, 1 killed." in text
    assert "| failed | ValueError: a \\| b | 1 | perceptron-quadrature-moons-s0 |" in text
    assert "Warning" not in text
    assert "nan" not in text.lower().replace("nats", "")


def test_a_report_is_the_same_twice(sweep):
    folder = sweep(RECORDS)
    assert report.markdown(folder) == report.markdown(folder)


def test_refused_cells_stand_in_the_report_with_their_reason(sweep):
    config = {"task": "moons", "loss": "nll", "sampler": "pcd", "energy": "mlp", "seed": 0}
    text = report.markdown(sweep(RECORDS[:1], refused=[(config, "no | sum"), (config | {"seed": 1}, "no | sum")]))
    assert "| moons | nll | pcd | no \\| sum | 2 |" in text
    assert "3 runs: 1 done, 2 refused." in text


def test_other_settings_that_vary_get_a_column(sweep):
    records = [
        record("hinge", "langevin", 0, config={"margin": m}, **plane(0.1, m)) | {"id": f"m{m}"} for m in (0.5, 1.0, 2.0)
    ]
    text = report.markdown(sweep(records))
    assert "| loss | negatives | margin | n | promised |" in text
    assert "| hinge | langevin | 0.5 | 1 | 0.5 |" in text


def test_mixed_provenance_is_warned_of(sweep):
    other = PROVENANCE | {"code": "def"}
    records = [RECORDS[0], record("hinge", "langevin", 1, provenance=other, config={"margin": 1.0}, **plane(0.1, 2.0))]
    assert "**Warning: mixed provenance.** 2 versions of the code and 1 machines" in report.markdown(sweep(records))


@pytest.mark.parametrize("records", [[], [RECORDS[-2]]])
def test_an_empty_and_an_all_failed_sweep_have_a_report(sweep, records):
    text = report.markdown(sweep(records))
    assert text.startswith("# x\n")
    assert "No runs." in text or "1 failed" in text


def test_csv_has_a_line_a_row_with_bounds_and_no_formulas(sweep):
    evil = record("=1+1", "langevin", 0, **plane(0.1, 1.0))
    lines = list(csv.DictReader(io.StringIO(report.comma_separated([*RECORDS, evil]))))
    assert len(lines) == 8
    assert (lines[0]["loss"], lines[0]["n"], lines[0]["kl"]) == ("hinge", "3", "0.11")
    assert float(lines[0]["kl_high"]) == pytest.approx(0.11 + 4.302653 * 0.01 / 3**0.5)
    assert lines[-1]["loss"] == "'=1+1"
    folder = sweep(RECORDS)
    assert len(json.loads(store.dumps(store.records(folder)))) == len(RECORDS)


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
    records = [free, record("min-hinge", "langevin", 0, config=other, **plane(0.2, 1.0))]
    (table,) = report.tables(records)
    assert table.columns[2 : table.columns.index("n")] == columns
    assert len(table.rows) == 2


def test_negatives_that_a_loss_does_not_look_at_are_called_ignored():
    (table,) = report.tables([record("score-matching", "pcd", 0, **plane(0.1, 2.0))])
    assert table.rows[0][1] == "pcd (ignored)"
