"""What a shell offers where a name is asked for, without the wait for jax or for other heavy modules."""

import json
import os
import subprocess
import sys

import pytest
from helpers.made_up import seeds, written
from helpers.shell import ROOT

OFFERED = {
    "run --loss hin": ["hinge"],
    "run --loss hinge,lo": ["hinge,log"],
    "run --loss hinge,hin": [],
    "sweep --sampler lang": ["langevin"],
    "sweep --energy def": ["default"],
    "run --task moo": ["moons"],
    "report sec": ["second"],
    "compare first se": ["second"],
    "show hinge-pcd-moons-s1": ["hinge-pcd-moons-s1"],
    "report --format h": ["html"],
    "export --to t": ["tensorboard"],
    "check square-e": ["square-exp"],
}
# A shell asks in a process of its own each time; here one process is asked one question after the other.
ASK = """
import contextlib, io, json, os, sys
from ebmcli.cli import app
def offered(words):
    place = str(words.count(" ") + 1)
    os.environ |= {"_EBM_COMPLETE": "complete_bash", "COMP_WORDS": f"ebm {words}", "COMP_CWORD": place}
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        app.app(prog_name="ebm")
    heavy = [name for name in ("jax", "pandas", "matplotlib", "rich") if name in sys.modules]
    return [out.getvalue().split(), heavy]
print(json.dumps({words: offered(words) for words in json.loads(sys.argv[1])}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """{words: [what is offered, heavy modules that were imported]} where two sweeps are."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "results").mkdir()
    written(folder / "results" / "first", seeds("hinge", "pcd", [0.1, 0.2]))
    written(folder / "results" / "second", seeds("log", "pcd", [0.1]))
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(list(OFFERED))],
        cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("words", OFFERED)
def test_names_are_completed_without_what_is_slow_to_import(answers, words):
    offered, heavy = answers[words]
    assert offered == OFFERED[words]
    assert heavy == []
