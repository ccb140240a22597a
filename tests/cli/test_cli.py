"""The command line as a user meets it: a real process, its exit code, what it prints where."""

import json
import os
import subprocess
import sys

import pytest

TINY = ["--steps", "30", "--batch-size", "16", "--set", "hidden=8", "--set", "negatives=16", "--set", "chain_steps=2"]


def ebm(*arguments, cwd, **environment):
    """Run the command; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "ebmcli", *arguments],
        cwd=cwd, capture_output=True, text=True, env=os.environ | environment, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder in which one run was made, and what the command printed."""
    folder = tmp_path_factory.mktemp("cli")
    done = ebm("run", "--loss", "hinge", *TINY, "--name", "first", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_run_ends_with_a_table_and_says_where_things_lie(here):
    folder, done = here
    for word in ("moons", "hinge", "langevin", "promised", "gap", "verdict", "auroc", "kl"):
        assert word in done.stdout
    run = next((folder / "results" / "first" / "runs").iterdir())
    assert f"{run.relative_to(folder)}/result.json" in done.stdout
    assert f"{run.relative_to(folder)}/picture.png" in done.stdout
    assert (run / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "1/1" in done.stderr


def test_show_knows_where_each_value_came_from(here):
    folder, _ = here
    found = json.loads(ebm("show", "hinge-langevin", "--json", cwd=folder).stdout)
    origins = {name: found["origins"][name] for name in ("loss", "sampler", "steps", "hidden", "lr", "margin", "seed")}
    assert origins == {
        "loss": "command line", "sampler": "chosen for the loss and the task", "steps": "command line",
        "hidden": "command line", "lr": "default of task moons", "margin": "default of loss hinge", "seed": "default",
    }  # fmt: skip
    assert len(found["curves"]) == 21
    assert any(path.endswith("params.npz") for path in found["files"])


def test_json_alone_is_on_stdout_and_its_records_have_the_promised_keys(here):
    folder, _ = here
    done = ebm("run", "--loss", "hinge", *TINY, "--name", "first", "--json", cwd=folder)
    (record,) = json.loads(done.stdout)
    assert {"id", "status", "config", "metrics", "seconds", "provenance", "schema_version"} == record.keys()
    assert "already" in done.stderr
    assert set(record["seconds"]) == {"compile", "train", "evaluate"}
    assert {"kl", "gap_q50", "violation_rate", "verdict", "verdict_reason", "energy_evaluations"} <= record[
        "metrics"
    ].keys()


def test_sweep_of_a_file_dry_and_then_twice(here):
    folder, _ = here
    (folder / "x.toml").write_text(
        'losses = ["log", "nll"]\nsamplers = ["uniform"]\nseeds = "0..1"\nhidden = 8\nsteps = 30\n'
    )
    dry = ebm("sweep", "x.toml", "--dry-run", cwd=folder)
    assert dry.returncode == 0
    assert "2 runs in 1 programs, 2 refused" in dry.stdout
    assert "nll needs a sum over all answers" in dry.stdout
    assert not (folder / "results" / "x").exists()
    first, second = (ebm("sweep", "x.toml", cwd=folder) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "all there" in second.stderr
    (folder / "x.toml").write_text((folder / "x.toml").read_text().replace("0..1", "0..2"))
    third = ebm("sweep", "x.toml", cwd=folder)
    assert "2 of 3 runs are already" in third.stderr
    report = ebm("report", cwd=folder)
    assert "# x" in report.stdout
    assert "## Refused" in report.stdout


def test_reports_are_the_same_twice_and_go_to_files(here):
    folder, _ = here
    first, second = (ebm("report", "first", cwd=folder) for _ in range(2))
    assert first.stdout == second.stdout
    assert "| hinge | langevin | 1 | 1 |" in first.stdout
    for options in ([], ["--no-pictures"]):
        assert ebm("report", "first", "--output", "r.md", *options, cwd=folder).stdout == ""
        picture = "\n![moons: the runs of first side by side.](r_files/first-grid-moons.png)\n"
        assert (picture in (folder / "r.md").read_text()) == (not options)
        assert (folder / "r.md").read_text().replace(picture, "") == first.stdout
    assert (folder / "r_files" / "first-grid-moons.png").read_bytes()[:4] == b"\x89PNG"
    lines = ebm("report", "first", "--format", "csv", cwd=folder).stdout.splitlines()
    assert lines[0].startswith("task,loss,sampler,")
    assert lines[1].startswith("moons,hinge,langevin,")
    assert json.loads(ebm("report", "first", "--format", "json", cwd=folder).stdout)[0]["status"] == "done"


def test_a_page_is_drawn_of_what_a_run_left_without_jax(here):
    folder, _ = here
    code = "import sys; from ebmcli import cli\ntry: cli.main()\nfinally: print('jax' in sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "plot", "first"], cwd=folder, capture_output=True, text=True
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "results/first/grid-moons.png\n"), done.stderr
    assert done.stderr == "False\n"
    assert (folder / "results" / "first" / "grid-moons.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--loss", "hing"], ["unknown loss 'hing'", "did you mean hinge"]),
        (["run"], ["no loss is named", "hinge"]),
        (["run", "--loss", "hinge", "--lr", "nan"], ["lr", "nan"]),
        (["run", "--loss", "hinge", "--steps", "0"], ["steps", "greater than or equal to 1"]),
        (["run", "--loss", "nll", "--sampler", "langevin"], ["nll needs a sum over all answers", "quadrature"]),
        (["run", "--loss", "nll", "--margin", "2"], ["margin", "no run of this grid"]),
        (["run", "--loss", "hinge", "--set", "margin"], ["name=value"]),
        (["run", "--loss", "hinge", "--set", "margni=2"], ["did you mean margin"]),
        (["run", "--loss", "hinge", "--margin", "1", "--set", "margin=2"], ["margin is given twice"]),
        (["run", "--loss", "hinge", "--name", "a/b"], ["plain folder name"]),
        (["run", "--los", "hinge"], ["--los", "--loss"]),
        (["sweep", "none.toml"], ["none.toml", "No such file"]),
        (["sweep", "--loss", "all", "--seeds", "0..99999"], ["more than 10,000 runs", "--yes"]),
        (["report", "nothing"], ["nothing"]),
        (["report", "--format", "pdf"], ["unknown format 'pdf'"]),
        (["plot"], ["no results in results/", "ebm run"]),
        (["plot", "--output", "page.gif"], ["no results"]),
        (["list", "loses"], ["did you mean losses"]),
    ],
)
def test_wrong_turns_end_with_a_sentence_and_exit_code_2(tmp_path, arguments, words):
    done = ebm(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_written_are_exit_code_1(tmp_path):
    (tmp_path / "results").write_text("in the way")
    done = ebm("run", "--loss", "hinge", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "results" in done.stderr


@pytest.mark.parametrize("what", ["losses", "samplers", "tasks", "energies"])
def test_list_shows_every_unit_with_its_formula(tmp_path, what):
    listed = json.loads(ebm("list", what, "--json", cwd=tmp_path).stdout)
    text = ebm("list", what, cwd=tmp_path).stdout
    assert len(listed) >= 2
    for unit in listed:
        assert unit["name"] in text
        assert unit["formula"] in text
        assert "hyperparameters" in unit


def test_output_without_a_terminal_has_no_control_codes(here):
    _, done = here
    assert "\x1b" not in done.stdout + done.stderr


def test_a_plain_locale_and_a_closed_pipe_do_no_harm(here):
    folder, _ = here
    plain = ebm("report", "first", cwd=folder, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="")
    assert plain.returncode == 0, plain.stderr
    piped = subprocess.run(
        f"{sys.executable} -m ebmcli report first | head -1", shell=True, cwd=folder, capture_output=True, text=True
    )
    assert (piped.stdout, piped.stderr) == ("# first\n", "")


def test_nothing_heavy_is_imported_to_help_to_list_or_to_report(here):
    folder, _ = here
    code = (
        "import sys; from ebmcli.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = ('jax', 'jaxlib', 'flax', 'optax', 'matplotlib', 'pandas', 'scipy.stats')\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    commands = ["--help", "list losses", "report first", "sweep x.toml --help", "status", "compare first x", "export"]
    commands += [f"report x --format {format} --baseline log" for format in ("html", "latex", "csv")]
    for command in [one.split() for one in commands]:
        done = subprocess.run([sys.executable, "-c", code, *command], cwd=folder, capture_output=True, text=True)
        assert done.stderr.strip().splitlines()[-1] == "[]", (command, done.stderr)
