"""Whole reports on made-up records that hold every awkward case; and nothing that can break a table or a spreadsheet.

The snapshots in tests/snapshots are written anew by `python tests/test_report.py`: read their diff before you commit it.
"""

import csv
import dataclasses
import html.parser
import io
import json
import re
import sys
from pathlib import Path

import pytest
from helpers.made_up import PROVENANCE, plane, record, seeds, written

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units
from ebmcli.report import differences, maths, writers
from ebmcli.report import rows as rows_of
from ebmcli.report import tables as details
from ebmcli.report.build import Wanted
from ebmcli.report.columns import BETTER
from ebmcli.report.writers.latex import escape as tex
from ebmcli.report.writers.markdown import escape

SNAPSHOTS = Path(__file__).parent / "snapshots"
EVIL = 'a|b\n🙂 <script>alert("x")</script> $x_1$ \\end{table} `c` *d* [e](f) &lt; 100%'


RECORDS = [
    record("hinge", "langevin", 0, config={"margin": 1.0}, **plane(0.10, 2.0)),
    record("hinge", "langevin", 1, config={"margin": 1.0}, **plane(0.12, 2.2)),
    record("hinge", "langevin", 2, config={"margin": 1.0}, **plane(0.11, 2.1)),
    record("nll", "quadrature", 0, **plane(0.003, 4.0)),  # one seed
    record("square-square", "pcd", 0, config={"margin": 2.0}, **plane(0.5, 1.0)),  # equal seeds
    record("square-square", "pcd", 1, config={"margin": 2.0}, **plane(0.5, 1.0)),
    record("energy", "none", 0, **plane(3e9, -4e9, verdict="unbounded", verdict_reason="it | spreads\nfar <b>")),
    record("energy", "none", 1, status="diverged", **plane(5.0, 1.0, verdict="diverged", verdict_reason="step 7")),
    record("log", "uniform", 0, **plane(0.2, None)),  # a measure in some runs only
    record("log", "uniform", 1, **plane(0.21, 3.0)),
    record("log", "uniform", 2, status="killed"),
    record("perceptron", "quadrature", 0, status="failed"),  # all failed
    record("hinge", "loss-augmented", 0, task="letters", config={"margin": 1.0, "margin_distance": "hamming"},
           gap_q50=-0.5, violation_rate=0.9, cer=0.2, wer=0.6, word_list_cer=0.0085),
    *(record("mce", "uniform", seed, task="8gaussians", **plane(0.1 + 0.01 * (seed % 7) ** 2, 1.0)) for seed in range(24)),
    record("=1+1", "pcd", 0, task="8gaussians", **plane(0.1, 1.0, verdict="healthy", verdict_reason=EVIL)),
]  # fmt: skip
REFUSED = [
    ({"task": "moons", "loss": "nll", "sampler": "pcd", "energy": "mlp", "seed": seed}, "no | sum") for seed in (0, 1)
]
MOONS = """\
| loss | negatives | n | promised | gap | gap ≥ m | verdict | auroc | kl | kl at β* | spurious mass |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| hinge | langevin | 3 | 1 | 2.10 ± 0.25 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.110 ± 0.025 | 0.110 ± 0.025 | 0.0100 ± 0 |
| nll | quadrature | 1 | infinite | 4.00 | 75.0 % | healthy | 0.900 | 0.00300 | 0.00300 | 0.0100 |
| square-square | pcd | 2 | 2, absolute | 1.00 ± 0 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.500 ± 0 | 0.500 ± 0 | 0.0100 ± 0 |
| energy | none | 1 of 2 (1 diverged) | none | -4.00e+09 | 75.0 % | 1 unbounded, 1 diverged | 0.900 | 3.00e+09 | 3.00e+09 | 0.0100 |
| log | uniform | 2 of 3 (1 killed) | infinite | 3.00 (n = 1) | 75.0 ± 0 % | 2 healthy | 0.900 ± 0 | 0.205 ± 0.064 | 0.205 ± 0.064 | 0.0100 ± 0 |
| perceptron | quadrature | 0 of 1 (1 failed) | 0 | – | – | – | – | – | – | – |"""


