"""`ebm explain`, and what the first commands suggest."""

import json
import shlex

import pytest
from helpers.shell import ROOT, run_here

from ebmcli.cli.run import FIRST_SWEEP


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("gap", "F(most offending answer) - F(right answer)"),
        ("hinge", "promised margin: m"),
        ("moons", "default energy: mlp"),
        ("flat", "such an energy says nothing"),
        ("langevin", "gives:"),
    ],
)
def test_a_word_is_explained(tmp_path, word, said):
    assert said in run_here(tmp_path, "explain", word)[0]


def test_all_meanings_of_a_word_are_told(tmp_path):
    kinds = [meaning["kind"] for meaning in json.loads(run_here(tmp_path, "explain", "nll", "--json")[0])]
    assert kinds == ["a measure, lower is better", "a loss"]


def test_without_a_word_all_of_them_are_listed(tmp_path):
    text = run_here(tmp_path, "explain")[0]
    for word in (
        "most offending answer",
        "unbounded",
        "crashed",
        "kl_beta_star",
        "hinge",
        "langevin",
        "two-branch",
        "moons",
    ):
        assert word in text


def test_a_word_that_is_not_known_is_a_sentence(tmp_path):
    out, err = run_here(tmp_path, "explain", "gpa", code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert "did you mean gap" in err


def test_the_list_of_measures_says_what_each_is(tmp_path):
    text = run_here(tmp_path, "list", "measures")[0]
    assert "kl_beta_star   a measure, headed kl at β*, lower is better" in " ".join(text.split("\n")).replace(
        "     ", "   "
    )
    assert "KL(true || model), nats, at the inverse temperature best for held-out data" in text


@pytest.mark.parametrize("command", [FIRST_SWEEP, f"ebm sweep {ROOT.parent / 'experiments' / 'first.toml'}"])
def test_nothing_of_a_sweep_that_is_suggested_first_is_refused_or_warned_of(tmp_path, command):
    cells = json.loads(run_here(tmp_path, *shlex.split(command)[1:], "--dry-run", "--json")[0])
    assert {cell["verdict"] for cell in cells} == {"run"}


def test_the_first_sweep_is_named_by_the_help(tmp_path):
    assert FIRST_SWEEP in " ".join(run_here(tmp_path, "--help")[0].split())
