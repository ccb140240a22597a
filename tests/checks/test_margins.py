"""`ebm check`: the margins of the registered losses from their formulas, and losses that promise another."""

import importlib
import json
import math
import shutil
import tomllib
from functools import cache

import numpy as np
import pytest
from helpers.shell import ROOT, ebm, run_here

from ebmcli.checks import margins
from ebmcli.cli import check as command
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.core import registry

LOSSES = registry.units("loss")
JUDGED = [name for name, unit in LOSSES.items() if unit.traits.promised.applies]
EXAMPLE = ROOT.parent / "examples" / "my-loss"
LN2 = math.log(2)
# What is known of each loss: (margin, gradient test, lowest loss on a flat energy, the levels from which to which).
KNOWN = {
    "energy": ("none", "by F+", -3.0, [-3.0, -3.0]),
    "perceptron": ("0", "no", 0.0, None),
    "lvq2": ("0", "no", 0.0, None),
    "lvq2-ratio": ("0", "no", 0.0, None),
    "hinge": ("m", "yes", 1.0, None),
    "margin-sum": ("m", "yes", 1.0, None),
    "simple": ("m, absolute", "yes", 1.0, [0.0, 1.0]),
    "min-hinge": ("m, absolute", "yes", 1.0, [0.0, 1.0]),
    "square-square": ("m, absolute", "yes", 0.5, [0.5, 0.5]),
    "square-hinge": ("m, absolute", "yes", 0.5, [0.5, 0.5]),
    "square-exp": ("infinite", "yes", 0.827, [0.352, 0.352]),
    "log": ("infinite", "yes", LN2, None),
    "mce": ("infinite", "yes", 0.5, None),
    "nll": ("infinite", "yes", LN2, None),
    "mee": ("infinite", "yes", 0.5, None),
    "infonce": ("infinite", "yes", LN2, None),
    "nce": ("infinite", "yes", 2 * LN2, None),  # (1 + K) ln(1 + K) - K ln K with one answer: log Z is fitted
    "pirl": ("infinite", "yes", 2 * LN2, None),
}
survey = cache(lambda name, survey=margins.survey: survey(LOSSES[name]))