@pytest.fixture
def sweep(tmp_path):
    return lambda *arguments, name="x", **more: written(tmp_path / name, *arguments, **more)


def of(folder, format="md", pictures=None, output=None, **wanted):
    folders = folder if isinstance(folder, list) else [folder]
    return writers.text(folders, format, Wanted(**wanted), pictures or {}, output)


def tables_of(markdown):
    """{heading: rows of cells} of a markdown text, unescaped; a heading that stands twice has a number."""
    found, heading = {}, ""
    for line in markdown.splitlines():
        if line.startswith("#"):
            heading = line.strip("# ") if line.strip("# ") not in found else f"{line.strip('# ')} {len(found)}"
        elif line.startswith("| "):
            cells = re.split(r"(?<!\\) \| ", line[2:-2])
            found.setdefault(heading, []).append(
                [re.sub(r"\\([^\w])", r"\1", c).replace("&lt;", "<").replace("&amp;", "&") for c in cells]
            )
    return {name: [rows[0], *rows[2:]] for name, rows in found.items()}


# --- whole reports ---------------------------------------------------------------------------------------------------

FORMATS = {"md": "awkward.md", "latex": "awkward.tex", "csv": "awkward.csv"}


@pytest.mark.parametrize("format", FORMATS)
def test_whole_reports(sweep, format):
    text = of(sweep(RECORDS, REFUSED), format, baseline="hinge")
    assert text == (SNAPSHOTS / FORMATS[format]).read_text(encoding="utf-8")


def test_the_figures_of_a_table_are_those_worked_by_hand(sweep):
    text = of(sweep(RECORDS, REFUSED))
    assert MOONS in text
    assert "40 runs: 35 done, 1 diverged, 1 failed, 1 killed, 2 refused." in text
    assert "| energy | none | unbounded | 1 of 2 | it \\| spreads far &lt;b> (seed 0) |" in text
    assert "| failed | ValueError: a \\| b | 1 | perceptron-quadrature-moons-s0 |" in text
    assert "| moons | nll | pcd | no \\| sum | 2 |" in text
    assert "Warning" not in text


@pytest.mark.parametrize("format", writers.FORMATS)
def test_a_report_is_the_same_twice_and_has_no_nan(sweep, format):
    folder = sweep(RECORDS, REFUSED)
    text = of(folder, format, baseline="hinge")
    assert text == of(folder, format, baseline="hinge")
    assert not re.search(r"\bnan\b", text.partition("<script>")[0], re.IGNORECASE)


@pytest.mark.parametrize("records", [[], [RECORDS[11]], REFUSED])
@pytest.mark.parametrize("format", writers.FORMATS)
def test_an_empty_an_all_failed_and_an_all_refused_sweep_have_a_report(sweep, records, format):
    folder = sweep([], records) if records is REFUSED else sweep(records)
    text = of(folder, format)
    assert text
    if format == "md":
        told = {0: "No runs.", 1: "1 runs: 1 failed.", 2: "2 runs: 2 refused."}[len(records)]
        assert told in text
        assert "refused (2)" in text or records is not REFUSED


class Tables(html.parser.HTMLParser):
    """The cells of all tables of a page, and every tag with its attributes."""

    def __init__(self):
        super().__init__()
        self.tables, self.tags, self.inside = [], [], False

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.tables[-1][-1][-1] += data


def test_html_has_the_same_cells_and_nothing_from_elsewhere(sweep):
    folder = sweep(RECORDS, REFUSED)
    page = Tables()
    page.feed(of(folder, "html", baseline="hinge"))
    plain = tables_of(of(folder, "md", baseline="hinge").replace("**", ""))
    assert page.tables == list(plain.values())
    assert [tag for tag, _ in page.tags].count("script") == 1
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert all(attributes.get(name, "#")[:1] in "#d" for name in ("href", "src"))


