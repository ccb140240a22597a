"""The energy of a finished run, asked in the units of the user."""

import jax.numpy as jnp
import numpy as np

from ebmcli.core.files import digest
from ebmcli.core.types import Model
from ebmcli.training import reload


def test_energies_and_arrays_of_points_of_a_file_are_in_its_units(tmp_path, monkeypatch):
    """Columns that vary in digits which float32 does not have, too."""
    points = np.random.default_rng(0).normal(size=(60, 2)) * [1e3, 1e-6] + [5e3, 48.137154]
    file = tmp_path / "p.csv"
    file.write_text("".join(f"{a!r},{b!r}\n" for a, b in points.tolist()))
    config = {"task": f"points:{file}", "data": digest(str(file)), "energy": "mlp"}
    monkeypatch.setattr(reload, "model", lambda config, params: Model(lambda x, y: jnp.sum(y * jnp.array([1, 10]))))
    scaled = 8 * (points - points.min(axis=0)) / np.ptp(points, axis=0) - 4
    found = reload.energy(config, tmp_path / "params.npz")(None, points)
    np.testing.assert_allclose(found, scaled @ [1, 10], atol=1e-4)
    arrays = {"y": scaled.astype(np.float32), "energy": np.ones((3, 3))}
    again = reload.in_units(config, tmp_path, arrays)
    np.testing.assert_allclose(again["y"], points, rtol=0, atol=1e-6 * np.ptp(points, axis=0).max())
    np.testing.assert_array_equal(again["energy"], arrays["energy"])
    assert reload.in_units({"task": "moons"}, tmp_path, arrays) == arrays
