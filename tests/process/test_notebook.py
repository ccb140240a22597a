"""A trained energy, loaded again, is the one that was measured."""

import json
import subprocess
import sys

import numpy as np
import pytest

import ebmcli
from ebmcli.core import types
from ebmcli.core.errors import UsageError
from ebmcli.core.registry import find

TINY = ["--steps", "30", "--batch-size", "16", "--set", "hidden=8", "--no-pictures", "--name", "tiny", "--json"]


def trained(folder, *arguments):
    """A run of a tiny energy, by what `ebm run` prints of it."""
    command = [sys.executable, "-m", "ebmcli", "run", *arguments, *(one for one in TINY if one)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    return ebmcli.load_run(record["id"], folder / "results")


def test_on_the_plane_it_has_the_surface_of_the_picture(tmp_path):
    run = trained(tmp_path, "--loss", "nce")  # which has a log Z beside the energy
    low, high, _ = find("task", "moons").build(run.config).space
    cells = 500
    middle = low + (high - low) * (np.arange(cells) + 0.5) / cells
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    surface = run.energy(None, points).reshape(125, 4, 125, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(surface, run.arrays["energy"], rtol=1e-4, atol=1e-4)
    assert list(run.curves["step"])[-1] == 30
    assert run.metrics["kl"] == run.record["metrics"]["kl"]
    (run.folder / "params.npz").unlink()
    with pytest.raises(UsageError, match="run the cell again"):
        ebmcli.load_run(run.folder).energy(None, points)


@pytest.mark.slow
def test_a_label_of_lowest_energy_is_the_one_of_the_picture(tmp_path):
    run = trained(tmp_path, "--loss", "hinge", "--task", "classes")
    assert isinstance(find("task", "classes").build(run.config).space, types.Labels)
    side, (low, high) = len(run.arrays["label"]), run.arrays["shown"]
    middle = low + (high - low) * (np.arange(side) + 0.5) / side
    x = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    labels = find("task", "classes").build(run.config).space.size
    energies = np.stack([run.energy(x, np.full(len(x), label)) for label in range(labels)])
    assert (energies.argmin(axis=0).reshape(side, side) == run.arrays["label"]).mean() > 0.999
