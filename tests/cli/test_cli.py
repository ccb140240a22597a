"""The command line as a user meets it: its exit code, what it prints where, what it leaves."""

import json
import os
import subprocess
import sys

import pytest
from helpers.shell import SMALL, ebm, run_here

from ebmcli.core.units import KINDS
from ebmcli.planning import cells

FIRST = ["run", "--loss", "hinge", *SMALL, "--set", "chain_steps=2", "--name", "first"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder in which one run was made by a real process, and what that printed: (stdout, stderr)."""
    folder = tmp_path_factory.mktemp("cli")
    return folder, ebm(folder, *FIRST)


# --- run, sweep, show, report ----------------------------------------------------------------------------------------


def test_run_ends_with_a_table_and_says_where_things_lie(first):
    folder, (out, err) = first
    for word in ("moons", "hinge", "langevin", "promised", "gap", "verdict", "auroc", "kl"):
        assert word in out
    run = next((folder / "results" / "first" / "runs").iterdir())
    assert f"{run.relative_to(folder)}/result.json" in out
    assert f"{run.relative_to(folder)}/picture.png" in out
    assert (run / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "1/1" in err


def test_output_without_a_terminal_has_no_control_codes(first):
    _, (out, err) = first
    assert "\x1b" not in out + err


def test_show_knows_where_each_value_came_from(first):
    folder, _ = first
    found = json.loads(run_here(folder, "show", "hinge-langevin", "--json")[0])
    expected = {
        "loss": "command line", "sampler": "chosen for the loss and the task", "task": "default",
        "energy": "chosen for the task and the loss", "steps": "command line", "hidden": "command line",
        "lr": "default of task moons", "margin": "default of loss hinge", "seed": "default",
    }  # fmt: skip
    assert {name: found["origins"][name] for name in expected} == expected
    assert len(found["curves"]) == 21
    assert any(path.endswith("params.npz") for path in found["files"])


def test_json_alone_is_on_stdout_and_its_records_have_the_promised_keys(first):
    folder, _ = first
    out, err = ebm(folder, *FIRST, "--json")
    (record,) = json.loads(out)
    assert {"id", "status", "config", "metrics", "seconds", "provenance", "schema_version"} == record.keys()
    assert "already" in err
    assert set(record["seconds"]) == {"compile", "train", "evaluate"}
    promised = {"kl", "gap_q50", "violation_rate", "verdict", "verdict_reason", "energy_evaluations"}
    assert promised <= record["metrics"].keys()


@pytest.fixture(scope="module")
def of_a_file(tmp_path_factory):
    """A folder with the sweep x of the file x.toml, and what each command of its making printed."""
    folder = tmp_path_factory.mktemp("file")
    file, told = folder / "x.toml", {}
    file.write_text(
        'losses = ["log", "nll"]\nsamplers = ["uniform"]\nseeds = "0..1"\n'
        "hidden = 4\nlayers = 1\nnegatives = 4\nbatch_size = 8\nsteps = 20\n"
    )
    told["dry"] = run_here(folder, "sweep", "x.toml", "--dry-run")
    told["made nothing"] = not (folder / "results").exists()
    for name in ("first", "second"):
        told[name] = run_here(folder, "sweep", "x.toml", "--no-pictures")
    file.write_text(file.read_text().replace("0..1", "0..2"))
    told["third"] = run_here(folder, "sweep", "x.toml", "--no-pictures")
    return folder, told


def test_sweep_of_a_file_dry_and_then_twice(of_a_file):
    folder, told = of_a_file
    assert "2 runs in 1 programs, 2 refused" in told["dry"][0]
    assert "nll needs a sum over all answers" in told["dry"][0]
    assert told["made nothing"]
    assert "all there" not in told["first"][1]
    assert "all there" in told["second"][1]
    assert "2 of 3 runs are already" in told["third"][1]
    out, _ = run_here(folder, "report")
    assert "# x" in out
    assert "## Refused" in out


def test_an_unnamed_sweep_is_found_again_in_whatever_order_its_cells_are_said(tmp_path):
    """As by an older version, which listed the losses in another order."""
    small = ["--sampler", "uniform", "--steps", "5", "--set", "hidden=4", "--set", "layers=1", "--no-pictures"]
    run_here(tmp_path, "sweep", "--loss", "log,hinge", *small)
    _, err = run_here(tmp_path, "sweep", "--loss", "hinge,log", *small)
    assert "2 of 2 runs are already" in err
    run_here(tmp_path, "sweep", "--loss", "hinge", *small)
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_reports_are_the_same_twice_and_go_to_files(first):
    folder, _ = first
    (text, _), (again, _) = (run_here(folder, "report", "first") for _ in range(2))
    assert text == again
    assert "| hinge | langevin | 1 | 1 |" in text
    for options in ([], ["--no-pictures"]):
        assert run_here(folder, "report", "first", "--output", "r.md", *options)[0] == ""
        picture = "\n![moons: the runs of first side by side.](r_files/first-grid-moons.png)\n"
        assert (picture in (folder / "r.md").read_text()) == (not options)
        assert (folder / "r.md").read_text().replace(picture, "") == text
    assert (folder / "r_files" / "first-grid-moons.png").read_bytes()[:4] == b"\x89PNG"
    lines = run_here(folder, "report", "first", "--format", "csv")[0].splitlines()
    assert lines[0].startswith("task,loss,sampler,")
    assert lines[1].startswith("moons,hinge,langevin,")
    assert json.loads(run_here(folder, "report", "first", "--format", "json")[0])[0]["status"] == "done"


@pytest.mark.parametrize("what", KINDS.values())
def test_list_shows_every_unit_with_its_formula(tmp_path, what):
    listed = json.loads(run_here(tmp_path, "list", what, "--json")[0])
    text, _ = run_here(tmp_path, "list", what)
    assert len(listed) >= 2
    for unit in listed:
        assert unit["name"] in text
        assert unit["formula"] in text
        assert "hyperparameters" in unit


# --- wrong turns -----------------------------------------------------------------------------------------------------

RUN = ["run", "--loss", "hinge"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--loss", "hing"], ["unknown loss 'hing'", "did you mean hinge"]),
        (["run"], ["no loss is named", "hinge"]),
        ([*RUN, "--lr", "nan"], ["lr", "nan"]),
        ([*RUN, "--steps", "0"], ["steps: must be at least 1, found 0"]),
        (["run", "--loss", "nll", "--sampler", "langevin"], ["nll needs a sum over all answers", "quadrature"]),
        (["run", "--loss", "nll", "--margin", "2"], ["margin", "no run of this grid"]),
        ([*RUN, "--set", "margin"], ["--set 'margin'", "NAME=VALUE"]),
        ([*RUN, "--set", "margni=2"], ["did you mean margin"]),
        ([*RUN, "--name", "a", "--name", "b"], ["--name is said 2 times"]),
        ([*RUN, "--name", "a/b"], ["plain folder name"]),
        ([*RUN, "--name", ""], ["plain folder name"]),
        ([*RUN, "--los", "hinge"], ["--los", "--loss"]),
        ([*RUN, "--retry", "done"], ["unknown --retry 'done'", "failed, killed, diverged, none"]),
        ([*RUN, "--retry", "failed,nobody"], ["unknown --retry 'nobody'"]),
        ([*RUN, "--retry", "done", "--name", "x"], ["unknown --retry 'done'"]),
        ([*RUN, "--executor", "locl"], ["unknown --executor 'locl'", "did you mean local"]),
        ([*RUN, "--executor", "mars", "--name", "x"], ["unknown --executor 'mars'", "dask", "slurm"]),
        ([*RUN, "--executor", "local", "--scheduler", "tcp://127.0.0.1:1"], ["--scheduler", "--executor dask"]),
        ([*RUN, "--executor", "local", "--job", "a=1", "--name", "x"], ["--job", "--executor slurm"]),
        ([*RUN, "--executor", "slurm", "--job", "a"], ["--job 'a'", "NAME=VALUE"]),
        ([*RUN, "--executor", "slurm", "--job", "a=", "--name", "x"], ["--job 'a='", "NAME=VALUE"]),
        ([*RUN, "--timeout", "0"], ["--timeout"]),
        ([*RUN, "--devices", "0"], ["--devices"]),
        (["run", "--repeat", "nobody"], ["nobody"]),
        (["sweep", "none.toml"], ["none.toml", "No such file"]),
        (["sweep", "--loss", "all", "--seeds", "0..99999"], ["more than 10,000 runs", "--yes"]),
        (["sweep", "--loss", "hinge", "--retry", "done"], ["unknown --retry 'done'"]),
        (["report", "nothing"], ["nothing"]),
        (["report", "--format", "pdf"], ["unknown format 'pdf'"]),
        (["plot"], ["no results in results/", "ebm run"]),
        (["plot", "--output", "page.gif"], ["no results"]),
        (["list", "loses"], ["did you mean losses"]),
    ],
)
def test_wrong_turns_end_with_a_sentence_and_exit_code_2(tmp_path, arguments, words):
    """And leave nothing behind."""
    out, err = run_here(tmp_path, *arguments, code=2)
    assert "Traceback" not in err
    assert out == ""
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == []


def test_no_slurm_is_a_sentence_that_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _, err = run_here(tmp_path, *RUN, "--executor", "slurm", code=2)
    assert "--executor slurm: no sbatch here" in err
    assert list(tmp_path.iterdir()) == []


def test_a_grid_of_a_million_cells_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.delattr(cells, "cell")  # it is refused before any cell is made, which would take minutes
    axes = ["--loss", "hinge", "--seeds", "0..99999", "--margin", "1,2,3,4,5,6,7,8,9,10"]
    _, err = run_here(tmp_path, "sweep", *axes, code=2)
    assert "the grid has 1,000,000 runs, at 2 seconds each 556 hours on a core" in err
    assert "--yes" in err
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_written_are_exit_code_1(tmp_path):
    (tmp_path / "results").write_text("in the way")
    _, err = run_here(tmp_path, "run", "--loss", "hinge", code=1)
    assert "Traceback" not in err
    assert "results" in err


def test_a_real_process_ends_with_the_sentence_and_the_code_of_its_fault(tmp_path):
    """The way out of the interpreter, of which the tests above see nothing."""
    out, err = ebm(tmp_path, "run", "--loss", "hing", code=2)
    assert out == ""
    assert err.startswith("ebm: unknown loss 'hing'")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "results").write_text("in the way")
    _, err = ebm(tmp_path, "run", "--loss", "hinge", code=1)
    assert err.startswith("ebm: results")
    assert len(err.splitlines()) == 1


# --- locales, pipes, imports -----------------------------------------------------------------------------------------


def test_a_plain_locale_and_a_closed_pipe_do_no_harm(first):
    folder, _ = first
    ebm(folder, "report", "first", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="")
    piped = subprocess.run(
        f"{sys.executable} -m ebmcli report first | head -1", shell=True, cwd=folder, capture_output=True, text=True
    )
    assert (piped.stdout, piped.stderr) == ("# first\n", "")


ALONE = ("jax", "jaxlib", "flax", "optax", "matplotlib", "pandas", "scipy.stats")  # take longer than all else
# Runs the commands of its arguments, each a JSON list, and prints after each what it has imported so far.
IMPORTS = """
import contextlib, io, json, sys
from ebmcli.cli.app import app
told = []
for command in map(json.loads, sys.argv[2:]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            app(command)
        except SystemExit as end:
            code = end.code or 0
    told.append([code, [name for name in json.loads(sys.argv[1]) if name in sys.modules], out.getvalue()])
print(json.dumps(told))
"""


def imported_by(folder, *commands):
    """(exit code, heavy modules imported so far, stdout) of each of these commands, one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, json.dumps(ALONE), *(json.dumps(one.split()) for one in commands)],
        cwd=folder, capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_heavy_is_imported_to_help_to_list_or_to_report(of_a_file, first):
    folder, _ = of_a_file
    commands = ["--help", "list losses", "report x", "sweep x.toml --help", "status", "compare x x", "export"]
    commands += [f"report x --format {format} --baseline log" for format in ("html", "latex", "csv")]
    for command, (code, heavy, _) in zip(commands, imported_by(folder, *commands), strict=True):
        assert (code, heavy) == (0, []), command


def test_a_page_is_drawn_of_what_a_run_left_without_jax(first):
    folder, _ = first
    ((code, heavy, out),) = imported_by(folder, "plot first")
    assert (code, out) == (0, "results/first/grid-moons.png\n")
    assert not {"jax", "jaxlib", "flax", "optax"} & set(heavy)
    assert (folder / "results" / "first" / "grid-moons.png").read_bytes()[:4] == b"\x89PNG"
