"""Experiment files say what flags say; a fault names file, line and key."""

import os

import pytest

from ebmcli.core.errors import UsageError
from ebmcli.planning import experiment_file
from ebmcli.planning.cells import cells


def load(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return experiment_file.load(path)


def test_a_file_says_what_flags_say(tmp_path):
    loaded = load(
        tmp_path,
        'losses = ["hinge", "nll"]\ntasks = "moons, letters"\nseeds = "0..1"\nlr = [0.1, 0.2]\n'
        "[loss.hinge]\nmargin = 2.0\n[task.letters]\nlr = 0.3\nprotocol = 'large'\n"
        "[sampler.langevin]\nchain_steps = 3\n",
    )
    configs = [cell.config for cell in cells(loaded)[0]]
    assert len(configs) == 2 * 2 * 2 + 2 * 2
    assert {c["margin"] for c in configs if c["loss"] == "hinge"} == {2.0}
    assert {c["lr"] for c in configs if c["task"] == "letters"} == {0.3}
    assert {c["protocol"] for c in configs if c["task"] == "letters"} == {"large"}
    assert {c["lr"] for c in configs if c["task"] == "moons"} == {0.1, 0.2}
    assert {c["chain_steps"] for c in configs if c["sampler"] == "langevin"} == {3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("losses = ['hinge']\nlosses = ['nll']\n", ["line 2", "overwrite"]),
        ("losses = ['hinge']\nstep = 3", ["line 2", "step", "did you mean steps"]),
        ("\nlosses = ['hing']", ["line 2", "did you mean hinge"]),
        ("losses = ['hinge']\nlr = 'x'", ["line 2", "lr", "number"]),
        ("losses = ['hinge']\n[loss.hinge]\nmargn = 1", ["line 3", "did you mean margin"]),
        ("losses = ['hinge']\n[loss.hing]\nmargin = 1", ["line 2", "did you mean hinge"]),
        ("losses = ['hinge']\n[los.hinge]\nmargin = 1", ["line 2", "los"]),
        ("losses = ['hinge']\nbatch-size = 4\nbatch_size = 4", ["line 2", "stands twice"]),
        ("losses = ['hinge']\nloss = {hinge = 3}", ["line 2", "[loss.NAME]"]),
        ("\ufefflosses = ['hinge']", ["line 1", "byte-order mark"]),
        (b"losses = ['hinge'] # \xff", ["line 1", "UTF-8"]),
        ("losses = [", ["x.toml"]),
        ("losses = []", ["line 1", "empty"]),
        ("losses = ['hinge']\n\n[losses.hinge]\nmargin = 2", ["line 3", "did you mean [loss.hinge]?"]),
        ("tasks = ['moons']\n[losses.hinge]\nmargin = 2", ["line 2", "did you mean [loss.hinge]?"]),
        ("[hinge]\nmargin = 2", ["line 1", "did you mean [loss.hinge]?"]),
        ("losses = ['hinge']\n[foo]\nmargin = 2", ["line 2", "unknown table '[foo]': known: [loss.NAME], "]),
        ("loss = 'hinge'", ["line 1", "did you mean losses?"]),
        ("energy = 'mlp'", ["line 1", "did you mean energies?"]),
        ("losses = 'hinge'\nlearning_rate = 1", ["line 2", "did you mean lr?"]),
        ("losses = 'hinge'\n[task.moons]\nepochs = 1", ["line 3", "did you mean steps?"]),
        ("losses = 'cross-entropy'", ["line 1", "did you mean nll?"]),
        ("losses = 'hinge'\nseeds = '0-4'", ["line 2", "a range is written 0..4"]),
        ("losses = 'hinge'\noptimizer = '0123'", ["line 2", "found '0123'"]),
        ("losses = hinge", ["line 1", "invalid value: text stands in quotes"]),
        ("losses = 'hinge'\nlr 3", ["line 2", "a line is NAME = VALUE"]),
        ("losses = 'hinge'\n[loss.hinge]\n[loss.hinge]", ["line 3", "this table stands twice"]),
        ("lr = " + "[" * 5000 + "]" * 5000, ["more than 32 levels"]),
        ("lr = " + "[" * 40 + "]" * 40, ["more than 32 levels"]),
        ("a" + ".a" * 500_000 + " = 1", ["more than 32 levels"]),
        ("['a'" + ' . "a"' * 50_000 + "]", ["more than 32 levels"]),
        ("lr = {" + "a = {" * 40 + "}" * 41, ["more than 32 levels"]),
        ("losses = ['hinge']\nsteps = " + "9" * 5000, ["4300 digits"]),
        ("losses = ['hinge']\nsteps = 0x" + "f" * 5000, ["20,000 bits"]),
        ("losses = ['hinge']\nsteps = 0b" + "1" * 900, ["line 2", "steps"]),
    ],
)
def test_faults_of_a_file_name_file_line_and_key(tmp_path, text, words):
    with pytest.raises(UsageError) as error:
        load(tmp_path, text)
    assert "x.toml" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_dots_in_values_are_no_nesting(tmp_path):
    rates = ", ".join(f"{number}.5" for number in range(1, 60))
    assert len(cells(load(tmp_path, f"losses = ['hinge']\nlr = [{rates}] # {'a.' * 20}"))[0]) == 59


def test_what_is_no_file_of_a_sane_size(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "huge.toml").touch()
    os.truncate(tmp_path / "huge.toml", 2**40)
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for path in [tmp_path / "none.toml", tmp_path, *tmp_path.iterdir()]:
        with pytest.raises(UsageError, match=str(path)):
            experiment_file.load(path)
