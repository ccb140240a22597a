"""points:FILE.csv: one's own data, what is measured on them, and every wrong file refused in a sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.types import Model
from ebmcli.planning.cells import cells
from ebmcli.planning.grid import grid
from ebmcli.tasks import points as points_task
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
    """The Gaussian that the points are of: its nll is that of its density in the units of the file, beta* = 1; and what
    needs the true density is not there."""
    points = blob(5_000)
    task = task_of(written(tmp_path, as_csv(points)))
    both = np.concatenate([task.data()["points"], task.targets(True)["data"]])
    mean, sd = both.mean(axis=0), both.std(axis=0)

    model = Model(lambda x, y: jnp.sum(jnp.square((y - mean) / sd)) / 2)
    probed = jax.tree.map(np.asarray, jax.jit(lambda t: task.probe(model, {}, t))(task.targets(True)))
    found = measures(task.measure(probed, True, 1.0, 0.0))
    test = task.targets(True)["data"]
    standard = task.units.out_of_box(test)
    closed = -scipy.stats.norm(points.mean(axis=0), points.std(axis=0)).logpdf(standard).sum(axis=1).mean()
    assert closed == pytest.approx(1 + np.log(2 * np.pi * 5e3 * 1e-3), abs=0.1)  # the entropy
    assert found["nll"] == pytest.approx(closed, abs=2e-3)
    assert found["nll_beta_star"] == pytest.approx(closed, abs=1e-2)
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
        ("nan,nan\n1,2\n", "line 1: 'nan' is no finite number"),
        ("NA,NA\n1,2\n", "line 1: 'NA' is no finite number"),
        (",\n1,2\n", "line 1: '' is no finite number"),
        ("1,2\n , \n3,?\n", "line 2: '' is no finite number, mend or remove that line (and 1 more lines are wrong)"),
        ("x,2\n3,4\n", "line 1: 'x' is no finite number"),
        ("1_000,2\n", "line 1: '1_000' is no finite number"),
        ("1,2\n" + "9" * 60 + "x,1\n", "line 2: '9999999999999999999…9999999999999999999x' is no finite number"),
        (as_csv(blob() * [1e300, 1]), "is larger than 1e+100, give the column another unit"),
        (as_csv(blob() * [1, 1e-310]), "column size has values within 6.8e-313, at least 1e-100 is wanted"),
        (as_csv(blob() * [1, 0] + [0, 7]), "column size is 7 in every row"),
        (as_csv(blob() * [1, 0] + [0, 7], ""), "column 2 is 7 in every row"),
        (as_csv(np.repeat(blob(49), 3, axis=0)), "49 different points in 147 rows, a task needs at least 50"),
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
    with pytest.raises(UsageError, match=r"unknown task 'moons:a\.csv'"):
        grid({"task": "moons:a.csv"}, {})
    assert "points" not in grid({"task": "all"}, {}).axes["task"]


def test_other_numbers_are_another_run(tmp_path, monkeypatch):
    """The file's content is part of the configuration, so that no result of old data is taken for one of new data."""
    monkeypatch.chdir(tmp_path)

    def resolved(text):
        written(tmp_path, text, "p.csv")
        return cells(grid({"task": "points:p.csv", "loss": "hinge"}, {}))[0][0].config

    first, second = resolved(as_csv(blob())), resolved(as_csv(blob(seed=1)))
    assert first["data"] != second["data"]
    assert {name for name in first if first[name] != second[name]} == {"data"}
    with pytest.raises(UsageError, match="no longer the one of these runs"):
        registry.find("task", "points:p.csv").build(first)
    assert registry.find("task", "points:p.csv").build(second).examples == 400


