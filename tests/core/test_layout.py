"""The shape of the code: imports run one way, files and functions stay small, nothing is registered by hand."""

import ast
from pathlib import Path

import pytest

import ebmcli

ROOT = Path(ebmcli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
UNITS = ("losses", "samplers", "energies", "tasks")
LIGHT = ("disk", "store", "stats", "locate", "standing", "errors", "provenance")  # know no jax; nor do reports
JAX = ("jax", "flax", "optax", "ebmcli.lazy", "ebmcli.trainer", "ebmcli.engine")
# What comes in at the top of a file: the rest is imported where it is used, so that start-up stays fast.
HEAVY = ("jax", "flax", "optax", "pandas", "matplotlib", "scipy")


def module(path):
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)


def imported(path, top_level=False):
    """Every module that a file imports; with top_level, only those it imports at once."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def belongs(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_one_way(path):
    name, seen = module(path), imported(path)
    if name != "ebmcli.__main__":
        assert "ebmcli.cli" not in seen, "nobody imports the command line"
    family = name.split(".")[1] if name.count(".") > 1 else ""
    if family in UNITS:
        siblings = {f"ebmcli.{family}.{other.stem}" for other in path.parent.glob("*.py")} - {
            f"ebmcli.{family}.__init__"
        }
        foreign = [f"ebmcli.{other}" for other in UNITS if other != family]
        assert not [one for one in seen if belongs(one, foreign)]
        assert not [one for one in seen if belongs(one, siblings - {name})]
    if family == "metrics":
        assert not [one for one in seen if belongs(one, [f"ebmcli.{kind}" for kind in UNITS] + list(JAX))]
    if name in ("ebmcli.trainer", "ebmcli.engine"):
        assert not [one for one in seen if belongs(one, [f"ebmcli.{kind}" for kind in UNITS])]
    if name.removeprefix("ebmcli.") in LIGHT or name.startswith("ebmcli.report"):
        assert not [one for one in seen if belongs(one, JAX)]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_heavy_packages_are_imported_where_they_are_used(path):
    assert not [one for one in imported(path, top_level=True) if belongs(one, HEAVY)]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_and_functions_stay_small_and_there_are_no_class_hierarchies(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40, f"{node.name} is long"
        if isinstance(node, ast.ClassDef):
            allowed = {"NamedTuple", "Protocol", "Exception", "UsageError"}
            assert {base.id for base in node.bases} <= allowed, f"{node.name} inherits"
