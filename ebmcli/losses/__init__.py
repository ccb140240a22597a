"""Losses, by family. Each is a pure function of one example's energies; batching is the trainer's job."""

from ebmcli.core.registry import load_package

load_package(__name__)  # whichever module is asked for first, all register in one order
