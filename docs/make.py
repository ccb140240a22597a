"""Make everything in README and docs that is a result or a list.

python docs/make.py reference    # docs/reference/, README's lists and CONTRIBUTING's words, from the code; a second
python docs/make.py first        # docs/first.md and what README and findings show of it, about 5 minutes on 2 cores
"""

import io
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from rich.console import Console

from ebmcli.cli.console import print_table
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.report import rows
from ebmcli.report.blocks import Table
from ebmcli.report.glossary import WORDS, explanations
from ebmcli.report.reference import TABLES
from ebmcli.report.writers import markdown
from ebmcli.storage import store
from ebmcli.storage.atomic import dumps
from ebmcli.storage.records import Record

ROOT = Path(__file__).parent.parent
SWEEP, TASK = "first", "moons"
LONE = {"task": "moons", "loss": "hinge", "sampler": "langevin", "seed": 0}  # what `ebm run --loss hinge` runs
TABLE = re.compile(rf"(<!-- table: {TASK} -->\n).*?(\n<!-- end -->)", re.DOTALL)
PRINTED = re.compile(r"(```\n)moons\n.*?(\n```)", re.DOTALL)
LISTS = re.compile(r"(<!-- lists -->\n).*?(\n<!-- end lists -->)", re.DOTALL)
COUNTS = re.compile(r"\d+ losses x \d+ samplers x \d+ energies on \d+ tasks")
WORD_TABLE = re.compile(r"(<!-- words -->\n).*?(\n<!-- end words -->)", re.DOTALL)
WORD_KINDS = {
    "a word": "Of the laboratory",
    "a verdict on an energy": "Verdicts on an energy",
    "a state of a run": "States of a run",
    "a finding of a comparison": "Findings of a comparison",
    "a judgement before anything runs": "Judgements before anything runs",
    "a column of tables": "Columns of tables that are no measure",
}
KIND_HEADS = {"loss": "Losses", "sampler": "Negatives", "energy": "Energies", "task": "Tasks"}


# --- lists, from the registry ----------------------------------------------------------------------------------------


def reference_pages() -> dict[str, str]:
    """The pages of docs/reference by file name."""
    pages = {f"{name}.md": f"# {name.capitalize()}\n\n{markdown.table(make())}\n" for name, make in TABLES.items()}
    pages["words.md"] = glossary_pages()
    links = "\n".join(f"- [{name}]({name}.md)" for name in [*TABLES, "words"])
    told = (
        "Generated from the registry by `python docs/make.py reference`; `ebm list losses` prints the same, "
        "`ebm explain WORD` one of it."
    )
    return {"README.md": f"# Reference\n\n{told}\n\n{links}\n"} | pages


def glossary_pages() -> str:
    """The page of words: those of the laboratory, verdicts, states, findings, judgements, headings."""
    parts = ["# Words"]
    for kind, same in groupby(explanations(), key=lambda meaning: meaning.kind):
        if kind in WORD_KINDS:
            rows = [[meaning.name, meaning.text] for meaning in same]
            parts.append(f"## {WORD_KINDS[kind]}\n\n{markdown.table(Table(kind, ['word', 'what it means'], rows))}")
    return "\n\n".join(parts) + "\n"


def with_words(text: str) -> str:
    """CONTRIBUTING with the words of the laboratory."""
    table = markdown.table(Table("words", ["word", "what it means"], list(WORDS.items())))
    return WORD_TABLE.sub(lambda match: f"{match[1]}{table}{match[2]}", text)


def lists() -> str:
    """README's list of names: one line per kind."""
    lines = []
    for kind, plural in KINDS.items():
        names = ", ".join(f"`{name}`" for name in units(kind))
        lines.append(f"- **{KIND_HEADS[kind]}** ([{plural}](docs/reference/{plural}.md)): {names}")
    return "\n".join(lines)


def counts() -> str:
    """How many there are of each."""
    loss, sampler, energy, task = (len(units(kind)) for kind in KINDS)
    return f"{loss} losses x {sampler} samplers x {energy} energies on {task} tasks"


def with_lists(text: str) -> str:
    """The README with the lists and counts of today's registry."""
    text = LISTS.sub(lambda match: f"{match[1]}{lists()}{match[2]}", text)
    return COUNTS.sub(counts(), text)


def make_reference() -> None:
    """Write docs/reference, README's lists and the words of CONTRIBUTING."""
    for name, text in reference_pages().items():
        (ROOT / "docs" / "reference" / name).write_text(text)
    for name, changed in (("README.md", with_lists), ("CONTRIBUTING.md", with_words)):
        path = ROOT / name
        path.write_text(changed(path.read_text()))


# --- results ---------------------------------------------------------------------------------------------------------


def first_table(report: str) -> str:
    """The first table of the task in a report."""
    found = re.search(r"^\|.*?(?=\n\n)", report.partition(f"\n## {TASK}\n")[2], re.MULTILINE | re.DOTALL)
    return found[0] if found else "no table"


def printed(record: Record) -> str:
    """What `ebm run` prints of one run: its table."""
    out = Console(file=io.StringIO(), width=240)
    (table,) = rows.tables([record])
    print_table(table, out)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def with_run(text: str, record: Record) -> str:
    """The README with what is printed of this run."""
    return PRINTED.sub(lambda match: f"{match[1]}{printed(record)}{match[2]}", text)


def with_table(text: str, report: str) -> str:
    """The findings with the table of this report."""
    return TABLE.sub(lambda match: f"{match[1]}{first_table(report)}{match[2]}", text)


def make_first() -> None:
    """Run experiments/first.toml (what is finished is kept), and write what is shown of it."""
    for command in (["sweep", "experiments/first.toml"], ["report", SWEEP, "--output", "docs/first.md"]):
        subprocess.run([sys.executable, "-m", "ebmcli", *command], cwd=ROOT, check=True)
    folder = ROOT / "results" / SWEEP
    (record,) = [one for one in store.records(folder) if LONE.items() <= dict(one.config).items()]
    shutil.copyfile(folder / "runs" / record.id / store.PICTURE, ROOT / "docs" / "hinge.png")
    (ROOT / "docs" / "hinge.json").write_text(dumps(record.to_json()) + "\n")
    report = (ROOT / "docs" / "first.md").read_text()
    for path, changed in (
        (ROOT / "README.md", lambda text: with_run(text, record)),
        (ROOT / "docs" / "findings.md", lambda text: with_table(text, report)),
    ):
        path.write_text(changed(path.read_text()))


if __name__ == "__main__":
    for asked in sys.argv[1:] or ["reference", "first"]:
        {"reference": make_reference, "first": make_first}[asked]()
