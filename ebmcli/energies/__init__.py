"""Energies."""

from ebmcli.core.registry import load_package

load_package(__name__)  # whichever module is asked for first, all register in one order