def test_latex_and_csv_cells_stand_in_columns(sweep):
    folder = sweep(RECORDS, REFUSED)
    for table in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", of(folder, "latex", baseline="hinge"), re.DOTALL):
        columns = re.sub(r"p\{7cm\}", "p", re.search(r"\{tabular\}\{(.*)\}", table)[1])
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}


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


def test_csv_has_a_line_a_row_with_bounds_and_runs_and_no_formulas(sweep):
    lines = list(csv.DictReader(io.StringIO(of(sweep(RECORDS), "csv"))))
    assert len(lines) == 9
    first = lines[0]
    assert (first["loss"], first["n"], first["kl"]) == ("hinge", "3", "0.11")
    assert float(first["kl_high"]) == pytest.approx(0.11 + 4.302653 * 0.01 / 3**0.5)
    assert first["run_ids"].split() == [f"hinge-langevin-moons-s{seed}" for seed in range(3)]
    assert lines[4]["gap_q50_n"] == "1"
    assert lines[-1]["loss"] == "'=1+1"


def test_a_command_with_backquotes_is_code(sweep):
    assert "Reproduce with `` ebm sweep `x` ``." in of(sweep(RECORDS[:1], command="ebm sweep `x`"))


# --- what is in a report ---------------------------------------------------------------------------------------------


def test_other_settings_that_vary_get_a_column_and_a_range_in_the_matrix(sweep):
    records = [
        record("hinge", "langevin", 0, config={"margin": m}, **plane(0.1 * m, m)) | {"id": f"m{m}"}
        for m in (0.5, 1.0, 2.0)
    ]
    text = of(sweep(records))
    assert "| loss | negatives | margin | n | promised |" in text
    assert "| hinge | langevin | 0.5 | 1 | 0.5 |" in text
    assert "| hinge | 0.0500 to 0.200 (3 settings) |" in text


def test_mixed_provenance_is_warned_of(sweep):
    other = PROVENANCE | {"code": "def"}
    records = [RECORDS[0], record("hinge", "langevin", 1, provenance=other, config={"margin": 1.0}, **plane(0.1, 2.0))]
    text = of(sweep(records))
    assert "**Warning: mixed provenance. 2 versions of the code and 1 machines" in text
    assert "abc (commit 0123456789, with uncommitted changes); def" in text


def test_what_it_cost_is_summed_over_the_runs_that_ended(sweep):
    text = of(sweep(RECORDS[:8]))
    assert "Training and evaluation took 8.0 s, summed over the runs, and 8,000 energy evaluations" in text


def test_runs_of_several_sweeps_are_counted_once_finished_rather_than_not(sweep):
    failed = record("hinge", "langevin", 2, status="failed", config={"margin": 1.0})
    first, second = sweep([*RECORDS[:2], failed], name="x"), sweep(RECORDS[:3], name="y")
    text = of([first, second])
    assert text.startswith("# x + y\n")
    assert MOONS.splitlines()[2] in text
    assert text.count("Reproduce with") == 2


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
    (table,) = rows_of.tables(records)
    assert table.columns[2 : table.columns.index("n")] == columns
    assert len(table.rows) == 2


def test_negatives_that_a_loss_does_not_look_at_are_called_ignored():
    (table,) = rows_of.tables([record("score-matching", "pcd", 0, **plane(0.1, 2.0))])
    assert table.rows[0][1] == "pcd (ignored)"


def test_every_measure_that_a_task_names_has_a_direction():
    """Or none, where it is no measure of the model; an arrow, a rank and the bold figure follow from it."""
    assert {name for task in units("task").values() for name in task.measures} <= BETTER.keys()


