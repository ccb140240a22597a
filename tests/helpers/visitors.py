"""Units that are registered for a test and gone again after it."""

from contextlib import contextmanager

from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.planning.values import parameters


@contextmanager
def visitors():
    """What is registered in the block is gone after it. Yields a function to be called when more was registered."""
    before = {kind: dict(units(kind)) for kind in KINDS}
    try:
        yield parameters.cache_clear
    finally:
        for kind, known in before.items():
            units(kind).clear()
            units(kind).update(known)
        parameters.cache_clear()
