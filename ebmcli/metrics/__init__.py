"""Measures of trained energies, by what they look at."""

from importlib import import_module

from ebmcli.core.registry import load_package

for module in ("margin", "sequence", "plane", "answers"):  # the order of lists and tables; further ones come after
    import_module(f"{__name__}.{module}")
load_package(__name__)
