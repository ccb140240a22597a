"""Two devices for every test that uses jax, as on the smallest machine that the project is measured on."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# One cache of compiled programs for the session and for the commands that it starts: the same few programs recur.
os.environ["XDG_CACHE_HOME"] = CACHE = tempfile.mkdtemp(prefix="ebm-tests-")

from ebmcli.training import engine

engine.start(devices=2, cache=engine.cache_folder())


def pytest_unconfigure():
    """Leave nothing behind."""
    import shutil

    shutil.rmtree(Path(CACHE), ignore_errors=True)
