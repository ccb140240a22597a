"""One table of a report: which, with which columns, in which format."""

import csv
import io
import json
import re

import pytest
from helpers.made_up import plane, record, seeds, written
from helpers.shell import run_here


@pytest.fixture
def ebm(tmp_path):
    """Runs `ebm report` on a sweep of two tasks, of which a row names LaTeX's signs."""
    (tmp_path / "results").mkdir()
    runs = [*seeds("hinge", "pcd", [0.1, 0.2]), *seeds("lo_g&", "pcd", [0.3, 0.4])]
    runs += [record("hinge", "none", 0, task="classes", **plane(0.5, 1.0)), record("log", "pcd", 0, status="failed")]
    written(tmp_path / "results" / "x", runs)
    return lambda *arguments, code=0: run_here(tmp_path, "report", "x", *arguments, code=code)


CHOSEN = ("--task", "moons", "--table", "accuracy", "--columns", "loss,KL,kl_beta_star,rank in kl")


def test_latex_is_one_tabular_to_input(ebm):
    text = ebm("--format", "latex", *CHOSEN)[0]
    assert text.startswith("% ")
    assert re.findall(r"\\(?:begin|end)\{(\w+)\}", text) == ["tabular", "tabular"]
    assert r"\begin{tabular}{lrrl}" in text or r"\begin{tabular}{lrrr}" in text
    assert r"lo\_g\&" in text
    assert text.count("&") - text.count(r"\&") == 3 * (1 + 3)


def test_the_columns_come_in_the_order_asked_for_and_once(ebm):
    heads, _, first, *_ = ebm("--format", "md", *CHOSEN[:-1], "auroc ↑,loss,auroc")[0].splitlines()
    assert heads == "| auroc ↑ | loss |"
    assert first.startswith("| 0.900 ± 0 | hinge")


def test_csv_json_and_html_have_the_same_cells(ebm):
    shown = [line.strip("| ").split(" | ") for line in ebm("--format", "md", *CHOSEN)[0].splitlines()]
    del shown[1]
    shown = [[cell.replace("\\", "").replace("*", "") for cell in line] for line in shown]
    plain = [
        [cell.replace("*", "") for cell in line] for line in csv.reader(io.StringIO(ebm("--format", "csv", *CHOSEN)[0]))
    ]
    assert plain == shown
    lines = json.loads(ebm("--json", *CHOSEN)[0])
    assert [[cell.replace("*", "") for cell in line.values()] for line in lines] == shown[1:]
    page = ebm("--format", "html", *CHOSEN)[0]
    assert page.startswith("<table>")
    assert page.count("<tr>") == len(shown)
    assert "lo_g&amp;" in page


def test_a_suffix_says_the_format_of_a_table_too(ebm, tmp_path):
    ebm(*CHOSEN, "--output", "t.tex")
    assert r"\begin{tabular}" in (tmp_path / "t.tex").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "t.tex"]


def test_a_report_may_be_of_one_task(ebm):
    text = ebm("--task", "classes")[0]
    assert "## classes" in text
    assert "moons" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "accuracy"], "there is one for each task, choose by --task: moons, classes"),
        (["--table", "acuracy", "--task", "moons"], "did you mean accuracy?"),
        (
            ["--table", "accuracy", "--task", "moons", "--columns", "auroq"],
            "unknown column of the table accuracy 'auroq'",
        ),
        (["--columns", "loss"], "--columns are of one table"),
        (["--task", "nowhere"], "unknown task of this sweep 'nowhere'"),
        (["--table", "differences", "--task", "moons"], "unknown table of this report 'differences'"),
    ],
)
def test_a_wrong_table_or_column_is_one_sentence(ebm, arguments, said):
    out, err = ebm(*arguments, code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_differences_are_a_table_where_there_is_a_baseline(ebm):
    text = ebm("--table", "differences", "--task", "moons", "--baseline", "hinge", "--format", "md")[0]
    assert text.startswith("| loss | negatives | against |")


def test_a_format_that_writes_whole_reports_alone_says_so(ebm, monkeypatch):
    from ebmcli.report import writers

    plain = writers.Format("plain", lambda report, link: "x", (), False, None)
    monkeypatch.setitem(writers.formats(), "plain", plain)
    _, err = ebm("--format", "plain", *CHOSEN, code=2)
    assert "plain writes whole reports, no single table" in err
    assert ebm("--format", "plain")[0] == "x"
