"""Whole reports on made-up records that hold every awkward case: what stands in them, and what cannot break them."""

import dataclasses
import re

import pytest
from helpers.awkward import FILES, RECORDS, REFUSED, SNAPSHOTS, report_of, tables_of
from helpers.made_up import PROVENANCE, plane, record, seeds

from ebmcli.core.errors import UsageError
from ebmcli.report.writers import formats

MOONS = """\
| loss | negatives | n | promised | gap | gap ≥ m | verdict | auroc | kl | kl at β* | spurious mass |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| hinge | langevin | 3 | 1 | 2.10 ± 0.25 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.110 ± 0.025 | 0.110 ± 0.025 | 0.0100 ± 0 |
| nll | quadrature | 1 | infinite | 4.00 | 75.0 % | healthy | 0.900 | 0.00300 | 0.00300 | 0.0100 |
| square-square | pcd | 2 | 2, absolute | 1.00 ± 0 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.500 ± 0 | 0.500 ± 0 | 0.0100 ± 0 |
| energy | none | 1 of 2 (1 diverged) | none | -4.00e+09 | 75.0 % | 1 unbounded, 1 diverged | 0.900 | 3.00e+09 | 3.00e+09 | 0.0100 |
| log | uniform | 2 of 3 (1 killed) | infinite | 3.00 (n = 1) | 75.0 ± 0 % | 2 healthy | 0.900 ± 0 | 0.205 ± 0.064 | 0.205 ± 0.064 | 0.0100 ± 0 |
| perceptron | quadrature | 0 of 1 (1 failed) | 0 | – | – | – | – | – | – | – |"""
EMPTY = {"nothing": ([], []), "a failure": ([RECORDS[11]], []), "refusals": ([], REFUSED)}


@pytest.fixture(scope="module")
def whole(awkward):
    """The awkward report as markdown."""
    return report_of(awkward)


# --- whole reports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FILES)
def test_whole_reports_are_those_that_were_read_by_a_human(awkward, format):
    assert report_of(awkward, format, baseline="hinge") == (SNAPSHOTS / FILES[format]).read_text(encoding="utf-8")


def test_the_figures_of_a_table_are_those_worked_by_hand(whole):
    assert MOONS in whole
    assert "40 runs: 35 done, 1 diverged, 1 failed, 1 killed, 2 refused." in whole
    assert "| energy | none | unbounded | 1 of 2 | it \\| spreads far &lt;b> (seed 0) |" in whole
    assert "| failed | ValueError: a \\| b | 1 | perceptron-quadrature-moons-s0 |" in whole
    assert "| moons | nll | pcd | no \\| sum | 2 |" in whole
    assert "Warning" not in whole


@pytest.mark.parametrize("format", formats())
def test_a_report_is_the_same_twice_and_has_no_nan(awkward, format):
    text = report_of(awkward, format, baseline="hinge")
    assert text == report_of(awkward, format, baseline="hinge")
    assert not re.search(r"\bnan\b", text.partition("<script>")[0], re.IGNORECASE)


@pytest.mark.parametrize("what", EMPTY)
@pytest.mark.parametrize("format", formats())
def test_an_empty_an_all_failed_and_an_all_refused_sweep_have_a_report(sweep, what, format):
    text = report_of(sweep(*EMPTY[what]), format)
    assert text
    if format == "md":
        told = {"nothing": "No runs.", "a failure": "1 runs: 1 failed.", "refusals": "2 runs: 2 refused."}
        assert told[what] in text
        assert "refused (2)" in text or what != "refusals"


# --- the head --------------------------------------------------------------------------------------------------------


def test_mixed_provenance_is_warned_of(sweep):
    other = record("hinge", "langevin", 1, provenance=PROVENANCE | {"code": "def"}, config={"margin": 1.0}, kl=0.1)
    text = report_of(sweep([RECORDS[0], other]))
    assert "**Warning: mixed provenance. 2 versions of the code and 1 machines" in text
    assert "abc (commit 0123456789, with uncommitted changes); def" in text


