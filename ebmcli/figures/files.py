"""A figure as a file: which kinds there are, how wide it is, how sharp."""

import io
from pathlib import Path
from typing import Any, NamedTuple

from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.figures import source
from ebmcli.figures.style import own_style
from ebmcli.storage.output import is_stream

FORMATS = {".png": {}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}  # no dates: the same page twice is equal
SHARPEST, PIXELS, SIDE_PIXELS = 150, 36e6, 20_000  # of a .png: dots an inch, all, a side
NARROWEST, WIDEST = 1.0, 100.0  # inches
DOTS = (10, 2400)  # an inch, at least and at most


class Look(NamedTuple):
    """How a figure is written. width: inches, with all that is on it; dpi: dots an inch of a .png; None: as it is."""

    width: float | None = None
    dpi: int | None = None

    def check(self) -> None:
        """Raise UsageError for a width or a sharpness that no figure has."""
        if self.width is not None and not NARROWEST <= self.width <= WIDEST:
            raise UsageError(f"--width {self.width:g}: a width in inches, {NARROWEST:g} to {WIDEST:g}")
        if self.dpi is not None and not DOTS[0] <= self.dpi <= DOTS[1]:
            raise UsageError(f"--dpi {self.dpi}: dots an inch, {DOTS[0]} to {DOTS[1]:,}")


NATURAL = Look()


def suffix_of(output: Path | None) -> str:
    """The suffix of FORMATS that says what is written. Raises UsageError where there is none."""
    suffix = ".png" if output is None else output.suffix.lower()
    if suffix in FORMATS:
        return suffix
    if output is not None and is_stream(output):
        return ".png"
    raise UsageError(f"--output {quoted(output)}: the name ends in {', '.join(FORMATS)}, which says what is written")


@own_style()
def to_bytes(figure: Any, suffix: str, origin: str = "", look: Look = NATURAL) -> bytes:
    """The figure as a file. origin: what it was drawn from, which a .png holds. Raises UsageError where it would have
    too many pixels."""
    if look.width is not None:
        _scale(figure, look.width / figure.get_size_inches()[0])
    width, height = figure.get_size_inches()
    most = min(SIDE_PIXELS / max(width, height), (PIXELS / (width * height)) ** 0.5)
    if look.dpi and look.dpi > most and suffix == ".png":
        size = f"{width:.1f} x {height:.1f} inches"
        raise UsageError(f"--dpi {look.dpi}: on {size} at most {most:.0f} fit; a .pdf or .svg is sharp at any size")
    metadata = {source.KEY: origin} if suffix == ".png" else FORMATS[suffix]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=look.dpi or min(SHARPEST, most), metadata=metadata)
    return buffer.getvalue()


def _scale(figure: Any, factor: float) -> None:
    """Make a figure wider or narrower with all that is on it: text, lines and points keep their proportions."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    figure.draw_without_rendering()  # ticks are made, which have text too
    for text in figure.findobj(Text):
        text.set_fontsize(text.get_fontsize() * factor)
    for line in figure.findobj(Line2D):
        line.set(linewidth=line.get_linewidth() * factor, markersize=line.get_markersize() * factor)
        line.set_markeredgewidth(line.get_markeredgewidth() * factor)
    for patch in figure.findobj(Patch):
        patch.set_linewidth(patch.get_linewidth() * factor)
    for collection in figure.findobj(Collection):
        collection.set_linewidth([width * factor for width in collection.get_linewidth()])
        if hasattr(collection, "set_sizes"):
            collection.set_sizes([size * factor**2 for size in collection.get_sizes()])
    figure.set_size_inches(*(figure.get_size_inches() * factor))
