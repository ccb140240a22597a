"""Pictures are the same bytes whatever the user's matplotlib is configured to do."""

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from helpers.cells import cell_of
from helpers.shell import ROOT

from ebmcli.figures import picture
from ebmcli.figures.style import OURS, own_style

LOUD = {
    "text.usetex": True,
    "font.size": 30,
    "figure.dpi": 30,
    "savefig.dpi": 40,
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "axes.facecolor": "red",
    "image.cmap": "hot",
    "lines.linewidth": 9,
    "path.sketch": (3, 100, 2),
    "axes.formatter.use_locale": True,
}


def drawn(folder):
    cell = cell_of(loss="hinge")
    bowl = np.add.outer(np.linspace(-1, 1, 32) ** 2, np.linspace(-1, 1, 32) ** 2).astype(np.float32)
    arrays = {"energy": bowl, "y": np.ones((8, 2), np.float32), "y_negative": np.zeros((8, 2), np.float32)}
    return picture.draw(folder, cell.units.task, cell.config, {"verdict": "healthy"}, arrays).read_bytes()


def test_settings_of_the_user_change_no_byte_and_stay(tmp_path):
    calm = drawn(tmp_path)
    with matplotlib.rc_context(LOUD):
        assert drawn(tmp_path) == calm
        assert all(matplotlib.rcParams[name] == value for name, value in LOUD.items())
        with own_style():
            assert matplotlib.rcParams["svg.hashsalt"] == OURS["svg.hashsalt"]


START = """
from ebmcli.figures.style import own_style
with own_style():
    import matplotlib
    print(matplotlib.rcParams["font.size"])
"""


@pytest.mark.parametrize(
    ("rc", "backend", "code", "out", "err"),
    [
        (b"text.usetex: True\nfont.size: 30\nno.such.key: 1\nfont.size: nonsense\n", "nonsense", 0, "10.0\n", ""),
        (b"", "module://matplotlib_inline.backend_inline", 0, "10.0\n", ""),
        (b"\xff\xfe\x00", "agg", 1, "", "matplotlib does not start: UnicodeDecodeError"),
    ],
    ids=["loud", "of a notebook", "no text"],
)
def test_a_matplotlibrc_and_a_backend_of_any_kind(tmp_path, rc, backend, code, out, err):
    (tmp_path / "matplotlibrc").write_bytes(rc)
    done = subprocess.run(
        [sys.executable, "-c", START], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"MPLBACKEND": backend, "PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, out)
    assert err in (done.stderr.splitlines() or [""])[-1]
    assert bool(err) == bool(done.stderr)
