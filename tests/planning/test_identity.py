"""The identity of a run: the same across versions of this package, another one where its figures are others."""

import hashlib
import re
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge, Le
from helpers.cells import cell_of, plan_of
from helpers.visitors import visitors

from ebmcli.core.parameters import Before, Parameter
from ebmcli.core.registry import find, units
from ebmcli.core.types import Positive
from ebmcli.core.units import KINDS
from ebmcli.planning import experiment_file
from ebmcli.planning.cells import cell_of_record
from ebmcli.planning.identity import complete, readable, run_id, unsaid, versions
from ebmcli.planning.plan import resolve
from ebmcli.planning.programs import program_of
from ebmcli.planning.values import parameters
from ebmcli.plugin import loss
from ebmcli.training.optimiser import SETTINGS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
POINTS = Path(__file__).parents[1] / "tasks"  # where points.csv is

# Number and digest of the ids of all cells, from the code of version 0.2.0.dev0 before it was restructured (07bc233).
OF_A_FILE = {
    "collapse": (40, "ca15bfd8202e376a"),
    "density": (45, "503cee3002ec1cc5"),
    "first": (90, "d42942aef5850678"),
    "handwriting": (85, "1e397a7f2592c13d"),
    "letters": (130, "04e7fec6b044f3de"),
    "plane": (480, "36bf629ecd4b802a"),
    "precision": (180, "09a322859b50ae5b"),
    "recipes": (60, "989fedde02b07a3d"),
    "words": (510, "dc0a8f9e29ea886f"),
}
OF_A_TASK = {  # every loss with every sampler of that time
    "parabola": "db9f7c31c4d2678d",
    "ellipse": "c65c9c25d66e882b",
    "spiral": "e06e925e30c0e284",
    "classes": "b7a20f12a0930a84",
    "handwriting": "724678a4bbebf7b6",
    "letters": "23c578d8a725ed84",
    "moons": "e197454f582d6c72",
    "8gaussians": "fb4ad1adacd31e87",
    "25gaussians": "bba8e6f94461aa54",
    "circles": "d944a684b5ba1c24",
    "rings": "3e9874c4525c17c0",
    "swissroll": "b203b27b3b860b3b",
    "pinwheel": "aec81184461bd567",
    "2spirals": "a61ba25c75d75e34",
    "checkerboard": "41e0cad5ed4e4dc4",
    "line": "291874ddd9604520",
    "cos": "88c7fc99f0f7b6c8",
    "points:points.csv": "78c6262935c07300",
    "words": "7d7bb82150e3016d",
}
RAISED = {f"{kind}_version" for kind in KINDS}
LOSSES = (
    "energy,perceptron,nll,mee,ml,hinge,log,lvq2,lvq2-ratio,mce,margin-sum,simple,min-hinge,square-square,square-hinge,"
    "square-exp,infonce,nce,pirl,score-matching,sliced-score-matching,denoising-score-matching,denoising,"
    "energy-discrepancy"
)
SAMPLERS = (
    "langevin,cd,pcd,mala,hmc,none,uniform,gaussian,noise,in-batch,quadrature,generator,exact,gibbs,most-offending,"
    "loss-augmented,exhaustive,n-best,corrupt"
)


def ids_of_first_versions(cells):
    """The ids that runs would have if no unit had changed its figures since."""
    return [run_id({name: value for name, value in cell.config.items() if name not in RAISED}) for cell in cells]


def digest(ids):
    return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:16]


def test_these_units_have_changed_their_figures():
    raised = {unit.name: unit.version for kind in KINDS for unit in units(kind).values() if unit.version > 1}
    assert raised == {"letters": 2, "points": 2, "words": 2, "handwriting": 2}


@pytest.mark.parametrize("name", OF_A_FILE)
def test_the_runs_of_an_experiment_are_those_of_the_old_code(name):
    found = ids_of_first_versions(resolve(experiment_file.load(EXPERIMENTS / f"{name}.toml")).cells)
    assert (len(found), digest(found)) == OF_A_FILE[name]


@pytest.mark.parametrize("task", OF_A_TASK)
def test_the_runs_of_a_task_are_those_of_the_old_code(task, monkeypatch):
    monkeypatch.chdir(POINTS)
    found = ids_of_first_versions(plan_of(task=task, loss=LOSSES, sampler=SAMPLERS).cells)
    assert (len(found), digest(found)) == (24 * 19, OF_A_TASK[task])


def test_the_id_depends_on_the_configuration_alone():
    first, same = cell_of(loss="hinge", margin=1), cell_of(loss="hinge", margin="1.0")
    other = cell_of(loss="hinge", margin=2)
    assert first.id == same.id == run_id(dict(reversed(same.config.items()))) != other.id
    assert first.id.startswith("hinge-langevin-moons-s0-")


