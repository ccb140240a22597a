"""What all tests share: two devices, one cache of compiled programs that is kept between sessions, a finished sweep."""
# ruff: noqa: E402 (jax reads the environment when it is imported)

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
CACHE = ROOT.parent / ".pytest_cache" / "compiled"

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["XDG_CACHE_HOME"] = str(CACHE)  # of the commands that tests start, too

import jax

from ebmcli.training import devices

devices.start(devices=2, cache=devices.cache_folder())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # the same small programs recur, too
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all workers of the session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def finished(shared_folder):
    """A folder with the finished sweep `x` in its results: trained once a session, to be read only."""
    from helpers.shell import train_sweep

    from ebmcli.storage.atomic import hold_lock

    folder = shared_folder / "finished"
    with hold_lock(shared_folder / "finished.lock"):
        if not folder.exists():
            train_sweep(folder)
    return folder


@pytest.fixture
def finished_copy(finished, tmp_path):
    """A copy of that folder, to be changed or damaged."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path
