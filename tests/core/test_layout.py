"""The shape of the code that the contracts of import-linter (pyproject.toml) cannot see."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import ebmcli
from ebmcli.core import registry
from ebmcli.core.units import KINDS

ROOT = Path(ebmcli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FAMILIES = (*KINDS.values(), "metrics", "writers", "executors")
MATHEMATICS = {
    "ebmcli.metrics.density",
    "ebmcli.metrics.margin",
    "ebmcli.metrics.collapse",
}  # of arrays, for all measures
# What is imported where it is used, so that start-up stays fast.
HEAVY = ("jax", "flax", "optax", "pandas", "matplotlib", "scipy")
# Names of units that are ordinary words, or settings, too.
WORDS = {"energy", "log", "exact", "none", "line", "cos", "simple", "noise", "words", "letters", "points", "classes"}
WORDS |= {"uniform", "circles", "rings", "spiral", "trellis", "corrupt", "generator", "denoising"}


def module(path):
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)


@cache
def tree(path):
    return ast.parse(path.read_text())


def imports(path, top_level=False):
    """(module, name or None) of everything that a file imports; top_level: at once."""
    for node in tree(path).body if top_level else ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


def test_the_contracts_on_imports_are_kept():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_units_of_a_family_share_helpers_and_do_not_know_each_other():
    for path in [path for path in FILES if path.parent.name in FAMILIES]:
        package = module(path).rpartition(".")[0]
        siblings = {one.stem for one in path.parent.glob("*.py")} - {path.stem, "__init__"}
        public = {f"{package}.{one}" for one in siblings if not one.startswith("_")} - MATHEMATICS
        seen = {one for name, part in imports(path) for one in (name, f"{name}.{part}")}
        assert not seen & public, module(path)


def test_nobody_takes_a_private_name_of_another_room():
    for path in [path for path in FILES if module(path) != "ebmcli.plugin"]:  # the face of the package
        here = module(path).rpartition(".")[0]
        for name, part in imports(path):
            parts = [*name.split("."), part or ""]
            private = [one for one in parts if one.startswith("_") and not one.startswith("__")]
            if parts[:2] == ["jax", "_src"] and module(path) == "ebmcli.training.compiled":
                continue  # jax has no other way to seal what it keeps
            assert not private or name == here or name.startswith(f"{here}."), f"{module(path)}: {name}.{part}"


def test_heavy_packages_are_imported_where_they_are_used():
    for path in FILES:
        assert not [name for name, _ in imports(path, top_level=True) if name.split(".")[0] in HEAVY], module(path)


def test_no_unit_is_named_outside_of_its_family():
    """What code knows of a unit it reads off the registry. A name within a sentence is none."""
    names = {name for kind in KINDS for name in registry.units(kind)} - WORDS
    for path in [path for path in FILES if path.parent.name not in (*FAMILIES, "data")]:
        told = [node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)]
        assert not names & {one for one in told if isinstance(one, str)}, module(path)


def test_there_are_no_class_hierarchies():
    allowed = {
        "NamedTuple",
        "Protocol",
        "Exception",
        "MemoryError",
        "UsageError",
        "MachineError",
        "FileIO",
        "StrEnum",
        "IntEnum",
        "Generic",
        "TyperCommand",
        "TyperGroup",
    }
    for path in FILES:
        for node in [node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]:
            bases = {base.value.id if isinstance(base, ast.Subscript) else base.id for base in node.bases}
            assert bases <= allowed, f"{module(path)}: {node.name} inherits"
