"""What a newcomer types: options twice, words of other programs, words without a flag: a sentence answers each."""

import json

import pytest
from helpers.shell import run_here
from typer.main import get_command

from ebmcli.cli.app import app
from ebmcli.cli.parsing import Command
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.planning.values import names_of_others, parameters

GROUP = get_command(app)
DRY = ["sweep", "--dry-run", "--json"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder in which nothing is made."""
    folder = tmp_path_factory.mktemp("here")
    yield folder
    assert list(folder.iterdir()) == []


def sentence(folder, *arguments):
    """The sentence that answers these arguments."""
    out, err = run_here(folder, *arguments, code=2)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("ebm: ")
    return err[5:-1]


def planned(folder, *arguments):
    """The configurations of the cells of a sweep of these arguments."""
    return [cell["config"] for cell in json.loads(run_here(folder, *DRY, *arguments)[0])]


# --- twice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GROUP.commands)
def test_an_option_of_every_command_is_a_list_or_is_said_once(here, name):
    """Whatever command and option are added."""
    command = GROUP.commands[name]
    assert isinstance(command, Command)
    for option in [one for one in command.params if one.param_type_name == "option"]:
        said = [option.opts[0]] if option.is_flag else [option.opts[0], "1"]
        if not option.multiple:
            flags = " or ".join([*option.opts, *option.secondary_opts])
            assert sentence(here, name, *said, *said) == f"{flags} is said 2 times: say it once"
    assert sentence(here, "--debug", "--debug", name) == "--debug is said 2 times: say it once"


def test_a_list_that_is_said_in_parts_is_one_list(here):
    said = planned(here, "--loss", "hinge", "--loss=log", "--seeds", "0", "--seeds", "2..3")
    assert [(one["loss"], one["seed"]) for one in said] == [(a, b) for a in ("hinge", "log") for b in (0, 2, 3)]


@pytest.mark.parametrize(
    "said",
    [
        ["--margin", "1,2,3"], ["--margin", "1", "--margin", "2,3"], ["--set", "margin=1", "--set", "margin=2,3"],
        ["--set", "margin=2", "--set", "margin=3", "--margin", "1"],
    ],
)  # fmt: skip
def test_a_hyperparameter_is_a_list_however_it_is_said(here, said):
    assert [one["margin"] for one in planned(here, "--loss", "hinge", *said)] == [1.0, 2.0, 3.0]


def test_what_is_one_number_or_stands_twice_is_refused_in_parts_too(here):
    assert "one number for all runs" in sentence(here, *DRY, "--loss", "log", "--budget", "9999", "--budget", "8888")
    assert "seed: 1 stands twice" in sentence(here, *DRY, "--loss", "log", "--seeds", "1", "--seeds", "1")


def test_parts_of_a_choice_of_runs_to_run_again(here):
    assert "unknown --retry 'x'" in sentence(here, "run", "--loss", "log", "--retry", "failed", "--retry", "x")


@pytest.mark.parametrize(("seeds", "warned"), [("5", True), ("2", True), ("0", False), ("1", False), ("0..4", False)])
def test_one_seed_is_no_number_of_seeds(here, seeds, warned):
    out, _ = run_here(here, "sweep", "--dry-run", "--loss", "log", "--seeds", seeds)
    assert (f"seeds: {seeds} is one seed, not {seeds} of them, which would be 0..{int(seeds[0]) - 1}" in out) == warned


def test_one_seed_of_a_file_is_no_number_of_seeds(tmp_path):
    (tmp_path / "x.toml").write_text("losses = 'log'\nseeds = 3\n")
    out, _ = run_here(tmp_path, "sweep", "x.toml", "--dry-run")
    assert "3 is one seed, not 3 of them, which would be 0..2" in out


# --- words of other programs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "hinge"], "'hinge' stands without a flag: say --loss hinge"),
        (["run", "--loss", "hinge", "log"], "'log' stands without a flag: say --loss log, and a list as"),
        (["run", "sgld"], "say --sampler langevin"),
        (
            ["run", "--loss", "log", "--seeds", "0", "1", "2"],
            "'1' stands without a flag: a list is written with commas",
        ),
        (["run", "x.toml"], "takes no file: say `ebm sweep x.toml`"),
        (["sweep", "hinge"], "No such file or directory; say --loss hinge"),
        (["train"], "did you mean `ebm run`?"),
        (["rnu"], "did you mean `ebm run`?"),
        (["ls"], "did you mean `ebm list`?"),
        (["help"], "did you mean `ebm --help`?"),
        (["hinge"], "say `ebm run --loss hinge`"),
        (["sgld"], "say `ebm run --loss LOSS --sampler langevin`"),
        (["x.toml"], "say `ebm sweep x.toml`"),
        (["x" * 5000], "is no command: known: run, sweep"),
        (["run", "--learning-rate", "1"], "did you mean --lr?"),
        (["run", "--learning_rate=1"], "did you mean --lr?"),
        (["run", "--epochs", "1"], "did you mean --steps?"),
        (["run", "--n-steps", "1"], "did you mean --steps?"),
        (["run", "--batch", "1"], "did you mean --batch-size?"),
        (["run", "--seed", "1"], "did you mean --seeds?"),
        (["run", "--dataset", "moons"], "did you mean --task?"),
        (["run", "--model", "mlp"], "did you mean --energy?"),
        (["run", "--workers", "1"], "did you mean --devices?"),
        (["run", "--output-dir", "x"], "did you mean --results?"),
        (["run", "-loss", "hinge"], "-loss is no option of `ebm run`: did you mean --loss?"),
        (["run", "--optimizer", "adam"], "say --set optimizer=VALUE"),
        (["run", "--hidden", "1"], "say --set hidden=VALUE"),
        (["run", "--width=1"], "say --set hidden=VALUE"),
        (["report", "--hidden", "1"], "--hidden is no option of `ebm report`: `ebm report -h` lists them"),
        (["run", "--xyzzy"], "--xyzzy is no option of `ebm run`: `ebm run -h` lists them"),
        (["list", "--format"], "--format needs a value"),
        (["run", "--yes=1"], "--yes takes no value"),
        (["run", "--devices", "x"], "--devices: must be a valid integer, found 'x'"),
        (["run", "--devices", "0"], "--devices: must be greater than or equal to 1, found '0'"),
        (["show"], "`ebm show` needs RUN"),
        (["list", "losses", "tasks"], "`ebm list` takes no word 'tasks'"),
        (["run", "--loss", "cross-entropy"], "unknown loss 'cross-entropy': did you mean nll?"),
        (["run", "--loss", "CrossEntropy"], "unknown loss 'CrossEntropy': did you mean nll?"),
        (["run", "--loss", "TripletMarginLoss"], "did you mean hinge?"),
        (["run", "--loss", "contrastive"], "did you mean infonce or square-square?"),
        (["run", "--loss", "contrastive-divergence"], "did you mean ml? --sampler takes cd; known: "),
        (["run", "--loss", "triplet"], "did you mean hinge?"),
        (["run", "--loss", "sgld"], "unknown loss 'sgld': --sampler takes langevin; known: "),
        (["run", "--loss", "mcmc"], "--sampler takes langevin, mala or hmc; known: "),
        (["run", "--loss", "log", "--sampler", "SGLD"], "unknown sampler 'SGLD': did you mean langevin?"),
        (["run", "--loss", "log", "--task", "two_moons"], "unknown task 'two_moons': did you mean moons?"),
        (["run", "--loss", "xyzzy"], "unknown loss 'xyzzy': known: energy, "),
        (["run", "--loss", "log", "--set", "learning_rate=1"], "did you mean lr? `ebm list` shows all"),
        (["run", "--loss", "log", "--set", "xyzzy=1"], "more, see `ebm list`"),
        (["run", "--loss", "log", "--set", "slurm_account=0123"], "say --job slurm_account=0123"),
        (["run", "--loss", "log", "--set", "optimizer=0123"], "found '0123'"),
        (["run", "--loss", "log", "--seeds", "0-4"], "'0-4' is no value: a range is written 0..4, both ends included"),
        (["run", "--loss", "log", "--seeds", "0:4"], "a range is written 0..4"),
        (["run", "--loss", "log", "--lr", "9" * 5000], "found '999"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(here, arguments, words):
    said = sentence(here, *arguments)
    assert words in said
    assert len(said) < 700


@pytest.mark.parametrize("command", [[], *([name] for name in GROUP.commands)])
def test_help_has_a_short_flag(here, command):
    assert run_here(here, *command, "-h") == run_here(here, *command, "--help")


def test_what_others_call_a_unit_is_the_name_of_none_and_a_word():
    for kind in KINDS:
        for unit in units(kind).values():
            for word in unit.also:
                assert word == word.lower()
                assert word not in units(kind)
    known = {name.replace("_", "-") for name in parameters()}
    for name, words in names_of_others().items():
        assert not {*words} & known, name


def test_a_dry_run_of_run_makes_nothing(here):
    out, _ = run_here(here, "run", "--loss", "log", "--dry-run")
    assert "1 runs in 1 programs, 0 refused" in out