def test_pictures_are_copied_beside_a_file_and_inside_html(sweep, tmp_path):
    folder = sweep(RECORDS[:3])
    (folder / "grid-moons.png").write_bytes(b"\x89PNG made up")
    pictures = {"moons": [folder / "grid-moons.png"]}
    text = of(folder, "md", pictures, tmp_path / "out.md")
    assert "![moons: the runs of x side by side.](out_files/x-grid-moons.png)" in text
    assert (tmp_path / "out_files" / "x-grid-moons.png").read_bytes() == b"\x89PNG made up"
    assert "{out_files/x-grid-moons.png}" in of(folder, "latex", pictures, tmp_path / "out.tex")
    assert 'src="data:image/png;base64,iVBORyBtYWRlIHVw"' in of(folder, "html", pictures)


# --- ranks, the best, differences ------------------------------------------------------------------------------------

NOISE = [0.010, -0.012, 0.004, -0.002]


def contest(*records):
    rows = details.of_task([one for group in records for one in group])
    return details.contest(rows, "kl")


def test_what_differs_by_noise_shares_a_rank_and_no_figure_is_bold():
    near = [0.101 - noise for noise in NOISE]
    found = contest(seeds("hinge", "pcd", [0.1 + n for n in NOISE]), seeds("log", "pcd", near))
    assert found == details.Contest([1, 1], None)


def test_the_best_stands_out_where_it_beats_every_other_row():
    good, poor = seeds("hinge", "pcd", [0.1 + n for n in NOISE]), seeds("log", "pcd", [0.5 - n for n in NOISE])
    worst = seeds("mce", "pcd", [0.5 + n / 2 for n in NOISE])
    assert contest(poor, good, worst) == details.Contest([2, 1, 2], 1)


@pytest.mark.parametrize("status", ["diverged", "failed", "oom"])
def test_a_row_that_lost_runs_has_no_rank_and_is_not_the_best_but_can_stand_in_its_way(status):
    lost = seeds("hinge", "pcd", [0.01 + n / 10 for n in NOISE])
    lost.append(record("hinge", "pcd", 9, status=status))
    good, poor = seeds("log", "pcd", [0.1 + n for n in NOISE]), seeds("mce", "pcd", [0.5 - n for n in NOISE])
    assert contest(lost, good, poor) == details.Contest([None, 2, 3], None)


def test_one_seed_has_no_rank_and_the_best_of_others_is_not_called_so():
    one, good = seeds("hinge", "pcd", [0.5]), seeds("log", "pcd", [0.1 + n for n in NOISE])
    assert contest(one, good, seeds("mce", "pcd", [0.5 - n for n in NOISE])) == details.Contest([None, 1, 2], None)


def test_a_measure_without_a_direction_has_no_ranks():
    rows = details.of_task(seeds("hinge", "pcd", [0.1, 0.2]) + seeds("log", "pcd", [0.3, 0.5]))
    assert details.contest(rows, "gap_q50") == details.Contest([None, None], None)


def test_more_is_better_where_the_arrow_says_so():
    low = [record("log", "pcd", seed, auroc=0.5 + noise) for seed, noise in enumerate(NOISE)]
    high = [record("mce", "pcd", seed, auroc=0.9 - noise) for seed, noise in enumerate(NOISE)]
    assert details.contest(details.of_task(low + high), "auroc") == details.Contest([2, 1], 1)


def findings(*others, baseline="hinge"):
    base = seeds("hinge", "pcd", [0.1 + n for n in NOISE])
    rows = details.of_task([*base, *(one for group in others for one in group)])
    return {row[0]: (row[-4], row[-1]) for row in differences.to_baseline(rows, "kl", baseline).rows}


