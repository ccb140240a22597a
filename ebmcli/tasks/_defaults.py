"""Defaults that several tasks share."""

from typing import Any

READING: dict[str, Any] = {
    "answers": "sequence",
    "conditional": True,
    "energy": "trellis",
    "samplers": {
        "log_q": "uniform",
        "independent": "uniform",
        "model": "exact",
        "partition": "exhaustive",
        "minimum": "exhaustive",
        "all": "n-best",
        "distance": "loss-augmented",
        "negatives": "most-offending",
        "": "none",
    },
}
