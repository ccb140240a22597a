"""From flags and files to resolved configurations; bad input is a sentence."""

import pytest

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.planning import config, experiment_file, plan, values
from ebmcli.planning.config import grid


def resolve(settings=None, **axes):
    found, _ = config.cells(config.grid(axes, settings or {}))
    return found


def test_one_flag_is_enough_and_everything_is_resolved():
    (cell,) = resolve(loss="hinge")
    assert cell == {
        "task": "moons", "loss": "hinge", "sampler": "langevin", "energy": "mlp", "seed": 0,
        "steps": 2000, "batch_size": 256, "lr": 5e-3, "beta": 1.0, "weight_decay": 0.0,
        "optimizer": "adam", "schedule": "cosine", "hidden": 64, "layers": 3, "head": "free",
        "negatives": 256, "chain_steps": 10, "step_size": 0.1, "chain_precision": "float32", "margin": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("task", "loss", "distance", "sampler", "resolved"),
    [
        ("moons", "energy", None, "none", None),
        ("moons", "nll", None, "quadrature", None),
        ("moons", "perceptron", None, "quadrature", None),
        ("moons", "log", None, "langevin", None),
        ("letters", "energy", None, "none", "constant"),
        ("letters", "nll", None, "exhaustive", "constant"),
        ("letters", "perceptron", None, "exhaustive", "constant"),
        ("letters", "log", None, "most-offending", "constant"),
        ("letters", "hinge", None, "loss-augmented", "hamming"),
        ("letters", "square-square", "hamming", "loss-augmented", "hamming"),
        ("letters", "hinge", "constant", "most-offending", "constant"),
        ("words", "hinge", None, "most-offending", "constant"),
        ("words", "hinge", "edit", "loss-augmented", "edit"),
        ("words", "log", None, "most-offending", "constant"),
        ("handwriting", "hinge", None, "n-best", "constant"),
        ("handwriting", "square-square", "edit", "loss-augmented", "edit"),
    ],
)
def test_default_negatives_and_margin_distance(task, loss, distance, sampler, resolved):
    (cell,) = resolve({"margin_distance": distance} if distance else {}, task=task, loss=loss)
    assert (cell["sampler"], cell.get("margin_distance")) == (sampler, resolved)


def test_the_margin_distance_follows_the_negatives_that_are_asked_for():
    plain, augmented = resolve(task="letters", loss="hinge", sampler="most-offending,loss-augmented")
    assert (plain["margin_distance"], augmented["margin_distance"]) == ("constant", "hamming")
    plain, augmented = resolve(task="words", loss="hinge", sampler="most-offending,loss-augmented")
    assert (plain["margin_distance"], augmented["margin_distance"]) == ("constant", "edit")


def test_lists_and_ranges_multiply_and_duplicates_are_dropped():
    cells = resolve({"lr": "0.1,1e-3", "margin": [1, 2.0]}, loss="hinge,nll", seed="0..2")
    assert len(cells) == 3 * 2 * 2 + 3 * 2  # nll has no margin
    cells, dropped = config.cells(config.grid({"loss": "hinge,hinge"}, {}))
    assert (len(cells), dropped) == (1, 1)


def test_the_id_depends_on_the_configuration_alone():
    (first,), (same,) = resolve({"margin": 1}, loss="hinge"), resolve({"margin": "1.0"}, loss="hinge")
    (other,) = resolve({"margin": 2}, loss="hinge")
    assert config.run_id(first) == config.run_id(dict(reversed(same.items()))) != config.run_id(other)
    assert config.run_id(first).startswith("hinge-langevin-moons-s0-")


