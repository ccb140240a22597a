"""At the default budget the losses of a density recover the one that is known, each as closely as is claimed."""

import json

import numpy as np
import pytest
from helpers.shell import run_here
from scipy.special import logsumexp

import ebmcli
from ebmcli.metrics import density
from ebmcli.tasks._log_densities import gaussians

pytestmark = pytest.mark.slow

# (loss, negatives): nats from the true density, at most
CLAIMS = {
    ("nll", "quadrature"): 0.01,
    ("ml", "exact"): 0.02,
    ("nce", "gaussian"): 0.02,
    ("energy-discrepancy", "none"): 0.02,
    ("ml", "pcd"): 0.05,
    ("infonce", "uniform"): 0.02,
    ("score-matching", "none"): 0.02,
}


def learned(folder, loss, sampler):
    """The record of a run of eight Gaussians, named x."""
    asked = ["--task", "8gaussians", "--loss", loss, "--sampler", sampler]
    out, _ = run_here(folder, "run", "--json", "--no-pictures", "--name", "x", *asked)
    (record,) = json.loads(out)
    return record


@pytest.mark.parametrize(("loss", "sampler"), CLAIMS)
def test_eight_gaussians_are_recovered(tmp_path, loss, sampler):
    assert learned(tmp_path, loss, sampler)["metrics"]["kl"] <= CLAIMS[loss, sampler]


def kl(log_p, log_model, area):
    return float(np.sum(np.exp(log_p) * (log_p - log_model)) * area)


def test_denoising_score_matching_learns_the_blurred_density(tmp_path):
    """Its kl from the density convolved with N(0, sigma^2) is the smaller one, by far."""
    record = learned(tmp_path, "denoising-score-matching", "none")
    points = density.grid((-5.0, 5.0), 400)
    run = ebmcli.load_run(tmp_path / "results" / "x" / "runs" / record["id"])
    energy = run.energy(None, points.astype(np.float32)).astype(float)
    area = (10 / 400) ** 2
    log_model = -energy - logsumexp(-energy) - np.log(area)
    angle = 2 * np.pi * np.arange(8) / 8
    centres = tuple(map(tuple, 4 * np.c_[np.cos(angle), np.sin(angle)] / 1.414))
    sd, sigma = 0.5 / 1.414, record["config"]["sigma"]
    true, blurred = (kl(gaussians(centres, width)(points), log_model, area) for width in (sd, np.hypot(sd, sigma)))
    assert true == pytest.approx(record["metrics"]["kl"], abs=2e-3), "the figures are those of the record"
    assert blurred < true / 2
