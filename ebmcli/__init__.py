"""ebm: the command-line laboratory for energy-based learning."""

__version__ = "0.1.0"
