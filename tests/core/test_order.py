"""The order of the registry, on which tables and the branches of programs depend."""

import subprocess
import sys

import pytest

LOOK = "from ebmcli.core.registry import columns, units"
ORDER = f"{LOOK}; print([*columns()], [[*units(kind)] for kind in ('loss', 'task')])"


@pytest.mark.parametrize("first", ["ebmcli.metrics.run", "ebmcli.losses.score"])
def test_the_order_is_the_same_whichever_module_is_imported_first(first):
    orders = {
        subprocess.run([sys.executable, "-c", f"{before}\n{ORDER}"], capture_output=True, text=True, check=True).stdout
        for before in ("", f"import {first}")
    }
    assert len(orders) == 1
