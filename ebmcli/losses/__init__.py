"""Losses, by family. Each is a pure function of one example's energies; batching is the trainer's job."""
