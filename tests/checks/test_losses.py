"""`ebm check`: no right loss is accused, and a wrong one is noticed, by the law that its slip breaks."""

import contextlib
import importlib.util
import json
import shutil
import tomllib
from pathlib import Path

import pytest
from helpers.shell import ROOT, ebm, run_here

from ebmcli.checks import judgement, losses
from ebmcli.checks.evaluation import Records, Subject
from ebmcli.cli import check as command
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.needs import Need
from ebmcli.plugin import jax, jnp, loss

EXAMPLE = ROOT.parent / "examples" / "my-loss"
OURS = dict(registry.units("loss"))


@contextlib.contextmanager
def registered(units=()):
    """A registry of losses of our own and these, which is as it was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._units, "loss", OURS | dict(units))
        yield registry._units["loss"]


def package(name):
    """A module of this folder, and the losses that it registers."""
    with registered() as units:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module, {name: unit for name, unit in units.items() if name not in OURS}


PLANTED, WRONG = package("wrong_losses")
RIGHT = package("right_losses")[1]


def of_view(name):
    return Need.VIEW in WRONG[name].traits.needs


# Of the wrong losses, one a law is judged by default: the others are slow.
FIRST = {(law, of_view(name)): name for name, law in reversed(PLANTED.WRONG.items())}
QUICK = 4  # of the right losses that are not ours
JUDGED = {}  # findings by function: each loss is judged once


def judge(unit):
    if unit.function not in JUDGED:
        JUDGED[unit.function] = losses.judge(unit)
    return JUDGED[unit.function]


def some(units, quick):
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.slow) for name in units]


# --- ours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_ours_are_as_they_declare(name):
    finding = judge(OURS[name])
    assert [one for one in finding.judgements if one.outcome is not judgement.Outcome.AGREES] == []
    assert finding.agrees
    assert len(finding.judgements) >= 5
    assert (finding.found is None) == bool(finding.reason)


@pytest.mark.parametrize(("name", "estimates"), [(name, unit.traits.density) for name, unit in OURS.items()])
def test_a_loss_of_a_density_is_judged_at_its_optimum(name, estimates):
    laws = {one.law for one in judge(OURS[name]).judgements}
    assert ("optimum" in laws) == estimates
    densities = {"nll", "ml", "infonce", "nce", "pirl", "score-matching", "sliced-score-matching"}
    assert estimates == (name in densities)


# --- others' ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", some(WRONG, FIRST.values()))
def test_a_wrong_loss_is_noticed_by_the_law_that_it_breaks(name):
    finding = judge(WRONG[name])
    noticed = {one.law: one for one in (*finding.faults, *finding.warnings)}
    assert PLANTED.WRONG[name] in noticed, f"noticed by {list(noticed)}"
    assert all(one.sentence for one in noticed.values())


@pytest.mark.parametrize("name", some(RIGHT, list(RIGHT)[:QUICK]))
def test_a_right_loss_of_another_shape_is_not_accused(name):
    assert [one.sentence for one in judge(RIGHT[name]).faults] == []


@pytest.mark.slow
def test_of_eighty_one_wrong_losses_all_are_noticed_and_of_thirty_one_right_ones_none_is():
    """The measure of the command. A warning is a word and no accusation: six of the wrong ones get no more."""
    findings = [judge(unit) for unit in WRONG.values()]
    accused, warned = (
        sum(not one.agrees for one in findings),
        sum(one.agrees and bool(one.warnings) for one in findings),
    )
    assert (len(findings), accused + warned) == (81, 81)
    assert accused == 75
    assert (len(RIGHT), sum(not judge(unit).agrees for unit in RIGHT.values())) == (31, 0)


def made(function, needs="negatives", name="made", **declared):
    """The unit of a loss that is registered nowhere else."""
    function.__name__, function.__doc__ = name, "made up"
    with registered() as units:
        loss(needs, **declared)(function)
        return units[name]


def crash(e, margin: float = 1.0):
    raise RuntimeError("out of [cheese]\nat all")


def branch(e, margin: float = 1.0):
    return e.positive if margin > 1 else -e.positive


@pytest.mark.parametrize(
    ("function", "declared", "words"),
    [
        (crash, {"promised": "m"}, "fails on energies of its own: RuntimeError: out of [cheese]"),
        (branch, {"promised": "m"}, "TracerBoolConversionError"),
        (lambda e: e.positive - e.negatives, {"promised": "infinite"}, "scalar"),
        (lambda e: e.positive - e.free, {"promised": "infinite"}, "TypeError"),
        (lambda e: -jnp.log(e.negatives - e.positive).mean(), {"promised": "infinite"},
         "its value at F+ = -2.96875, F- = -2.98438 is nan"),
        (lambda e: e.positive - e.negatives[1], {"promised": "infinite"}, ""),
        (lambda v: v.energy(v.y), {"needs": "view", "promised": "0"}, "a loss of a View"),
        (lambda v: jnp.log(v.energy(v.y)), {"needs": "view", "promised": "-"}, "is no number"),
    ],
)  # fmt: skip
def test_a_loss_that_fails_is_a_fault_with_its_reason(function, declared, words):
    (fault, *_) = judge(made(function, **declared)).faults
    assert words in fault.sentence


def test_a_word_of_what_is_estimated_is_checked_at_registration():
    with pytest.raises(UsageError, match="made: unknown word for estimates 'densty': did you mean density"):
        made(lambda e: e.positive, "", promised="none", estimates="densty")


def test_prose_in_the_place_of_a_flat_value_is_no_fault():
    finding = judge(made(lambda e: e.positive, "", promised="none", flat="whatever F is"))
    assert finding.agrees
    assert {one.law: one.measured for one in finding.judgements}["flat energy"] == "no formula: whatever F is"


def test_a_density_may_be_found_at_another_temperature_but_at_one_alone():
    """By a hyperparameter, and not where beta is forgotten."""

    def softmax(tau, beta):
        def function(e, tau: float = tau):
            energies = jnp.append(e.negatives, e.positive)
            scores = -(e.beta if beta else 1) * energies / tau - jnp.append(e.log_q, e.log_q_positive)
            return jax.nn.logsumexp(scores) - scores[-1]

        return made(function, promised="infinite", wants="independent")

    (right,) = [one for one in judge(softmax(0.5, True)).judgements if one.law == "optimum"]
    assert (right.measured, right.sentence) == ("0.5 times it", "")
    assert "optimum" in {one.law for one in judge(softmax(0.5, False)).faults}


def test_records_are_evaluated_in_lots_of_one_size():
    subject = Subject(OURS["hinge"])
    energies = jax.random.normal(jax.random.key(0), (300, 4))
    whole = subject(Records(energies))
    parts = [subject(Records(energies[start : start + 70])) for start in range(0, 300, 70)]
    assert (whole.loss == [loss for part in parts for loss in part.loss]).all()
    assert whole.slopes.shape == (300, 4)


# --- the command -----------------------------------------------------------------------------------------------------


def test_all_losses_stand_in_the_tables_and_a_sentence_ends_them(monkeypatch, capsys):
    monkeypatch.setattr(command, "judge", judge)
    assert command.check([], as_json=False) == ExitCode.OK
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = [line.split() for line in printed.out.splitlines() if line.strip()]
    judged = [name for name, unit in OURS.items() if unit.traits.promised.applies]
    assert [row[0] for row in rows if row[0] in OURS] == judged + [name for name in OURS if name not in judged]
    assert ["hinge", "m", "m", "yes", "gap", "<", "m", "1", "16", "of", "16"] in rows
    assert ["ml", "-", "its", "F-", "is", "a", "sample", "of", "the", "model", "12", "of", "12"] in rows
    assert printed.out.splitlines()[-1].startswith("All 24 losses are as declared, by ")
    assert max(map(len, printed.out.splitlines())) <= 80


def test_a_loss_that_is_named_is_shown_with_every_judgement_one_a_line(monkeypatch, capsys):
    monkeypatch.setattr(command, "judge", judge)
    assert command.check(["hinge"], as_json=False) == ExitCode.OK
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for one in judge(OURS["hinge"]).judgements:
        assert any(line.startswith(one.law) and line.endswith("agrees") for line in lines)
    assert lines[-1] == "hinge is as declared, by 16 judgements with no warning."


def test_what_is_not_as_declared_is_exit_code_3_with_a_sentence_and_a_warning_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "judge", judge)
    wrong, warned = FIRST["margin", False], FIRST["far energies", False]
    with registered(WRONG):
        out, err = run_here(tmp_path, "check", wrong, warned, "hinge", code=ExitCode.UNFINISHED)
        assert ExitCode.UNFINISHED == 3
        assert f"ebm: {wrong} promises the margin m, found is 0: at m = 0.5, 1, 2 its loss falls until" in err
        assert f"warning: {warned}, far energies: " in err
        assert out.splitlines()[-1] == f"Not as declared: {wrong}. The other 2 are."
        out, err = run_here(tmp_path, "check", warned)
        assert out.splitlines()[-1].endswith("judgements with 1 warning.")
        out, _ = run_here(tmp_path, "check", wrong, "--json", code=ExitCode.UNFINISHED)
        (record,) = json.loads(out)
        assert (record["agrees"], record["found"], record["promised"]) == (False, "0", "m")
        assert {"law", "declared", "measured", "outcome", "sentence"} == set(record["judgements"][0])


def test_an_unknown_name_is_exit_code_2(tmp_path):
    out, err = run_here(tmp_path, "check", "hinge", "hing", code=ExitCode.USAGE)
    assert (out, ExitCode.USAGE) == ("", 2)
    assert "unknown loss 'hing': did you mean hinge?" in err


def install(folder, name, entry_points):
    """What pip would leave beside a module; it needs the network to build one. entry_points: {name: module}."""
    info = folder / f"{name.replace('-', '_')}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    lines = [f"{entry} = {module}\n" for entry, module in entry_points.items()]
    (info / "entry_points.txt").write_text("[ebmcli.plugins]\n" + "".join(lines))


@pytest.mark.slow
def test_the_example_package_is_listed_checked_and_trained(tmp_path):
    """What its pyproject.toml says is installed, and its README's commands are given."""
    entry_points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    site = tmp_path / "site"
    install(site, "my-loss", entry_points["ebmcli.plugins"])
    shutil.copy(EXAMPLE / "my_loss.py", site)

    def records(*arguments):
        return json.loads(ebm(tmp_path, *arguments, "--json")[0])

    (listed,) = [one for one in records("list", "losses") if one["name"] == "exponential"]
    assert listed["formula"] == "exp(rate (F+ - F-))"
    assert listed["hyperparameters"] == {"rate": 1.0}
    (checked,) = records("check", "exponential")
    assert (checked["found"], checked["agrees"], checked["flat"]) == ("infinite", True, 1.0)
    small = ["--steps", "20", "--set", "hidden=4", "--set", "rate=2", "--no-pictures"]
    (run,) = records("run", "--loss", "exponential", "--sampler", "uniform", *small)
    assert (run["status"], run["config"]["rate"]) == ("done", 2.0)
