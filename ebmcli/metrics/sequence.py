"""Measures of predicted label sequences: of segmented words, whose length is known; then of any, padded with -1."""

import numpy as np


def character_error(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of letters that are wrong, pooled over all words. predicted, label: [N, T]; length: [N]."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(((predicted != label) & present).sum() / present.sum())


def exact_match(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of words without a wrong letter."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(np.mean(~((predicted != label) & present).any(axis=1)))


def edit_distances(predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """[N]: letters put in, left out or changed (Levenshtein) between answers [N, T] that are padded with -1."""
    from rapidfuzz.distance import Levenshtein

    pairs = zip(predicted, label, strict=True)
    return np.array(
        [Levenshtein.distance(found[found >= 0].tolist(), right[right >= 0].tolist()) for found, right in pairs]
    )


def collapsed(symbols: np.ndarray, separator: int) -> np.ndarray:
    """[N, L]: the word of each row of symbols, padded with -1: repeats merged, the separator and -1 dropped."""
    before = np.pad(symbols[:, :-1], ((0, 0), (1, 0)), constant_values=separator)
    kept = (symbols != before) & (symbols != separator) & (symbols >= 0)
    word = np.full(symbols.shape, -1)
    row, _ = np.nonzero(kept)
    word[row, (np.cumsum(kept, axis=1) - 1)[kept]] = symbols[kept]
    return word


def exact_match_by_length(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> dict[str, float]:
    """`exact_match_3` and so on: the same of the words of each length."""
    lengths = np.unique(length)
    return {f"exact_match_{n}": exact_match(*(a[length == n] for a in (predicted, label, length))) for n in lengths}


def reject_curve(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(share rejected [N + 1], share of all that are wrong and not rejected [N + 1]), the least sure rejected first.

    confidence, wrong: [N]. Of equally sure answers the right ones are rejected first, so that ties help nobody.
    """
    order = np.lexsort((wrong, confidence))
    left = wrong.sum() - np.concatenate([[0], np.cumsum(wrong[order])])
    return np.arange(len(wrong) + 1) / len(wrong), left / len(wrong)


def reject_at(confidence: np.ndarray, wrong: np.ndarray, share: float = 0.01) -> float:
    """The share of answers to reject so that at most this share of all of them is wrong and not rejected."""
    rejected, error = reject_curve(confidence, wrong)
    return float(rejected[np.argmax(error <= share + 1e-12)])