def test_differences_to_a_baseline_say_what_can_be_said():
    kls = [0.1 + n for n in NOISE]
    found = findings(
        seeds("log", "pcd", [0.5 - n for n in NOISE]),
        seeds("mce", "pcd", [0.01 + n / 10 for n in NOISE]),
        seeds("lvq2", "pcd", [0.1 - n for n in NOISE]),
        seeds("simple", "pcd", kls),
        seeds("ml", "pcd", [kl + 1 for kl in kls]),
        seeds("nce", "uniform", [0.3]),
        [record("nll", "quadrature", 77, **plane(0.3, 1.0))],
    )
    assert {name: str(told) for name, (_, told) in found.items()} == {
        "log": "worse", "mce": "better", "lvq2": "not significant", "simple": "equal",
        "ml": "the same in every seed, no test", "nce": "one shared seed, no test", "nll": "no shared seeds",
    }  # fmt: skip
    assert str(found["log"][0]) == "4"


def test_a_difference_over_survivors_says_so():
    lost = [*seeds("log", "pcd", [0.01 + n / 10 for n in NOISE]), record("log", "pcd", 9, status="diverged")]
    assert findings(lost)["log"][1] == "better, of the runs that survived"


def test_folds_repeat_runs_as_seeds_do_and_are_paired():
    noise = iter([0.004, -0.003, 0.001, 0.002] * 2)
    found = [
        record(loss, "exhaustive", 0, task="letters", config={"fold": fold}, cer=at + 0.1 * fold + next(noise) * sign)
        for loss, at, sign in (("nll", 0.2, 1), ("hinge", 0.3, -1))
        for fold in range(4)
    ]
    rows = details.of_task(found)
    assert [len(row.members) for row in rows] == [4, 4]
    assert details.contest(rows, "cer") == details.Contest([1, 2], 0)
    assert "fold 3, seed 0" in rows_of.told_repeat(found[3])


def test_a_row_is_compared_with_the_baseline_of_its_own_negatives():
    base = seeds("hinge", "uniform", [0.2 + n for n in NOISE])
    rows = details.of_task(
        [
            *seeds("hinge", "pcd", [0.1] * 4),
            *base,
            *seeds("log", "uniform", [0.1] * 4),
            *seeds("nll", "quadrature", [0.1] * 4),
        ]
    )
    against = {row[0]: row[2] for row in differences.to_baseline(rows, "kl", "hinge").rows}
    assert against == {"log": "hinge with uniform", "nll": "hinge with pcd"}
    named = [row[:3] for row in differences.to_baseline(rows, "kl", "hinge/uniform").rows]
    assert [row[2] for row in named] == ["hinge with uniform"] * 3
    assert named[0][:2] == ["hinge", "pcd"]


def test_negatives_count_before_all_other_settings():
    def group(loss, sampler, lr):
        return [record(loss, sampler, seed, config={"lr": lr}, **plane(0.1, 1.0)) for seed in (0, 1)]

    shown = [group("hinge", "pcd", 0.1), group("hinge", "uniform", 0.2), group("log", "uniform", 0.1)]
    shown += [group("log", "uniform", 0.2), group("log", "pcd", 0.2)]
    found = differences.to_baseline(details.of_task([one for members in shown for one in members]), "kl", "hinge")
    against = ["hinge with uniform, lr 0.2", "hinge with uniform, lr 0.2", "hinge with pcd, lr 0.1"]
    assert [row[3] for row in found.rows] == against


def test_more_is_better_than_a_baseline_where_the_arrow_says_so():
    base = [record("hinge", "pcd", seed, auroc=0.5 + noise) for seed, noise in enumerate(NOISE)]
    more = [record("log", "pcd", seed, auroc=0.9 - noise) for seed, noise in enumerate(NOISE)]
    (row,) = differences.to_baseline(details.of_task(base + more), "auroc", "hinge").rows
    assert row[-1] == "better"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"baseline": "hing"}, "did you mean hinge"),
        ({"baseline": "hinge/uniforn"}, "did you mean uniform"),
        ({"measure": "kll"}, "did you mean kl"),
    ],
)
def test_what_is_not_there_is_refused(sweep, wanted, words):
    with pytest.raises(UsageError, match=words):
        of(sweep(RECORDS), **wanted)