def test_names_of_hyperparameters_mean_one_thing():
    owners = {}
    for kind in registry.KINDS:
        for unit in registry.units(kind).values():
            for name in unit.parameters:
                owners.setdefault(name, set()).add(kind)
    for name in config.SETTINGS:
        owners.setdefault(name, set()).add("training")
    assert {name: kinds for name, kinds in owners.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_default_lies_in_its_range(kind):
    for unit in registry.units(kind).values():
        for one in unit.parameters.values():
            assert values.checked(one, one.default) == one.default


@pytest.mark.parametrize(
    ("settings", "axes", "words"),
    [
        ({"lr": "nan"}, {}, ["lr", "finite", "nan"]),
        ({"lr": "inf"}, {}, ["lr", "finite"]),
        ({"lr": "-1"}, {}, ["lr", "greater than or equal to 0.000000000001", "-1"]),
        ({"lr": "1e-400"}, {}, ["lr", "greater than or equal to 0.000000000001"]),
        ({"lr": "fast"}, {}, ["lr", "number", "'fast'"]),
        ({"margin": "nan"}, {}, ["margin", "finite"]),
        ({"steps": "5.0"}, {}, ["steps", "integer", "5.0"]),
        ({"steps": "0"}, {}, ["steps", "greater than or equal to 1"]),
        ({"steps": str(10**22)}, {}, ["steps", "less than or equal to"]),
        ({"steps": True}, {}, ["steps", "integer"]),
        ({"margni": 1}, {}, ["margni", "did you mean margin"]),
        ({"optimizer": "adma"}, {}, ["optimizer", "'adam' or 'sgd'"]),
        ({"fold": 3}, {}, ["fold", "no run of this grid", "letters"]),
        (
            {"margin_distance": "hamming"},
            {"task": "letters", "loss": "nll"},
            ["margin_distance", "no run of this grid"],
        ),
        ({}, {"loss": "hing"}, ["hing", "did you mean hinge"]),
        ({}, {"task": "mooons"}, ["did you mean moons"]),
        ({}, {"sampler": "pdc"}, ["did you mean pcd"]),
        ({}, {"seed": "0,0"}, ["0 stands twice"]),
        ({}, {"seed": "-1"}, ["seed", "greater than or equal to 0"]),
        ({}, {"seed": str(2**32)}, ["seed", "less than or equal to"]),
        ({}, {"seed": "4..0"}, ["upwards", "0..4"]),
        ({}, {"loss": ""}, ["empty"]),
        ({"lr": []}, {}, ["lr", "empty"]),
    ],
)
def test_bad_values_are_answered_with_a_sentence(settings, axes, words):
    with pytest.raises(UsageError) as error:
        resolve(settings, **({"loss": "hinge"} | axes))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


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
    cells, _ = config.cells(loaded)
    assert len(cells) == 2 * 2 * 2 + 2 * 2
    assert {c["margin"] for c in cells if c["loss"] == "hinge"} == {2.0}
    assert {c["lr"] for c in cells if c["task"] == "letters"} == {0.3}
    assert {c["lr"] for c in cells if c["task"] == "moons"} == {0.1, 0.2}
    assert {c["chain_steps"] for c in cells if c["sampler"] == "langevin"} == {3}


def test_a_flag_wins_over_the_file_and_its_tables(tmp_path):
    loaded = load(tmp_path, 'losses = ["hinge"]\nlr = 0.1\n[loss.hinge]\nmargin = 2.0\n')
    (cell,), _ = config.cells(config.grid({"seed": "7"}, {"margin": "3", "lr": "0.5"}).over(loaded))
    assert (cell["margin"], cell["lr"], cell["seed"]) == (3.0, 0.5, 7)


def test_tables_of_a_loss_or_a_task_may_name_their_samplers_and_a_flag_wins(tmp_path):
    text = (
        'losses = ["hinge", "energy"]\ntasks = ["moons", "letters"]\nsamplers = ["uniform", "pcd"]\n'
        '[loss.energy]\nsamplers = ["none"]\n[task.letters]\nsamplers = ["default"]\n'
    )
    loaded = load(tmp_path, text)
    cells, _ = config.cells(loaded)
    assert [(c["task"], c["loss"], c["sampler"]) for c in cells] == [
        ("moons", "hinge", "uniform"), ("moons", "hinge", "pcd"), ("moons", "energy", "none"),
        ("letters", "hinge", "loss-augmented"), ("letters", "energy", "none"),
    ]  # fmt: skip
    cells, _ = config.cells(config.grid({"sampler": "quadrature"}, {}).over(loaded))
    assert {c["sampler"] for c in cells} == {"quadrature"}


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
        ("\ufefflosses = ['hinge']", ["line 1", "byte-order mark"]),
        (b"losses = ['hinge'] # \xff", ["line 1", "UTF-8"]),
        ("losses = [", ["x.toml"]),
        ("losses = []", ["line 1", "empty"]),
    ],
)
def test_faults_of_a_file_name_file_line_and_key(tmp_path, text, words):
    with pytest.raises(UsageError) as error:
        load(tmp_path, text)
    assert "x.toml" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            experiment_file.load(path)