def test_what_it_cost_is_summed_over_the_runs_that_ended(sweep):
    text = report_of(sweep(RECORDS[:8]))
    assert "Training and evaluation took 8.0 s, summed over the runs, and 8,000 energy evaluations" in text


def test_runs_of_several_sweeps_are_counted_once_finished_rather_than_not(sweep):
    failed = record("hinge", "langevin", 2, status="failed", config={"margin": 1.0})
    first, second = sweep([*RECORDS[:2], failed], name="x"), sweep(RECORDS[:3], name="y")
    text = report_of([first, second])
    assert text.startswith("# x + y\n")
    assert MOONS.splitlines()[2] in text
    assert text.count("Reproduce with") == 2
    assert text.partition("\n\n")[2] == report_of([second, first]).partition("\n\n")[2], "whichever is named first"


# --- the tables of a task --------------------------------------------------------------------------------------------


def test_other_settings_that_vary_get_a_column_and_a_range_in_the_matrix(sweep):
    margins = [record("hinge", "langevin", 0, config={"margin": m}, **plane(0.1 * m, m)) for m in (0.5, 1.0, 2.0)]
    text = report_of(sweep([dataclasses.replace(one, id=f"m{n}") for n, one in enumerate(margins)]))
    assert "| loss | negatives | margin | n | promised |" in text
    assert "| hinge | langevin | 0.5 | 1 | 0.5 |" in text
    assert "| hinge | 0.0500 to 0.200 (3 settings) |" in text


def test_a_measure_that_is_asked_for_ranks(awkward):
    text = report_of(awkward, measure="auroc")
    assert "| rank in auroc | auroc ↑ | kl ↓ |" in text
    assert "### auroc ↑ by loss and negatives" in text
    assert "| rank in cer | cer ↓ |" in text  # letters has no auroc


def test_interquartile_means_leave_out_the_ends(sweep):
    text = report_of(sweep(seeds("hinge", "pcd", [0.1, 0.2, 0.3, 99.0])), interquartile=True)
    assert "| hinge | pcd | 4 | m | 1.00 ± 0 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.25 ± " in text
    assert "Interquartile means" in text


def test_exact_match_of_every_part_of_the_test_set(sweep, whole):
    """Lengths, doubled letters and conditions have a table of their own, where a task measures them."""
    parts = {"exact_match_2": 0.5, "exact_match_10": 0.25, "exact_match_doubled": None, "exact_match_both": 1.0}
    text = report_of(
        sweep([record("hinge", "n-best", seed, task="words", exact_match=0.4, **parts) for seed in (0, 1)])
    )
    assert "### exact match ↑ by part of the test set" in text
    (heads, line) = tables_of(text)["exact match ↑ by part of the test set"]
    assert heads[-4:] == ["2 letters", "10 letters", "doubled", "both"]
    assert line[-4:] == ["0.500 ± 0", "0.250 ± 0", "–", "1.00 ± 0"]
    assert "by part" not in whole


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"baseline": "hing"}, "did you mean hinge"),
        ({"baseline": "hinge/uniforn"}, "did you mean uniform"),
        ({"measure": "kll"}, "did you mean kl"),
    ],
)
@pytest.mark.parametrize("format", formats())
def test_what_is_not_there_is_refused(awkward, format, wanted, words):
    with pytest.raises(UsageError, match=words):
        report_of(awkward, format, **wanted)


def test_a_measure_of_a_sweep_that_has_none_yet_is_refused(sweep):
    with pytest.raises(UsageError, match="--measure kl: no run of this sweep has any measure yet"):
        report_of(sweep([RECORDS[11]]), measure="kl")


def test_units_that_are_registered_no_more_are_reported_all_the_same(sweep):
    gone = record("gone", "vanished", 0, task="nowhere", **plane(0.1, 1.0))
    text = report_of(sweep([gone]))
    assert "| gone | vanished | 1 | ? | 1.00 | 75.0 % | healthy |" in text
    assert "## Losses" not in text
