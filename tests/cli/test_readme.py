"""What the README says is so."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ebmcli
from ebmcli.core.registry import KINDS, units

ROOT = Path(ebmcli.__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(language, containing):
    """The first code block of a language that contains a text."""
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in b)


def test_a_loss_is_added_in_five_lines_in_one_place(tmp_path):
    """Literally: the lines of the README, appended to the file that it names, in a copy of the package."""
    lines = block("python", "@loss")
    assert len([line for line in lines.splitlines() if line.strip()]) <= 5
    name = re.search(r"def (\w+)", lines)[1]
    shutil.copytree(ROOT / "ebmcli", tmp_path / "ebmcli", ignore=shutil.ignore_patterns("__pycache__"))
    with open(tmp_path / "ebmcli" / "losses" / "margin.py", "a") as file:
        file.write("\n\n" + lines)

    def ebm(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "ebmcli", *arguments], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (listed,) = [one for one in ebm("list", "losses", "--json") if one["name"] == name]
    assert listed["formula"] in lines
    small = ["--steps", "60", "--set", "hidden=8", "--set", "negatives=16", "--set", "chain_steps=2"]
    (record,) = ebm("run", "--loss", name, *small, "--json")
    assert record["status"] == "done"
    dry = ebm("sweep", "--loss", "all", "--dry-run", "--json")
    assert name in {cell["config"]["loss"] for cell in dry}


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_is_named(kind):
    for name in units(kind):
        assert f"`{name}`" in README, f"README does not name the {kind} {name}"


def test_its_commands_are_options_that_exist():
    options = set(re.findall(r"--[a-z][a-z-]+", "".join(re.findall(r"^ *(?:\$ )?ebm .*$", README, re.MULTILINE))))
    known = ""
    for command in ("run", "sweep", "report", "plot", "status", "show", "compare", "export", "list", "check", "doctor"):
        done = subprocess.run([sys.executable, "-m", "ebmcli", command, "--help"], capture_output=True, text=True)
        known += done.stdout
    assert options
    assert {one for one in options if one not in known} == set()


def test_its_results_are_those_of_the_reference_sweep():
    """`python docs/make.py` would change nothing: neither the table of docs/first.md nor what a lone run prints."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    reported, record = (ROOT / "docs" / "first.md").read_text(), json.loads((ROOT / "docs" / "hinge.json").read_text())
    assert make.readme(README, reported, record) == README
    assert make.readme(README, reported.replace("| hinge |", "| hing |"), record) != README
    record["metrics"]["kl"] = 7.0
    assert make.readme(README, reported, record) != README


def test_the_picture_exists():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / path).is_file()