# --- budget ----------------------------------------------------------------------------------------------------------


def test_a_budget_gives_every_run_as_many_steps_as_its_evaluations_allow():
    """By hand: a batch of 256; langevin: 256 chains of 10 steps and their ends; quadrature: 32^2 nodes."""
    asked = grid({"loss": "hinge,nll,energy,score-matching"}, {"budget": "1000000"})
    found = {cell.config["loss"]: cell.config for cell in plan.plan(asked).runs}
    costs = {"hinge": 256 + 256 * 10 + 256, "nll": 256 + 32**2, "energy": 256}
    assert {loss: found[loss]["steps"] for loss in costs} == {loss: 10**6 // cost for loss, cost in costs.items()}
    for cell in found.values():
        spent = plan.evaluations(cell)[0]
        assert 0 <= 10**6 - spent < spent / cell["steps"]
        assert "budget" not in cell


def test_a_budget_too_small_for_a_step_is_refused():
    with pytest.raises(UsageError, match="which takes 3,072"):
        plan.plan(grid({"loss": "hinge"}, {"budget": 3071}))
    assert plan.plan(grid({"loss": "hinge"}, {"budget": 3072})).runs[0].config["steps"] == 1


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "nan", "1,2", "", "many"])
def test_a_budget_is_one_whole_number(value):
    with pytest.raises(UsageError, match="budget"):
        grid({"loss": "hinge"}, {"budget": value})


def test_a_budget_and_steps_exclude_each_other_and_the_flag_wins(tmp_path):
    with pytest.raises(UsageError, match="leave out steps"):
        grid({"loss": "hinge"}, {"budget": 5000, "steps": 3})
    with pytest.raises(UsageError, match="steps of single tasks"):
        grid({"loss": "hinge"}, {"budget": 5000}, {("task", "moons"): {"steps": 3}})
    file = tmp_path / "a.toml"
    file.write_text('losses = ["hinge"]\nbudget = 6144\n')
    budgeted = experiment_file.load(file)
    assert plan.plan(budgeted).runs[0].config["steps"] == 2
    assert plan.plan(grid({}, {"steps": 7}).over(budgeted)).runs[0].config["steps"] == 7
    file.write_text('losses = ["hinge"]\n[task.moons]\nsteps = 7\n')
    flag = grid({}, {"budget": 9216})
    assert plan.plan(flag.over(experiment_file.load(file))).runs[0].config["steps"] == 3
    file.write_text('losses = ["hinge"]\nbudget = 6144\nsteps = 4\n')
    with pytest.raises(UsageError, match="leave out steps"):
        experiment_file.load(file)


def test_all_folds_are_those_that_the_protocol_has():
    """Ten of them, or five groups of words; and `all` stands for no other hyperparameter."""
    asked = {"fold": "all", "protocol": "large,held-out-words"}
    cells = resolve(asked, task="letters", loss="hinge,nll")
    folds = {
        protocol: [c["fold"] for c in cells if c["protocol"] == protocol] for protocol in ("large", "held-out-words")
    }
    assert folds == {"large": [*range(10)] * 2, "held-out-words": [*range(5)] * 2}
    with pytest.raises(UsageError, match="steps"):
        config.grid({"loss": "hinge"}, {"steps": "all"})


def test_a_value_is_checked_against_the_unit_that_has_it():
    """A head that one energy has and another has not: legal for the one, a sentence for the other."""
    assert resolve({"head": "square"}, loss="hinge", energy="mlp")[0]["head"] == "square"
    with pytest.raises(UsageError, match="energy linear-chain, head: must be 'free' or 'softplus', found 'square'"):
        resolve({"head": "square"}, task="letters", loss="hinge")
    with pytest.raises(UsageError, match="head"):
        resolve({"head": "cube"}, loss="hinge")