def test_a_row_is_read_the_same_wherever_it_stands(tmp_path):
    """What is no row may stand anywhere: comments, blank lines, a mark of byte order; what is one counts anywhere."""
    points = blob(60)
    lines = as_csv(points, "").splitlines(keepends=True)
    plain = task_of(written(tmp_path, "".join(lines), "plain.csv"))
    for place in (0, 1, 30, 60):
        for number, between in enumerate(("# by a logger, v2\n", "\n", "   \r\n", "#1,2\n")):
            text = "\ufeff" + "".join([*lines[:place], between, *lines[place:]])
            task = task_of(written(tmp_path, text, f"{place}-{number}.csv"))
            np.testing.assert_array_equal(task.data()["points"], plain.data()["points"])
    assert task.remarks == ("lines that begin with # are left out (1)",)
    assert plain.remarks == ()


def test_no_point_is_trained_on_and_held_out(tmp_path):
    """Rows that repeat a point go where the first goes; without any the rows are split by one permutation."""
    once = blob(100)
    plain = task_of(written(tmp_path, as_csv(once), "once.csv"))
    order = np.random.default_rng(points_task.SPLIT_SEED).permutation(100)
    expected = plain.units.into_box(once).astype(np.float32)[order]
    np.testing.assert_array_equal(plain.targets(True)["data"], expected[:20])
    np.testing.assert_array_equal(plain.data()["points"], expected[20:])
    often = np.random.default_rng(1).permutation(np.repeat(once, np.random.default_rng(2).integers(1, 9, 100), axis=0))
    task = task_of(written(tmp_path, as_csv(often)))
    train, test = (set(map(tuple, rows.tolist())) for rows in (task.data()["points"], task.targets(True)["data"]))
    assert (len(train), len(test), len(train & test)) == (80, 20, 0)
    assert len(task.data()["points"]) + len(task.targets(True)["data"]) == len(often)
    assert any("rows repeat another" in remark for remark in task.remarks)


def test_energies_and_arrays_are_in_the_units_of_the_file(tmp_path):
    points = blob(50)
    units = task_of(written(tmp_path, as_csv(points))).units
    assert units.names == ("mass", "size")
    np.testing.assert_array_equal(np.abs(units.into_box(points)).max(axis=0), [4, 4])
    np.testing.assert_allclose(units.out_of_box(units.into_box(points)), points, rtol=1e-12)
    assert units.log_volume == pytest.approx(np.log(np.ptp(points, axis=0) / 8).sum())


LINES = "a density on lines has no highest value"
NORMAL = np.random.default_rng(0).normal(size=(120, 2))
THIRD = np.arange(120) % 3 == 0


@pytest.mark.parametrize(
    ("points", "head", "remarks"),
    [
        (NORMAL, "x,y", []),
        (NORMAL * [1e5, 1e-9] + [1e9, 48], "", []),
        (np.round(10 * NORMAL), "", []),
        (NORMAL[:, :1] * [1, 2], "", ["the points lie on a line, or all but: "]),
        (NORMAL[:, :1] * [1, 2] + 1e-9 * NORMAL, "", ["the points lie on a line, or all but: "]),
        (np.stack([np.arange(120) % 2, NORMAL[:, 1]], axis=1), "x,y", ["column x has 2 different values: "]),
        (np.concatenate([NORMAL, [[-9999, 0]]]), "x,y", ["column x is scaled to its range, -9999 to "]),
        (np.concatenate([NORMAL, [[-9999, -9999]]]), "", ["column 1 is scaled", "column 2 is scaled"]),
        (np.concatenate([NORMAL, [[0, 1e6]]]), "", ["if 1e+06 is an error or stands for a missing value"]),
        (np.where(THIRD[:, None], [[-9999, 0.5]], NORMAL), "", ["-9999 stands in 33% of column 1", "of column 2"]),
        (NORMAL, "0,1", ["line 1, 0,1, is taken for a point"]),
        (NORMAL + 2000, "2019,2020", ["line 1, 2019,2020, is taken for a point"]),
    ],
)
def test_what_was_decided_for_the_user_is_said(tmp_path, points, head, remarks):
    given = task_of(written(tmp_path, as_csv(points, head))).remarks
    said = [remark for remark in given if "rows repeat another" not in remark]
    assert len(said) == len(remarks), given
    assert all(wanted in remark for wanted, remark in zip(remarks, said, strict=True)), given
