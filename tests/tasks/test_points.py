"""points:FILE.csv: one's own data, what is measured on them, and every wrong file refused in a sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.files import digest
from ebmcli.core.types import Model
from ebmcli.planning.cells import cells
from ebmcli.planning.grid import grid
from ebmcli.training.evaluate import measures


def written(folder, text, name="my points.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def blob(count=500, seed=0):
    """Points of a Gaussian in units of their own."""
    return np.array([1e6, -3]) + np.random.default_rng(seed).normal(size=(count, 2)) * [5e3, 1e-3]


def as_csv(points, head="mass,size"):
    return "\n".join([*([head] if head else []), *(f"{a!r},{b!r}" for a, b in points.tolist())]) + "\n"


def task_of(path):
    return registry.find("task", f"points:{path}").build({})


@pytest.mark.parametrize("head", ["", "mass,size", '"my mass",2nd'])
def test_every_point_is_trained_on_or_held_out_scaled_column_by_column(tmp_path, head):
    points = blob()
    task = task_of(written(tmp_path, as_csv(points, head)))
    train, test = task.data()["points"], task.targets(True)["data"]
    assert (len(train), len(test), task.examples) == (400, 100, 400)
    both = np.concatenate([train, test])
    assert both.min(axis=0).tolist() == [-4, -4]
    assert both.max(axis=0).tolist() == [4, 4]
    expected = 8 * (points - points.min(axis=0)) / np.ptp(points, axis=0) - 4
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(expected, axis=0), atol=1e-5)
    drawn = jax.jit(task.draw, static_argnums=2)(jax.random.key(0), task.data(), 5_000)
    assert drawn.x is None
    assert set(map(tuple, np.asarray(drawn.y).tolist())) == set(map(tuple, train.tolist()))


def test_measures_of_a_known_energy(tmp_path):
    """The Gaussian that the points are of, in the units of the task: the closed form of its nll, beta* = 1; and what
    needs the true density is not there."""
    points = blob(5_000)
    task = task_of(written(tmp_path, as_csv(points)))
    both = np.concatenate([task.data()["points"], task.targets(True)["data"]])
    mean, sd = both.mean(axis=0), both.std(axis=0)

    model = Model(lambda x, y: jnp.sum(jnp.square((y - mean) / sd)) / 2)
    probed = jax.tree.map(np.asarray, jax.jit(lambda t: task.probe(model, {}, t))(task.targets(True)))
    found = measures(task.measure(probed, True, 1.0, 0.0))
    test = task.targets(True)["data"]
    closed = float((((test - mean) / sd) ** 2).sum(axis=1).mean() / 2 + np.log(2 * np.pi * sd.prod()))
    assert found["nll"] == pytest.approx(closed, abs=2e-3)
    assert found["beta_star"] == pytest.approx(1, abs=0.1)
    assert found["auroc"] > 0.8
    assert found["low_energy_share"] < 0.05
    assert found["gap_q50"] > 0
    assert {name for name, value in found.items() if value is None} == {
        "kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density",
    }  # fmt: skip


def test_what_lies_near_a_point_is_never_called_wrong(tmp_path):
    """On a lattice whose points lie 1 apart every cell is near one, but for those beyond its rim."""
    points = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), axis=-1).reshape(-1, 2)
    task = task_of(written(tmp_path, as_csv(points)))
    rim = np.abs(task.targets(True)["grid"]).max(axis=1)

    def offending(energy):
        return measures(task.measure({"grid": energy, "data": np.zeros(16)}, True, 1.0, 0.0))["offending_level"]

    assert offending(-rim) == pytest.approx(-5, abs=0.02)
    assert offending(rim) == pytest.approx(4 + np.sqrt(0.5), abs=0.02)  # 1 away from the corner (4, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 rows of numbers"),
        ("a,b\n1,2\n3,4\n", "2 rows of numbers, a task needs at least 50"),
        ("x\n1\n2\n", "line 1: two columns are wanted, separated by a comma, found 1"),
        ("1;2\n3;4\n", "line 1: two columns"),
        ("1,2,3\n", "found 3"),
        ("1,2\n3\n", "line 2: two columns are wanted, separated by a comma, found 1"),
        ("1,2\n\n3,four\n", "line 3: 'four' is no finite number"),
        ("1,2\n3,nan\n", "line 2: 'nan' is no finite number"),
        ("1,2\n3,-inf\n", "line 2: '-inf' is no finite number"),
        ("1,2\n3,\n", "line 2: '' is no finite number"),
        (as_csv(blob() * [1, 0] + [0, 7]), "column 2 is 7 in every row"),
        (b"\xff\xfe1,2\n", "no CSV text"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=r"my points\.csv") as error:
        grid({"task": f"points:{path}"}, {})
    assert said in str(error.value)


def test_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="name a CSV file"):
        grid({"task": "points:nowhere.csv"}, {})
    with pytest.raises(UsageError, match="of which file"):
        grid({"task": "points"}, {})
    with pytest.raises(UsageError, match="did you mean moons"):
        grid({"task": "moons:a.csv"}, {})
    assert "points" not in grid({"task": "all"}, {}).axes["task"]


def test_other_numbers_are_another_run(tmp_path, monkeypatch):
    """The file's content is part of the configuration, so that no result of old data is taken for one of new data."""
    monkeypatch.chdir(tmp_path)

    def resolved(text):
        written(tmp_path, text, "p.csv")
        digest.cache_clear()
        return cells(grid({"task": "points:p.csv", "loss": "hinge"}, {}))[0][0].config

    first, second = resolved(as_csv(blob())), resolved(as_csv(blob(seed=1)))
    assert first["data"] != second["data"]
    assert {name for name in first if first[name] != second[name]} == {"data"}
    with pytest.raises(UsageError, match="no longer the one of these runs"):
        registry.find("task", "points:p.csv").build(first)
    assert registry.find("task", "points:p.csv").build(second).examples == 400
