"""What notebooks use: frames of sweeps, and a trained energy that, loaded again, is the one that was measured."""

import shutil

import numpy as np
import pytest
from helpers.made_up import NOISE, record, seeds, written
from helpers.shell import ROOT, run_here

import ebmcli
from ebmcli.core import types
from ebmcli.core.errors import UsageError
from ebmcli.core.registry import find
from ebmcli.storage import store

TINY = [
    "--steps",
    "30",
    "--batch-size",
    "16",
    "--set",
    "hidden=8",
    "--set",
    "layers=1",
    "--no-pictures",
    "--name",
    "tiny",
]


def trained(folder, *arguments):
    """A run of a tiny energy."""
    run_here(folder, "run", *arguments, *TINY)
    (run,) = (folder / "results" / "tiny" / "runs").iterdir()
    return ebmcli.load_run(run.name, folder / "results")


def surface(run):
    """The means of the energy over the blocks that its picture shows, and the points at which it was looked at."""
    low, high, _ = find("task", "moons").build(run.config).space
    cells = 500
    middle = low + (high - low) * (np.arange(cells) + 0.5) / cells
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    return run.energy(None, points).reshape(125, 4, 125, 4).mean(axis=(1, 3)), points


# --- a trained energy ------------------------------------------------------------------------------------------------


def test_on_the_plane_it_has_the_surface_of_the_picture(tmp_path):
    run = trained(tmp_path, "--loss", "nce", "--set", "negatives=4")  # which has a log Z beside the energy
    seen, points = surface(run)
    np.testing.assert_allclose(seen, run.arrays["energy"], rtol=1e-4, atol=1e-4)
    assert list(run.curves["step"])[-1] == 30
    assert run.metrics["kl"] == run.record.metrics["kl"]
    (run.folder / "params.npz").unlink()
    with pytest.raises(UsageError, match="run the cell again"):
        ebmcli.load_run(run.folder).energy(None, points)


def test_an_energy_that_an_old_version_trained_has_the_surface_of_its_picture(tmp_path):
    shutil.copytree(ROOT / "assets" / "schema-1", tmp_path / "old")
    run = ebmcli.load_run("log", tmp_path)
    np.testing.assert_allclose(surface(run)[0], run.arrays["energy"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "params",
    [{"x": [1.0]}, {"energy": ["a"]}, {"energy/a": [1.0], "energy/a/b": [1.0]}, {}],
    ids=["none", "text", "one in another", "empty"],
)
def test_parameters_that_are_damaged_are_a_sentence(tmp_path, params):
    shutil.copytree(ROOT / "assets" / "schema-1", tmp_path / "old")
    run = ebmcli.load_run("log", tmp_path)
    store.save_arrays(run.folder / "params.npz", {name: np.array(value) for name, value in params.items()})
    with pytest.raises(UsageError, match="run the cell again"):
        run.energy(None, [[0.0, 1.0]])


def test_a_label_of_lowest_energy_is_the_one_of_the_picture(tmp_path):
    run = trained(tmp_path, "--loss", "hinge", "--task", "classes")
    space = find("task", "classes").build(run.config).space
    assert isinstance(space, types.Labels)
    side, (low, high) = len(run.arrays["label"]), run.arrays["shown"]
    middle = low + (high - low) * (np.arange(side) + 0.5) / side
    x = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    energies = np.stack([run.energy(x, np.full(len(x), label)) for label in range(space.size)])
    assert (energies.argmin(axis=0).reshape(side, side) == run.arrays["label"]).mean() > 0.999


# --- frames ----------------------------------------------------------------------------------------------------------


def test_load_gives_a_tidy_frame(tmp_path):
    runs = [*seeds("hinge", "pcd", [0.3 + n for n in NOISE]), *seeds("log", "pcd", [0.3 + n for n in NOISE])]
    folder = written(tmp_path / "x", [*runs, record("mce", "pcd", 0, status="failed")])
    store.append_curve(folder / "runs" / "log-pcd-moons-s1", {"step": 5, "kl": 0.7})
    frame = ebmcli.load(folder)
    assert len(frame) == 9
    assert frame[frame.status == "done"].groupby("loss").kl.mean().to_dict() == pytest.approx(
        {"hinge": 0.3, "log": 0.3}
    )
    assert list(ebmcli.load(str(folder), curves=True)[["loss", "seed", "step", "kl"]].iloc[0]) == ["log", 1, 5, 0.7]
    with pytest.raises(UsageError, match="name the folder of a sweep"):
        ebmcli.load("nowhere")
    with pytest.raises(UsageError, match="it is failed"):
        ebmcli.load_run("mce-pcd-moons-s0", folder.parent)
    with pytest.raises(AttributeError):
        _ = ebmcli.lod


def test_a_sweep_of_the_first_schema_is_a_frame_as_any_other():
    frame = ebmcli.load(ROOT / "assets" / "schema-1")
    assert list(frame.status) == ["done", "refused", "done"]
    assert frame.kl[frame.status == "done"].notna().all()
    assert len(ebmcli.load(ROOT / "assets" / "schema-1", curves=True).id.unique()) == 2
