"""What each format makes of a report: the same cells, nothing that text of a user could break, pictures beside it."""

import csv
import html
import io
import json
import re

import pytest
from helpers.awkward import EVIL, RECORDS, report_of, tables_of
from helpers.made_up import record
from helpers.markup import Page
from markdown_it import MarkdownIt

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units
from ebmcli.report.build import Report
from ebmcli.report.writers import format_of, formats, render
from ebmcli.report.writers.latex import escape as tex
from ebmcli.report.writers.markdown import escape
from ebmcli.storage import store

FORMULAS = {name: unit.formula for name, unit in units("loss").items()}
TEX = {r"\textasciicircum{}": "^", r"\textquotesingle{}": "'", "{[}": "[", "{]}": "]", r"\_": "_",
       r"\ensuremath{|}": "|", r"\ensuremath{^{*}}": "*", r"\ensuremath{-}": "-"}  # fmt: skip


@pytest.fixture(scope="module")
def page(awkward):
    return Page(report_of(awkward, "html", baseline="hinge"))


# --- formats ---------------------------------------------------------------------------------------------------------


def test_formats_go_by_their_names_and_their_aliases():
    assert set(formats()) == {"csv", "html", "json", "latex", "md"}
    assert [format_of(name).name for name in ("markdown", "tex", *formats())] == ["md", "latex", *formats()]
    assert {name for name, one in formats().items() if one.pictures} == {"html", "latex", "md"}
    with pytest.raises(UsageError, match="did you mean html"):
        format_of("htl")


def test_html_has_the_same_cells_and_nothing_from_elsewhere(awkward, page):
    plain = tables_of(report_of(awkward, "md", baseline="hinge").replace("**", ""))
    assert page.tables == list(plain.values())
    assert [tag for tag, _ in page.tags].count("script") == 1
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert all(attributes.get(name, "#")[:1] in "#d" for name in ("href", "src"))


def test_latex_cells_stand_in_columns(awkward):
    text = report_of(awkward, "latex", baseline="hinge")
    found = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL)
    assert len(found) > 20
    for table in found:
        columns = re.sub(r"p\{7cm\}", "p", re.search(r"\{tabular\}\{(.*)\}", table)[1])
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}


def test_csv_has_a_line_a_row_with_bounds_and_runs_and_no_formulas(awkward):
    *lines, refused = csv.DictReader(io.StringIO(report_of(awkward, "csv")))
    assert len(lines) == 9
    assert (refused["loss"], refused["n"], refused["status"], refused["kl"]) == ("nll", "0", "2 refused", "")
    first = lines[0]
    assert (first["loss"], first["n"], first["kl"]) == ("hinge", "3", "0.11")
    assert float(first["kl_high"]) == pytest.approx(0.11 + 4.302653 * 0.01 / 3**0.5)
    assert first["run_ids"].split() == [f"hinge-langevin-moons-s{seed}" for seed in range(3)]
    assert lines[4]["gap_q50_n"] == "1"
    assert lines[-1]["loss"] == "'=1+1"


def test_json_is_the_records(awkward):
    found = json.loads(report_of(awkward, "json"))
    assert found == [json.loads(json.dumps(one.to_json())) for one in store.records(awkward)]
    assert len(found) == len(RECORDS) + 2


# --- escaping --------------------------------------------------------------------------------------------------------


def test_text_stays_text_in_markdown_and_latex():
    assert escape(EVIL) == (
        'a\\|b 🙂 &lt;script>alert("x")&lt;/script> \\$x_1\\$ \\\\end{table} \\`c\\` \\*d* [e]\\(f) &amp;lt; 100%'
    )
    assert tex("a_b & 50 % {x} \\end$^~#") == (
        r"a\_b \& 50 \% \{x\} \textbackslash{}end\$\textasciicircum{}\textasciitilde{}\#"
    )
    assert tex("kl at β* ≥ 1 ± 2 – ↓ 🙂") == (
        r"kl at \ensuremath{\beta}\ensuremath{^{*}} \ensuremath{\ge} 1 \ensuremath{\pm} 2 -- \ensuremath{\downarrow} ?"
    )


def test_a_renderer_of_markdown_shows_awkward_text_as_it_is():
    shown = MarkdownIt("commonmark").render(escape(EVIL))
    assert Page(shown).tags == [("p", {})]
    assert html.unescape(shown) == f"<p>{' '.join(EVIL.split())}</p>\n"


def test_a_command_with_backquotes_is_code(sweep):
    assert "Reproduce with `` ebm sweep `x` ``." in report_of(sweep(RECORDS[:1], command="ebm sweep `x`"))


# --- formulas --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def formulas(tmp_path_factory):
    """Reports of all losses of the registry, by format."""
    from helpers.made_up import written

    folder = written(tmp_path_factory.mktemp("formulas") / "x", [record(loss, "pcd", 0, kl=0.1) for loss in FORMULAS])
    return {format: report_of(folder, format) for format in ("md", "html", "latex")}


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_stands_as_code_as_the_registry_has_it(formulas, name):
    shown = MarkdownIt("commonmark").render(
        next(line for line in formulas["md"].splitlines() if line.startswith(f"- {name}: "))
    )
    assert [tag for tag, _ in Page(shown).tags] == ["ul", "li", "code"]
    assert Page(shown).code == [FORMULAS[name]]
    assert FORMULAS[name] in Page(formulas["html"]).code
    (line,) = re.findall(rf"^\\item\[{name}\] \\texttt{{(.*)}}$", formulas["latex"], re.MULTILINE)
    plain = re.sub("|".join(map(re.escape, TEX)), lambda match: TEX[match[0]], line)
    assert plain == FORMULAS[name]
    assert not re.search(r"[\\{}$&#%?]", plain), "nothing that LaTeX would take for more than text"


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_copied_beside_a_file_and_inside_html(sweep, tmp_path):
    folder = sweep(RECORDS[:3])
    (folder / "grid-moons.png").write_bytes(b"\x89PNG made up")
    pictures = {"moons": [folder / "grid-moons.png"]}
    text = report_of(folder, "md", pictures, tmp_path / "out.md")
    assert "![moons: the runs of x side by side.](out_files/x-grid-moons.png)" in text
    assert (tmp_path / "out_files" / "x-grid-moons.png").read_bytes() == b"\x89PNG made up"
    assert "{out_files/x-grid-moons.png}" in report_of(folder, "latex", pictures, tmp_path / "out.tex")
    assert 'src="data:image/png;base64,iVBORyBtYWRlIHVw"' in report_of(folder, "html", pictures)


@pytest.mark.parametrize("output", ["out", "my % report", "é", "n" * 240])
def test_pictures_of_sweeps_of_one_name_lie_side_by_side(output, sweep, tmp_path):
    folders, pictures = [], []
    for number, parent in enumerate(("a", "b", "A b")):
        (tmp_path / parent).mkdir()
        folders.append(sweep(RECORDS[:3], name=f"{parent}/x"))
        pictures.append(folders[-1] / "grid-moons.png")
        pictures[-1].write_bytes(b"%d" % number)
    report = Report(folders, pictures={"moons": pictures})
    for format in ("md", "latex"):
        rendered = render(report, format, tmp_path / f"{output}.md")
        assert sorted(rendered.pictures.values()) == [b"0", b"1", b"2"]
        for path in rendered.pictures:
            assert re.fullmatch(r"[\w./+-]+", path, re.ASCII)
            assert max(map(len, path.split("/"))) < 255
            assert f"{{{path}}}" in rendered.text or f"]({path})" in rendered.text