def test_a_measure_that_is_asked_for_ranks(sweep):
    text = of(sweep(RECORDS), measure="auroc")
    assert "| rank in auroc | auroc ↑ | kl ↓ |" in text
    assert "### auroc ↑ by loss and negatives" in text
    assert "| rank in cer | cer ↓ |" in text  # letters has no auroc


def test_interquartile_means_leave_out_the_ends(sweep):
    text = of(sweep(seeds("hinge", "pcd", [0.1, 0.2, 0.3, 99.0])), interquartile=True)
    assert "| hinge | pcd | 4 | 1 | 1.00 ± 0 | 75.0 ± 0 % | healthy | 0.900 ± 0 | 0.25 ± " in text.replace(
        "| m |", "| 1 |"
    )
    assert "Interquartile means" in text


# --- formulas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("hinge", "[m + F^{+} - F^{-}] _{+}"),
        ("nll", r"F^{+} + \tfrac{1}{\beta} \log \sum_{y} \exp (-\beta F(y))"),
        ("square-exp", r"(F^{+})^{2} + \gamma \exp (-\mathrm{rate} F^{-})"),
        ("sliced-score-matching", r"\tfrac{1}{2} |\beta \nabla _{y} F|^{2} - \beta u'\, (\nabla _{y}^{2} F) u, u a"
         r"\text{ random direction drawn from }\mathcal{N}(0, 1)"),
    ],
)  # fmt: skip
def test_formulas_are_maths(name, formula):
    unit = units("loss")[name]
    assert maths.latex(unit.formula, unit.parameters) == formula


@pytest.mark.parametrize("name", units("loss"))
def test_every_formula_can_be_set(name):
    from latex2mathml.converter import convert
    from markdown_it import MarkdownIt

    unit = units("loss")[name]
    formula = maths.latex(unit.formula, unit.parameters)
    assert formula.count("{") == formula.count("}")
    assert "merror" not in convert(formula)
    assert "<em>" not in MarkdownIt("commonmark").render(f"- {name}: ${formula}$")
    words = set(
        re.findall(r"[a-zA-Z]{2,}", re.sub(r"\\(text|mathrm|operatorname|mathcal)\{[^}]*\}|\\[a-zA-Z]+", " ", formula))
    )
    assert words == set(), "words outside of \\text"


def test_json_is_the_records(sweep):
    assert len(json.loads(of(sweep(RECORDS), "json"))) == len(RECORDS)
    assert dataclasses.is_dataclass(Wanted)


def test_exact_match_of_every_part_of_the_test_set(sweep):
    """Lengths, doubled letters and conditions have a table of their own, where a task measures them."""
    parts = {"exact_match_2": 0.5, "exact_match_10": 0.25, "exact_match_doubled": None, "exact_match_both": 1.0}
    folder = sweep([record("hinge", "n-best", seed, task="words", exact_match=0.4, **parts) for seed in (0, 1)])
    text = of(folder)
    assert "### exact match ↑ by part of the test set" in text
    (heads, line) = (row for row in tables_of(text)["exact match ↑ by part of the test set"])
    assert heads[-4:] == ["2 letters", "10 letters", "doubled", "both"]
    assert line[-4:] == ["0.500 ± 0", "0.250 ± 0", "–", "1.00 ± 0"]
    assert "by part" not in of(sweep(RECORDS, name="plane"))


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        made = written(Path(place) / "x", RECORDS, REFUSED)
        SNAPSHOTS.mkdir(exist_ok=True)
        for which, file in FORMATS.items():
            (SNAPSHOTS / file).write_text(of(made, which, baseline="hinge"), encoding="utf-8")
    print("written to", SNAPSHOTS, file=sys.stderr)
