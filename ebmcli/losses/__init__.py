"""Losses, by family. Each is a pure function of one example's energies; batching is the trainer's job."""

TUTORIAL = "LeCun, Chopra, Hadsell, Ranzato, Huang, A Tutorial on Energy-Based Learning (2006)"
