"""Records that hold every case that could break a table, a report of them as text, and a markdown text read back.

The snapshots in tests/report/snapshots are written anew by `python -m helpers.awkward` in tests: read their diff before
you commit it.
"""

import re
import sys
import tempfile
from pathlib import Path

from helpers.made_up import plane, record, written

from ebmcli.report.build import Report, Wanted
from ebmcli.report.writers import render
from ebmcli.storage.output import deliver

SNAPSHOTS = Path(__file__).parents[1] / "report" / "snapshots"
FILES = {"md": "awkward.md", "latex": "awkward.tex", "csv": "awkward.csv"}  # by format
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
    *(record("mce", "uniform", s, task="8gaussians", **plane(0.1 + 0.01 * (s % 7) ** 2, 1.0)) for s in range(24)),
    record("=1+1", "pcd", 0, task="8gaussians", **plane(0.1, 1.0, verdict="healthy", verdict_reason=EVIL)),
]  # fmt: skip
REFUSED = [
    ({"task": "moons", "loss": "nll", "sampler": "pcd", "energy": "mlp", "seed": seed}, "no | sum") for seed in (0, 1)
]


def report_of(folder, format="md", pictures=None, output=None, **wanted):
    """The report of one sweep or of several, as text."""
    folders = folder if isinstance(folder, list) else [folder]
    rendered = render(Report(folders, Wanted(**wanted), pictures or {}), format, output)
    if output:
        deliver(output, rendered.text.encode(), rendered.pictures)
    return rendered.text


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sweep = written(Path(place) / "x", RECORDS, REFUSED)
        for name, file in FILES.items():
            (SNAPSHOTS / file).write_text(report_of(sweep, name, baseline="hinge"), encoding="utf-8")
    print("written to", SNAPSHOTS, file=sys.stderr)
