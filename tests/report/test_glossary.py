"""Words are explained in one place: by `ebm explain`, lists, tooltips and documents."""

import pytest
from helpers.made_up import seeds, written

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import columns, units
from ebmcli.core.units import KINDS
from ebmcli.metrics import collapse
from ebmcli.report import glossary, tables
from ebmcli.report.build import Report
from ebmcli.report.glossary import WORDS, cell_tooltip, explain, heading_tooltip
from ebmcli.report.rows import rows, summary, without_refused
from ebmcli.report.statistics import mean
from ebmcli.report.writers import render
from ebmcli.storage.records import FINISHED


def test_everything_that_is_explained_has_a_text():
    for explained in glossary.explanations():
        assert explained.text.strip(), explained


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_is_explained_by_its_formula(kind):
    for unit in units(kind).values():
        assert unit.formula in [meaning.text for meaning in explain(unit.name)], unit.name


def test_every_measure_is_explained_by_its_key_and_by_its_heading():
    for name, column in columns().items():
        assert name in [meaning.name for meaning in explain(name)]
        assert name in [meaning.name for meaning in explain(column.label)]


def test_every_verdict_and_every_state_is_explained():
    """Those that the functions give, with the thresholds that they have."""
    measured = {"energy_spread": 1.0, "energy_level": 0.0, "auroc": 0.9, "gap_q90": 1.0}
    begun = {"energy_spread": 1.0}
    given = {
        collapse.verdict(measured | change, begun)[0]
        for change in (
            {},
            {"energy_spread": 1e-9},
            {"energy_spread": 1e9},
            {"auroc": 0.1},
            {"gap_q90": -1.0},
            {"auroc": None},
        )
    }
    assert given | {"diverged"} == set(collapse.VERDICTS)
    assert all(word in WORDS["verdict"] for word in collapse.VERDICTS)
    assert set(FINISHED) <= set(glossary.STATES)
    assert f"{collapse.FLAT_SPREAD:g}" in explain("flat")[0].text


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("gap", "gap_q50"), ("GAP ≥ m", "gap ≥ m"), ("kl ↓", "kl"), ("kl at β*", "kl_beta_star"), ("beta*", "beta*"),
        ("β*", "beta_star"), ("energies", "energy"), ("losses", "loss"), ("most-offending", "most-offending"),
        ("negatives", "negatives"), ("margin-distance", "margin_distance"), ("refused", "refused"), ("warn", "warn"),
        ("rank", "rank"), ("seeds", "seed"), ("verdicts", "verdict"), ("tasks", "task"), ("samplers", "sampler"),
    ],
)  # fmt: skip
def test_a_word_is_found_however_it_is_spelt(word, name):
    assert name in [meaning.name for meaning in explain(word)]


@pytest.mark.parametrize(
    ("wrong", "near"), [("gpa", "gap"), ("healty", "healthy"), ("hing", "hinge"), ("spurios mass", "spurious")]
)
def test_a_near_miss_is_answered_with_what_was_meant(wrong, near):
    with pytest.raises(UsageError, match=f"did you mean.*{near}.*ebm explain"):
        explain(wrong)


@pytest.mark.parametrize("wrong", ["", "   ", "xyzzyqq", "[red]", "\x1b[31m", "a" * 5_000])
def test_nonsense_is_one_short_sentence(wrong):
    with pytest.raises(UsageError) as error:
        explain(wrong)
    assert "\n" not in str(error.value)
    assert "`ebm explain` lists all words" in str(error.value)
    assert "\x1b" not in str(error.value)


# --- where they stand ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs():
    return [*seeds("hinge", "pcd", [0.1, 0.2, 0.3]), *seeds("nll", "pcd", [0.1, 0.3, 0.2])]


def test_headings_of_the_tables_are_explained(runs):
    table_rows = rows(without_refused(runs))
    made = [summary("moons", runs, mean), tables.margin(table_rows, mean), tables.accuracies(table_rows, mean, "kl")]
    for table in made:
        for column in table.columns:
            assert heading_tooltip(column), column


def test_a_cell_is_explained_as_what_its_column_holds():
    assert cell_tooltip("loss", "nll") == units("loss")["nll"].formula
    assert cell_tooltip("negatives", "langevin (ignored)") == units("sampler")["langevin"].formula
    assert cell_tooltip("verdict", "flat") == collapse.VERDICTS["flat"]
    assert cell_tooltip("reason", "flat") == ""
    assert cell_tooltip("loss", "<script>") == ""
    assert heading_tooltip("nll ↓") == explain("nll ↓")[0].text != units("loss")["nll"].formula


def test_html_shows_explanations_as_tooltips(runs, tmp_path):
    text = render(Report([written(tmp_path / "x", runs)]), "html").text
    assert (
        '<th scope="col" aria-sort="none" title="F(most offending answer) - F(right answer), on held-out data">' in text
    )
    assert f'<td title="{collapse.VERDICTS["healthy"]}">healthy</td>' in text
    assert '<td title="[m + F+ - F-]+">hinge</td>' in text


def test_a_report_explains_the_verdicts_that_it_has(runs, tmp_path):
    text = render(Report([written(tmp_path / "x", runs)]), "md").text
    assert f"- healthy: {collapse.VERDICTS['healthy']}." in text
    assert "- flat: " not in text


def test_a_line_under_the_first_table_explains_gap_and_verdict(runs):
    line = glossary.reading_line(runs)
    assert line.startswith(f"gap: {WORDS['gap']}; healthy: {collapse.VERDICTS['healthy']}")
    assert "`ebm explain WORD`" in line
    assert glossary.reading_line([]).startswith("gap: ")
