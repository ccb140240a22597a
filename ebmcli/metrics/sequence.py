"""Measures of predicted label sequences whose length is known (segmented words)."""

import numpy as np


def character_error(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of letters that are wrong, pooled over all words. predicted, label: [N, T]; length: [N]."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(((predicted != label) & present).sum() / present.sum())


def exact_match(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of words without a wrong letter."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(np.mean(~((predicted != label) & present).any(axis=1)))
