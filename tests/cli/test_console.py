"""What a terminal of some width shows: tables, a report, sentences; as a console of that width prints them."""

import io
import re

import pytest
from helpers.made_up import record, seeds, written
from rich.console import Console

from ebmcli.cli.console import broken, print_table
from ebmcli.cli.terminal import print_report
from ebmcli.report import rows
from ebmcli.report.blocks import Table, Value
from ebmcli.report.build import Report

WIDTHS = [40, 60, 80, 100, 120, 200]


def terminal(width):
    """A terminal of that many columns, without colours, and what it shows so far."""
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    return out, out.file.getvalue


def printed(table, width, whole=True):
    """(what is shown, the headings that are left out) of a table."""
    out, shown = terminal(width)
    left_out = print_table(table, out, whole)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown()), left_out


def words(text):
    return re.split(r"\s{2,}|\n", text)


@pytest.fixture(scope="module")
def summary():
    """The first table of a sweep, as wide as they come."""
    kls = [0.123456, 0.098765, 0.112233]
    runs = [
        run for loss in ("hinge", "square-square") for s in ("pcd", "most-offending") for run in seeds(loss, s, kls)
    ]
    (table,) = rows.tables(runs)
    return table


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("whole", [True, False])
def test_no_line_is_wider_than_the_terminal_and_no_column_is_lost_without_a_word(summary, width, whole):
    text, left_out = printed(summary, width, whole)
    assert max(map(len, text.splitlines())) <= width
    shown = words(text)
    for place, column in enumerate(summary.columns):
        named = column in shown or all(word in shown for word in column.split())
        assert named is (column not in left_out), column
        if named:
            assert all(str(row[place]) in shown for row in summary.rows), column
    assert not (whole and left_out)


@pytest.mark.parametrize("width", [80, 120])
def test_the_key_columns_of_a_run_are_always_there(summary, width):
    _, left_out = printed(summary, width, whole=False)
    assert not {"loss", "negatives", "verdict", "gap", "kl", "auroc"} & set(left_out)
    assert summary.keys == ["verdict", "gap", "kl", "auroc"]


def test_each_part_begins_with_what_tells_rows_apart(summary):
    parts = re.split(r"─+", printed(summary, 80)[0])
    assert len(parts) > 2
    for part in parts[1:]:
        assert part.count("hinge") >= 2


def test_a_pipe_has_one_table_as_wide_as_it_is():
    out = Console(file=io.StringIO(), width=100_000)
    table = Table("x", [f"column{n}" for n in range(80)], [[f"value {n}" for n in range(80)]] * 5)
    assert print_table(table, out) == []
    assert out.file.getvalue().count("column79") == 1
    assert len([line for line in out.file.getvalue().splitlines() if "value 79" in line]) == 5


def test_prose_is_broken_between_words_and_figures_never():
    reason = "the energy spreads over nothing at all that could be seen by anybody who looks at it closely"
    table = Table("x", ["loss", "figure", "reason"], [["hinge", Value("1.25 ± 0.25", 1.25), reason]] * 5)
    text, _ = printed(table, 60)
    assert text.count("1.25 ± 0.25") == 5
    assert not [word for word in reason.split() if word not in text.split()]
    assert max(map(len, text.splitlines())) <= 60


def test_a_column_that_says_nothing_is_not_shown():
    table = Table("x", ["loss", "reason"], [["hinge", ""], ["log", ""]])
    assert "reason" not in printed(table, 80)[0]
    assert "reason" in printed(Table("x", ["loss", "reason"], []), 80)[0], "but of an empty table"


def test_a_word_that_is_wider_than_the_terminal_is_folded():
    text, _ = printed(Table("x", ["run"], [["a" * 100]] * 4), 40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("a") == 400


def test_a_sentence_is_broken_between_words_and_a_path_stays_whole():
    assert broken("one two three\n    four", 20) == "one two three\n    four"
    assert broken("the file results/x/runs/hinge-langevin-moons", 20) == "the file\nresults/x/runs/hinge-langevin-moons"


def test_a_report_on_a_terminal_names_no_run_and_says_how_to_get_the_file(tmp_path):
    runs = [*seeds("hinge", "pcd", [0.1, 0.2]), record("log", "pcd", 0, status="failed", reason="so")]
    report = Report([written(tmp_path / "x", runs)])
    out, shown = terminal(80)
    print_report(report, ["x"], out)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown())
    assert max(map(len, text.splitlines())) <= 80
    assert "| loss" not in text
    assert "---" not in text
    assert "#" not in text
    assert "hinge-pcd-moons-s0" not in text, "of the runs behind a row"
    closing = " ".join(text.split())
    assert closing.endswith("as a file, with pictures and the name of every run; or md, latex, csv.")
    assert "ebm report x --format html --output x.html writes this" in closing
    for heading in ("Margin", "Collapse", "Accuracy", "How to read the tables", "Losses", "Not finished"):
        assert heading in text
    assert text.count("Margin") == 1, "a table says its heading once"


@pytest.mark.parametrize("width", [1, 5, 12])
def test_no_width_is_too_narrow_and_an_empty_table_shows_its_headings(summary, width):
    for table in (summary, Table("heading", summary.columns, [])):
        text, _ = printed(table, width)
        assert text.strip()
        assert table.heading in text or width < 12
