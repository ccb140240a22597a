"""Make everything in README and docs that is a result: `python docs/make.py`, about 5 minutes on 2 cores.

It runs experiments/first.toml (what is finished is kept), writes docs/first.md with its pictures, and puts into README
the table of `moons`, what `ebm run --loss hinge` prints and the picture of that run, which is one of the sweep's.
"""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from ebmcli.cli.console import print_table
from ebmcli.report import rows
from ebmcli.storage import store

ROOT = Path(__file__).parent.parent
SWEEP, TASK = "first", "moons"
LONE = {"task": "moons", "loss": "hinge", "sampler": "langevin", "seed": 0}  # what `ebm run --loss hinge` runs
TABLE = re.compile(rf"(<!-- table: {TASK} -->\n).*?(\n<!-- end -->)", re.DOTALL)
PRINTED = re.compile(r"(```\n)moons\n.*?(\n```)", re.DOTALL)


def table(text: str) -> str:
    """The first table of the task in a report."""
    found = re.search(r"^\|.*?(?=\n\n)", text.partition(f"\n## {TASK}\n")[2], re.MULTILINE | re.DOTALL)
    return found[0] if found else "no table"


def printed(record: dict) -> str:
    """What `ebm run` prints of one run: its table."""
    out = Console(file=io.StringIO(), width=240)
    (shown,) = rows.tables([record])
    print_table(shown, out)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def readme(text: str, reported: str, record: dict) -> str:
    """The README with the table of this report and what is printed of this run."""
    text = TABLE.sub(lambda match: f"{match[1]}{table(reported)}{match[2]}", text)
    return PRINTED.sub(lambda match: f"{match[1]}{printed(record)}{match[2]}", text)


def main() -> None:
    """Run, write, copy."""
    for command in (["sweep", "experiments/first.toml"], ["report", SWEEP, "--output", "docs/first.md"]):
        subprocess.run([sys.executable, "-m", "ebmcli", *command], cwd=ROOT, check=True)
    folder = ROOT / "results" / SWEEP
    records = [one for one in store.records(folder) if LONE.items() <= one["config"].items()]
    (record,) = records
    shutil.copyfile(folder / "runs" / record["id"] / store.PICTURE, ROOT / "docs" / "hinge.png")
    (ROOT / "docs" / "hinge.json").write_text(store.dumps(record) + "\n")
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(), (ROOT / "docs" / "first.md").read_text(), record))


if __name__ == "__main__":
    main()