@cache
def judge(name):
    """What is found of a registered loss, from its survey, which other tests look at, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(margins, "survey", lambda unit: survey(unit.name))
        return margins.judge(LOSSES[name])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_keeps_the_margin_that_it_promises_or_says_why_it_has_none(name):
    finding, promised = judge(name), LOSSES[name].traits.promised
    if promised.applies:
        assert (finding.agrees, finding.found, finding.reason) == (True, promised.text(), None)
    else:
        assert (finding.agrees, finding.found) == (None, None)
        assert finding.reason


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_found_is_what_is_known(name):
    found, gradient, flat, levels = KNOWN[name]
    finding = judge(name)
    assert (finding.found, finding.gradient_test) == (found, gradient)
    assert finding.flat == pytest.approx(flat, abs=5e-4)
    assert finding.flat_at == (levels and pytest.approx(levels, abs=5e-4))
    good = {"none": "no", "0": "no", "infinite": "yes"}.get(found, "below m")
    assert finding.condition_3 == good
    push_up = {"none": "never", "0": "gap < 0", "m": "gap < m", "m, absolute": "F- < m", "infinite": "any gap"}
    assert finding.push_up == push_up[found]


def condition_3(one, margin):
    """The letter of it: some point of HP1 has a lower loss than every point of HP2."""
    inside = one.gap > margin
    return inside.any() and one.loss[inside].min() < one.loss[~inside].min()


@pytest.mark.parametrize("name", JUDGED)
def test_condition_3_holds_to_the_letter_just_below_the_margin_and_not_above(name):
    for one in survey(name)[0]:
        margin = margins.largest_margin(one)
        if margin == np.inf:
            best = np.argmin(one.loss)
            assert one.wrong[best] == one.wrong.max(), "only the edge of the box stops it"
            assert condition_3(one, one.gap[best] - margins.STEP)
        else:
            assert condition_3(one, margin - margins.STEP)
            assert not condition_3(one, margin + margins.STEP)


def test_the_fitted_log_z_leaves_nce_free_of_the_level():
    (one,), flat = survey("nce")
    np.testing.assert_allclose(one.loss, 2 * np.logaddexp(0, -one.gap / 2), rtol=1e-9)  # c = -(F+ + F-) / 2
    np.testing.assert_allclose(flat[:, 1], 2 * LN2, rtol=1e-9)
    np.testing.assert_allclose(one.slopes @ [1, 1], 0, atol=1e-9)


# --- losses of another package ---------------------------------------------------------------------------------------

STRANGERS = '''
import jax
import jax.numpy as jnp
from ebmcli.plugin import loss


def relu(x):
    return jnp.maximum(x, 0)  # with a slope of 1/2 at the kink


@loss(promised="m, absolute")
def minus(e, margin: float = 1.0):
    """as the lecture prints square-square"""
    return relu(e.positive) ** 2 - (relu(margin - e.negatives) ** 2).mean()

@loss(promised="infinite")
def endless(e, margin: float = 1.0):
    """a hinge"""
    return relu(margin + e.positive - e.negatives).mean()

@loss(promised="m")
def dropped(e, margin: float = 1.0):
    """a hinge without its margin"""
    return relu(e.positive - e.negatives).mean()

@loss(promised="0")
def fixed(e):
    """a hinge whose margin cannot be set"""
    return relu(1 + e.positive - e.negatives).mean()

@loss(promised="m")
def wide(e, margin: float = 1.0):
    """a hinge of 1.01 m"""
    return relu(1.01 * margin + e.positive - e.negatives).mean()

@loss(promised="m")
def swapped(e, margin: float = 1.0):
    """a hinge the wrong way round"""
    return relu(margin + e.negatives - e.positive).mean()

@loss(promised="m")
def levels(e, margin: float = 1.0):
    """simple"""
    return relu(e.positive) + relu(margin - e.negatives).mean()

@loss(promised="m")
def stopped(e, margin: float = 1.0):
    """a hinge that moves F+ alone"""
    return relu(margin + e.positive - jax.lax.stop_gradient(e.negatives)).mean()

@loss(promised="0")
def short(e):
    """log that does not push up: nothing does"""
    return jax.nn.softplus(e.positive)

@loss(promised="m")
def crashes(e, margin: float = 1.0):
    """raises"""
    raise RuntimeError("out of [cheese]\\nat all")

@loss(promised="m")
def branches(e, margin: float = 1.0):
    """asks for a number"""
    return e.positive if margin > 1 else -e.positive

@loss(promised="infinite")
def vector(e):
    """no scalar"""
    return e.positive - e.negatives

@loss(promised="infinite")
def undeclared(e):
    """looks at what it did not ask for"""
    return e.positive - e.free

@loss(promised="infinite")
def undefined(e):
    """log of a gap"""
    return -jnp.log(e.negatives - e.positive).mean()

@loss("view", promised="0")
def seen(v):
    """of a View"""
    return v.energy(v.y)

# --- honest ones

@loss(promised="m")
def honest(e, margin: float = 1.0):
    """a hinge with maximum"""
    return relu(margin + e.positive - e.negatives).mean()

@loss(promised="1")
def honest_number(e):
    """a hinge whose margin cannot be set"""
    return relu(1 + e.positive - e.negatives).mean()

@loss(promised="m, absolute")
def honest_levels(e, margin: float = 1.0):
    """simple with maximum"""
    return relu(e.positive) + relu(margin - e.negatives).mean()

@loss(promised="infinite")
def sharp(e, tau: float = 0.07):
    """infonce whose value underflows within the box"""
    return jax.nn.logsumexp(jnp.append(-e.negatives, -e.positive) / tau) + e.positive / tau

@loss(promised="infinite")
def steep(e):
    """a sigmoid whose value is 1e-26 at the edge of the box"""
    return jax.nn.sigmoid(10 * (e.positive - e.negatives)).mean()

@loss(promised="-")
def other(e):
    """of which margins say nothing"""
    return e.positive - e.negatives.mean()
'''
# name: (margin found, a part of the sentence)
DISHONEST = {
    "minus": ("none", "falls until the gap F- - F+ is -3, and it never pushes F- up"),
    "endless": ("m", "at m = 0.5, 1, 2 its loss falls until the gap F- - F+ is 0.5, 1, 2, and it pushes F- up where"),
    "dropped": ("0", "at m = 0.5, 1, 2 its loss falls until the gap F- - F+ is 0, and it pushes F- up"),
    "fixed": ("1", "it has no hyperparameter margin; its loss falls until the gap F- - F+ is 1"),
    "wide": ("0.5, 1, 2.03125", "promises the margin m, found is"),
    "swapped": ("none", "never pushes F- up"),
    "levels": ("m, absolute", "pushes F- up where F- < m"),
    "stopped": ("none", "never pushes F- up"),
    "short": ("none", "promises the margin 0, found is none: it has no hyperparameter margin; its loss falls until"),
    "crashes": (None, "fails on two energies: RuntimeError: out of [cheese]"),
    "branches": (None, "TracerBoolConversionError"),
    "vector": (None, "scalar"),
    "undeclared": (None, "fails on two energies: TypeError"),
    "undefined": (None, "its value at F+ = -2.96875, F- = -2.98438 is nan"),
    "seen": (None, "a loss of a View"),
}  # fmt: skip
HONEST = ["honest", "honest-number", "honest-levels", "sharp", "steep"]


def install(folder, name, entry_points):
    """What pip would leave beside a module; it needs the network to build one. entry_points: {name: module}."""
    info = folder / f"{name.replace('-', '_')}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    lines = [f"{entry} = {module}\n" for entry, module in entry_points.items()]
    (info / "entry_points.txt").write_text("[ebmcli.plugins]\n" + "".join(lines))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """What `ebm check --json` prints where a package has registered them: (errors, {name: finding})."""
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "strangers.py").write_text(STRANGERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._units, "loss", dict(LOSSES))
        patch.syspath_prepend(folder)
        importlib.import_module("strangers")
        out, err = run_here(folder, "check", *DISHONEST, *HONEST, "other", "hinge", "--json", code=ExitCode.UNFINISHED)
    return err.splitlines(), {found["loss"]: found for found in json.loads(out)}


def test_a_broken_promise_is_exit_code_3_and_a_sentence_a_loss(strangers):
    errors, findings = strangers
    assert ExitCode.UNFINISHED == 3
    assert [line.split()[1] for line in errors] == list(DISHONEST)
    assert list(findings) == [*DISHONEST, *HONEST, "other", "hinge"]


@pytest.mark.parametrize("name", DISHONEST)
def test_a_dishonest_loss_is_found_out(strangers, name):
    errors, findings = strangers
    found, words = DISHONEST[name]
    (line,) = [line for line in errors if line.startswith(f"ebm: {name} promises the margin ")]
    assert words in line
    assert (findings[name]["agrees"], findings[name]["found"]) == (False, found)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_loss_is_not_accused(strangers, name):
    finding = strangers[1][name]
    assert (finding["agrees"], finding["found"]) == (True, finding["promised"])


def test_a_stranger_without_a_margin_is_listed_with_the_reason(strangers):
    finding = strangers[1]["other"]
    assert (finding["agrees"], finding["reason"]) == (None, "declares that it has none")


# --- the command -----------------------------------------------------------------------------------------------------


def test_all_losses_stand_in_the_tables(monkeypatch, capsys):
    monkeypatch.setattr(command, "judge", lambda unit: judge(unit.name))
    assert command.check([], as_json=False) == ExitCode.OK
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = [line.split() for line in printed.out.splitlines() if line.strip()]
    assert [row[0] for row in rows if row[0] in LOSSES] == JUDGED + [name for name in LOSSES if name not in JUDGED]
    assert ["hinge", "m", "m", "below", "m", "yes", "gap", "<", "m", "1"] in rows
    assert ["ml", "-", "its", "F-", "is", "a", "sample", "of", "the", "model"] in rows


def test_an_unknown_name_is_exit_code_2(tmp_path):
    out, err = run_here(tmp_path, "check", "hinge", "hing", code=ExitCode.USAGE)
    assert (out, ExitCode.USAGE) == ("", 2)
    assert "unknown loss 'hing': did you mean hinge?" in err


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
