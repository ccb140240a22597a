"""ebm: the command-line laboratory for energy-based learning."""

from typing import Any

__all__ = ["load", "load_run"]


def __getattr__(name: str) -> Any:  # what notebooks use is imported when it is used
    if name in __all__:
        from ebmcli import api

        return getattr(api, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("ebmcli")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
