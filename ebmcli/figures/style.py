"""The style of our pictures, whatever the user's matplotlib is configured to do."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from ebmcli.core.errors import UsageError

OURS = {"svg.hashsalt": "ebm"}  # in place of matplotlib's own defaults; a salt makes the same page twice equal


@contextmanager
def own_style() -> Iterator[None]:
    """Draw and save as matplotlib does by itself, and OURS: nothing is taken of a user's matplotlibrc, style, backend.

    Raises UsageError where matplotlib does not start, as with a matplotlibrc that is no text.
    """
    with _matplotlib().rc_context({**_defaults(), **OURS}):
        yield


def _matplotlib() -> Any:
    """The package, imported without a word on settings that are not used here."""
    os.environ["MPLBACKEND"] = "agg"  # an unknown one would end the import
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        import matplotlib
    except Exception as error:  # whatever its files make it raise
        text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise UsageError(f"matplotlib does not start: {text}; look at your matplotlibrc") from None
    finally:
        log.setLevel(level)
    return matplotlib


@cache
def _defaults() -> Mapping[str, Any]:
    """All settings as matplotlib has them where nobody says anything, but for the backend, which draws nothing here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those that are deprecated stand among them
        defaults = dict(_matplotlib().rcParamsDefault)
    return {name: value for name, value in defaults.items() if not name.startswith(("backend", "toolbar"))}
