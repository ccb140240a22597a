"""Pictures of ordinary and of awkward energies are drawn, without warnings."""

import numpy as np
import pytest

from ebmcli import config, plots
from ebmcli.tasks import letters

SIDE = np.linspace(-1, 1, 32)
BOWL = np.add.outer(SIDE**2, SIDE**2).astype(np.float32)


def drawn(tmp_path, axes, metrics, arrays):
    (resolved,), _ = config.cells(config.grid(axes, {}))
    return plots.picture(tmp_path, resolved, {"verdict": "healthy"} | metrics, arrays).read_bytes()


@pytest.mark.parametrize("energy", [BOWL, 0 * BOWL, 1e9 * BOWL, 1e-12 * BOWL, 5e8 + BOWL, -BOWL])
@pytest.mark.parametrize("sampler", ["langevin", "noise", "quadrature"])
def test_surfaces(tmp_path, energy, sampler):
    points = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    negatives = points if sampler == "langevin" else np.stack([points, points], axis=1)  # shared, or of each example
    arrays = {"energy": energy.astype(np.float32), "y": points, "y_negative": negatives}
    assert drawn(tmp_path, {"loss": "hinge", "sampler": sampler}, {"gap_q50": 1.0}, arrays)[:4] == b"\x89PNG"


def test_a_surface_is_drawn_where_the_data_are():
    """The means of blocks stand at the middles of the blocks."""
    from ebmcli.metrics import density

    cells = density.grid((-5.0, 5.0), 8)
    coarse = density.coarser(cells[:, 0] + 10 * cells[:, 1], 8, 4)
    middle = density.grid((-5.0, 5.0), 2)
    np.testing.assert_allclose(coarse.ravel(), middle[:, 0] + 10 * middle[:, 1])


def test_words(tmp_path):
    chosen = np.flatnonzero(letters.tested("large", 0))
    found = letters.words()["label"][chosen].copy()
    found[::2, 0] = 0
    right = np.zeros(len(chosen), np.float32)
    arrays = {"found": found, "right": right, "offending": right + np.arange(len(chosen)), "word": chosen}
    assert drawn(tmp_path, {"task": "letters", "loss": "hinge"}, {"cer": 0.1}, arrays)[:4] == b"\x89PNG"


@pytest.mark.parametrize("energy", [BOWL, 0 * BOWL, 1e9 * BOWL])
def test_curves(tmp_path, energy):
    questions = SIDE[:, None].astype(np.float32)
    arrays = {"energy": energy, "questions": questions, "x": questions[:8], "y": np.square(questions[:8])}
    assert drawn(tmp_path, {"task": "parabola", "loss": "hinge"}, {"gap_q50": 1.0}, arrays)[:4] == b"\x89PNG"


def test_regions(tmp_path):
    points = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    label = np.arange(64 * 64).reshape(64, 64) % 5
    arrays = {"label": label, "shown": np.array([-4.0, 4.0]), "x": points, "y": np.arange(8) % 5}
    assert (
        drawn(tmp_path, {"task": "classes", "loss": "hinge"}, {"gap_q50": 1.0, "error": 0.1}, arrays)[:4] == b"\x89PNG"
    )
