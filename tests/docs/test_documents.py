"""README and docs say what is there: lists and pages are those of the registry, links lead somewhere."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs").rglob("*.md")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md", *DOCS])


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_is_a_front_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_readme_lists_what_is_registered(make):
    text = (ROOT / "README.md").read_text()
    assert make.with_lists(text) == text, "python docs/make.py reference"
    assert "moons" in make.lists()


def test_the_reference_is_that_of_the_registry(make):
    for name, text in make.reference_pages().items():
        assert (ROOT / "docs" / "reference" / name).read_text() == text, "python docs/make.py reference"


def test_the_words_of_the_house_are_those_of_the_glossary(make):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert make.with_words(text) == text, "python docs/make.py reference"
    assert "| gap | F(most offending answer) - F(right answer), on held-out data |" in text


def anchor(heading):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
            assert heading in map(anchor, headings), target


def test_the_citation_and_the_licence_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "license: MIT" in (ROOT / "CITATION.cff").read_text()


def test_on_windows_the_command_says_what_to_do():
    """The platform is put on; the rest of the package is not reached."""
    code = "import sys; sys.platform = 'win32'; import ebmcli.cli.app"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "WSL" in done.stderr


def test_ci_calls_the_test_command_of_readme():
    command = re.search(r"^    (pip install .*pytest)$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)[1]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
