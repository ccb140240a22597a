"""ebm: the command-line laboratory for energy-based learning."""

__version__ = "0.1.0"
__all__ = ["load", "load_run"]


def __getattr__(name: str):  # type: ignore[no-untyped-def]  # what notebooks use, imported when it is used
    if name in __all__:
        from ebmcli.storage import frames

        return getattr(frames, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
