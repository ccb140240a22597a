"""The style of our pictures, whatever the user's matplotlib is configured to do."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from ebmcli.core.errors import UsageError

# In place of matplotlib's own defaults: a salt makes the same page twice equal; printers and journals want fonts of
# type 42, whose text can be searched.
OURS = {"svg.hashsalt": "ebm", "pdf.fonttype": 42, "ps.fonttype": 42}

# Colours that are told apart by all eyes and, by how light they are, in grey (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#000000", YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def points(size: float) -> dict[str, Any]:
    """How data are drawn: white points with a black edge, which show on every colour of an energy."""
    edge = {"markerfacecolor": "white", "markeredgecolor": "black", "markeredgewidth": size / 7}
    return {"linestyle": "none", "marker": "o", "markersize": size, **edge}


def outlined(width: float, colour: str = "white") -> list[Any]:
    """The path effects of a line that shows on every colour, since it has another one around it."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground=colour), Normal()]


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