@pytest.mark.parametrize("name", ["lr", "hidden", "head", "negatives", "chain_precision", "margin", "seed", "task"])
def test_every_value_makes_another_run(name):
    config = cell_of(loss="hinge").config
    assert run_id(config | {name: "another"}) != run_id(config)


# --- settings that are added, units that change ----------------------------------------------------------------------


@pytest.fixture
def ebm():
    """A package with a loss `twin`: a function that installs another version of it, gone again after the test."""
    with visitors() as look_again:

        def install(before=None, default=None, version=1):
            if before is None:

                @loss(promised="m", version=version)
                def twin(e, margin: Positive = 1.0):
                    """m + F+ - F-"""

            else:

                @loss(promised="m", version=version)
                def twin(e, margin: Positive = 1.0, lift: Annotated[float, Ge(0), Le(9), before] = default):
                    """m + F+ - F- + lift"""

            look_again()

        install()
        yield install


def test_a_setting_that_was_added_stays_out_of_the_id_at_the_value_that_means_as_before(ebm):
    old = cell_of(loss="twin")
    ebm(Before(0.0), default=0.0)
    same, other = cell_of(loss="twin"), cell_of(loss="twin", lift=0.5)
    assert same.config == old.config | {"lift": 0.0}
    assert same.id == old.id != other.id
    assert other.id != cell_of(loss="twin", lift=0.25).id


def test_its_default_may_be_another_value_which_is_in_the_id(ebm):
    old = cell_of(loss="twin")
    ebm(Before(0.0), default=0.5)
    now, as_before = cell_of(loss="twin"), cell_of(loss="twin", lift=0)
    assert (now.config["lift"], as_before.config["lift"]) == (0.5, 0.0)
    assert as_before.id == old.id != now.id


def test_an_old_configuration_is_completed_with_what_means_as_before_never_with_the_default(ebm):
    old = cell_of(loss="twin")
    ebm(Before(0.0), default=0.5)
    recorded = cell_of_record(old.id, old.config)
    assert recorded.config == {**old.config, "lift": 0.0}
    assert run_id(recorded.config) == recorded.id == old.id
    assert complete(recorded.units, {**old.config, "lift": 2.0})["lift"] == 2.0
    assert unsaid(old.config)["lift"] == 0.0
    assert "lift" not in unsaid(cell_of(loss="hinge").config)


def test_a_setting_of_the_training_can_be_added_too(monkeypatch):
    old = cell_of(loss="hinge")
    monkeypatch.setitem(SETTINGS, "warmup", Parameter("warmup", 0.0, Annotated[float, Ge(0), Le(1), Before(0.0)]))
    parameters.cache_clear()
    try:
        same, other = cell_of(loss="hinge"), cell_of(loss="hinge", warmup=0.1)
        assert (same.config["warmup"], same.id) == (0.0, old.id)
        assert other.id != old.id
        assert cell_of_record(old.id, old.config).config["warmup"] == 0.0
    finally:
        parameters.cache_clear()


def test_a_unit_of_version_2_enters_id_and_configuration(ebm):
    old = cell_of(loss="twin")
    assert "loss_version" not in old.config
    ebm(version=2)
    now = cell_of(loss="twin")
    assert now.config == old.config | {"loss_version": 2}
    assert now.id != old.id
    assert now.origins["loss_version"] == "version of the unit"
    ebm(version=3)
    assert cell_of(loss="twin").id not in (old.id, now.id)


@pytest.mark.parametrize("kind", ["task", "sampler", "energy"])
def test_every_kind_of_unit_has_a_version(kind, monkeypatch):
    from dataclasses import replace

    old = cell_of(loss="hinge")
    name = old.config[kind]
    monkeypatch.setitem(units(kind), name, replace(find(kind, name), version=2))
    now = cell_of(loss="hinge")
    assert versions(now.units) == {f"{kind}_version": 2}
    assert now.config == old.config | {f"{kind}_version": 2}
    assert now.id != old.id


def test_the_version_of_a_unit_is_no_part_of_the_settings_of_its_program(ebm):
    old = cell_of(loss="twin")
    ebm(version=2)
    now = cell_of(loss="twin")
    assert program_of(now.units, now.config).static == program_of(old.units, old.config).static


def test_ids_fit_a_file_system_and_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"{n},{n * n % 97}\n" for n in range(200))
    names = ["n" * 230, "n" * 229 + "N", "é" * 120, "x\ny", "=cmd", "\udce9", "sp ace", "sp-ace", "SP-ACE", "[/b]"]
    ids = []
    for name in names:
        (tmp_path / f"{name}.csv").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text(text)
        cell = cell_of(task=f"points:{name}.csv", loss="hinge")
        ids.append(cell.id)
        assert len(cell.id.encode()) < 200
        assert len(readable(cell.config, 64).encode()) <= 64
        assert re.fullmatch(r"\w[\w.-]*", cell.id)
    assert len({one.lower() for one in ids}) == len(names)
