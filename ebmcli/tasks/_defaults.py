"""Defaults that several tasks share, as the decorator takes them."""

from typing import Any

ANSWERED_BY_LOOKING = {  # negatives where all answers can be looked at
    "log_q": "uniform",
    "independent": "uniform",
    "model": "exact",
    "partition": "exhaustive",
    "minimum": "exhaustive",
    "all": "exhaustive",
    "negatives": "most-offending",
    "": "none",
}
PLANE: dict[str, Any] = {  # points of the plane with a smooth density
    "answers": "continuous",
    "energy": "mlp",
    "samplers": {
        "log_q": "gaussian",
        "independent": "uniform",
        "model": "pcd",
        "partition": "quadrature",
        "minimum": "quadrature",
        "all": "quadrature",
        "negatives": "langevin",
        "": "none",
    },
    "defaults": {"steps": 2_000, "batch_size": 256, "lr": 5e-3},
    "measures": "auroc kl kl_beta_star spurious_mass",
    "reference": "Grathwohl et al., FFJORD (2019)",
}
EMPIRICAL: dict[str, Any] = PLANE | {"measures": "auroc nll nll_beta_star"}  # points whose density nobody knows
FEW_ANSWERS: dict[str, Any] = {"steps": 1_000, "batch_size": 64, "lr": 5e-3, "negatives": 8}
OCR: dict[str, Any] = {  # words that are read
    "answers": "sequence",
    "conditional": True,
    "question": "strip",
    "energy": "trellis",
    "samplers": {
        "log_q": "uniform",
        "independent": "uniform",
        "model": "exact",
        "partition": "exhaustive",
        "minimum": "exhaustive",
        "all": "n-best",
        "augmented": "loss-augmented",
        "negatives": "most-offending",
        "": "none",
    },
}
