"""The list of faults that are provoked (docs/faults.py, docs/faults.md)."""

import importlib.util

import pytest
from helpers.shell import ROOT

DOCS = ROOT.parent / "docs"


@pytest.fixture(scope="module")
def faults():
    spec = importlib.util.spec_from_file_location("faults", DOCS / "faults.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_fault_of_the_list_has_tests_that_exist(faults):
    """docs/faults.py names them; docs/faults.md is its table."""
    assert len(faults.FAULTS) >= 25
    written = (DOCS / "faults.md").read_text()
    tests = "".join(path.read_text() for path in ROOT.rglob("test_*.py"))
    for number, (fault, happens, names) in enumerate(faults.FAULTS, start=1):
        assert f"| {number} | {fault} | {happens} |" in written
        assert names.split()
        for name in names.split():
            assert tests.count(f"def test_{name}(") == 1, name
    assert "(failed" not in written


def test_the_table_counts_the_cases_of_every_test_of_a_row(faults, tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "FAULTS", (("a fire", "it is put out", "burns smokes glows"),))
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    first.write_text(
        '<testsuites><testsuite><testcase classname="tests.process.test_fire" name="test_burns[a]"/>'
        '<testcase classname="tests.process.test_fire" name="test_burns[b]"><failure/></testcase>'
        '<testcase classname="tests.cli.test_smoke" name="test_smokes"><skipped/></testcase></testsuite></testsuites>'
    )
    (tmp_path / "second.xml").write_text(
        '<testsuite><testcase classname="test_fire" name="test_burns[a]"/></testsuite>'
    )
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    row = "| 1 | a fire | it is put out | `test_fire`, `test_smoke` | 1 of 4 (failed, not run, skipped) |"
    assert row in faults.table(faults.outcomes([first]))
    assert "| 1 of 3 (not run, skipped) |" in faults.table(faults.outcomes([first, second])), "the last file counts"
