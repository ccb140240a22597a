"""What README and the documents say is so."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from helpers.shell import SMALL, run_here

import ebmcli
from ebmcli.cli.app import app
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.storage.records import Record

ROOT = Path(ebmcli.__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("examples/*/*.md")])


# --- commands --------------------------------------------------------------------------------------------------------


def commands(text):
    """The `ebm` commands of a page as lists of words: of its code, lines and spans, up to a pipe or another command."""
    code = re.findall(r"^(?:    |\$ )(.*)$", text, re.MULTILINE) + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    parts = [part for line in code for part in re.split(r"&&|\|", line.replace("\\|", "|"))]
    words = [shlex.split(part, comments=True) for part in parts if re.match(r"\s*ebm \S", part)]
    return [one[1:] for one in words]


def check_command(words):
    """Raise what the command line raises where it would not take these words."""
    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="ebm")
    _, rest, _ = group.make_parser(context).parse_args(list(words))
    if rest:
        name, command, rest = group.resolve_command(context, rest)
        command.make_parser(command.context_class(command, info_name=name, parent=context)).parse_args(rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_and_their_options_exist(page):
    for words in commands(page.read_text()):
        check_command(words)
        for file in [word for word in words if word.startswith("experiments/")]:
            assert (ROOT / file).is_file()


def test_a_command_or_an_option_that_does_not_exist_is_found():
    assert len(commands(README)) >= 8
    assert commands("x\n    ebm run --loss hinge && ebm report | head   # it\n`ebm list losses`, ebm here") == [
        ["run", "--loss", "hinge"], ["report"], ["list", "losses"]
    ]  # fmt: skip
    for wrong, said in (("run --los hinge", "--los"), ("rum", "rum"), ("report --loss hinge", "--loss"),
                        ("export --to", "--to"), ("--versoin", "--versoin")):  # fmt: skip
        with pytest.raises(Exception, match=said):
            check_command(wrong.split())


def test_what_the_pages_list_can_be_listed(tmp_path):
    listed = {words[1] for page in PAGES for words in commands(page.read_text()) if words[0] == "list" and words[1:]}
    assert listed
    for what in listed:
        run_here(tmp_path, "list", what)


# --- what is shown ---------------------------------------------------------------------------------------------------


def block(language, containing):
    """The first code block of a language that contains a text."""
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in b)


def test_a_loss_is_added_in_a_few_lines_in_one_place(tmp_path):
    """Literally: the lines of README, as a file of ebmcli/losses/, in a copy of the package."""
    lines = block("python", "@loss")
    assert len([line for line in lines.splitlines() if line.strip()]) <= 5
    name = re.search(r"def (\w+)", lines)[1]
    shutil.copytree(ROOT / "ebmcli", tmp_path / "ebmcli", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "ebmcli" / "losses" / "ours.py").write_text(lines)

    commands = [
        ["list", "losses", "--json"],
        ["sweep", "--loss", "all", "--dry-run", "--json"],
        ["run", "--loss", name, "--sampler", "uniform", *SMALL, "--no-pictures", "--json"],
    ]
    each = "import json, sys\nfrom ebmcli.cli.app import app\n"
    each += "for command in sys.argv[1:]: app(json.loads(command), standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", each, *map(json.dumps, commands)], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rest, printed = done.stdout, []
    while rest := rest.strip():
        found, end = json.JSONDecoder().raw_decode(rest)
        printed, rest = [*printed, found], rest[end:]
    listed, dry, records = printed
    (loss,) = [one for one in listed if one["name"] == name]
    assert loss["formula"] in lines
    assert name in {cell["config"]["loss"] for cell in dry}
    assert [record["status"] for record in records] == ["done"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_is_named(kind):
    for name in units(kind):
        assert f"`{name}`" in README, f"README does not name the {kind} {name}"


@pytest.fixture(scope="module")
def make():
    """docs/make.py, which writes what README and docs show."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_results_are_those_of_the_reference_sweep(make):
    """`python docs/make.py first` would change nothing: neither the table of findings nor what a lone run prints."""
    findings, reported = ((ROOT / "docs" / name).read_text() for name in ("findings.md", "first.md"))
    record = json.loads((ROOT / "docs" / "hinge.json").read_text())
    assert make.with_table(findings, reported) == findings
    assert make.with_table(findings, reported.replace("| hinge |", "| hing |")) != findings
    assert make.with_run(README, Record.from_json(record)) == README
    record["metrics"]["kl"] = 7.0
    assert make.with_run(README, Record.from_json(record)) != README
