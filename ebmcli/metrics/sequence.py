"""Measures of label sequences that are read: of segmented words, whose length is known, and of any, padded with -1."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ebmcli.core.decorators import measure
from ebmcli.core.units import Column
from ebmcli.metrics import margin


@dataclass(frozen=True)
class Reading:
    """Shares of letters and words that are read wrong."""

    cer: float  # the share of letters
    wer: float  # the share of words
    exact_match: float  # the share of words without an error


@dataclass(frozen=True)
class WordsEvaluation:
    """N test words as an energy reads them."""

    reading: Reading
    right: np.ndarray  # [N] the energy of the right answer
    offending: np.ndarray  # [N] of the best different answer
    random: np.ndarray  # [N] of a random answer
    sure: np.ndarray  # [N] how far the second best answer lies above the one that is read
    wrong: np.ndarray  # [N] bool, whether the word is read wrong
    threshold: float | np.ndarray  # the gap that counts as kept; [N] where it grows with the distance of the answers

    @property
    def gaps(self) -> np.ndarray:
        """[N]: how far the most offending answer lies above the right one."""
        return np.float64(self.offending) - self.right

    @property
    def apart(self) -> np.ndarray:
        """[N]: how far a random answer lies above the right one. Energies of different words cannot be compared, since
        any f(x) may be added: so right and random are paired word by word."""
        return np.float64(self.random) - self.right


@measure(better="lower", accuracy=True, curve=True, note="cer: share of letters that are read wrong.")
def cer(e: WordsEvaluation) -> float:
    """The share of letters that are read wrong."""
    return e.reading.cer


@measure(better="lower", accuracy=True, note="wer: share of words that are read wrong.")
def wer(e: WordsEvaluation) -> float:
    """The share of words that are read wrong."""
    return e.reading.wer


@measure(heading="exact match", better="higher", accuracy=True)
def exact_match(e: WordsEvaluation) -> float:
    """The share of words that are read without an error."""
    return e.reading.exact_match


@measure(
    heading="rejected at 1 %",
    better="lower",
    accuracy=True,
    note="rejected at 1 %: share of the words that must be rejected, those of smallest gap first, so that the wrong "
    "answers left are 1 % of all words.",
)
def reject_at_1pct(e: WordsEvaluation) -> float:
    """The share of words to reject so that 1 % of all are wrong and not rejected."""
    return reject_at(e.sure, e.wrong)


@measure()
def auroc(e: WordsEvaluation) -> float:
    """The probability that the right answer has a lower energy than a random one to the same word."""
    return float(np.mean(e.apart > 0) + np.mean(e.apart == 0) / 2)


@measure()
def energy_spread(e: WordsEvaluation) -> float:
    """The standard deviation of F(random answer) - F(right answer)."""
    return float(np.std(e.apart))


@measure()
def energy_level(e: WordsEvaluation) -> float:
    """The mean energy of the right answers."""
    return float(np.mean(np.float64(e.right)))


# --- segmented words -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SegmentedEvaluation:
    """Further facts about words whose letters are segmented. Words are [N, T], `length` [N] of T letters long."""

    found: np.ndarray
    other: np.ndarray  # the best different answer
    label: np.ndarray
    length: np.ndarray
    gaps_of_words: np.ndarray  # [N]
    list_error: float  # the character error of naive Bayes letters with the list of the training words
    fine: bool


@measure(*(Column(f"gap_per_letter_{name}") for name in margin.QUANTILES))
def gap_per_letter(e: SegmentedEvaluation) -> dict[str, float | None]:
    """Quantiles of the gap divided by the number of wrong letters of the most offending answer."""
    return margin.quantiles(e.gaps_of_words / (e.other != e.label).sum(axis=1), "gap_per_letter")


@measure(Column("exact_match_*", "exact match", better="higher"))
def exact_match_by_length(e: SegmentedEvaluation) -> dict[str, float | None]:
    """`exact_match_3` and so on: the share of the words of each length that are read without an error."""
    if not e.fine:
        return {}
    lengths = np.unique(e.length)
    return {f"exact_match_{n}": exact_share(*(a[e.length == n] for a in (e.found, e.label, e.length))) for n in lengths}


@measure(
    heading="cer of the word list",
    accuracy=True,
    note="cer of the word list: what naive Bayes letters and the list of the training words reach; every figure on "
    "this task contains that much of the list. On held-out words it has no right answer to read.",
)
def word_list_cer(e: SegmentedEvaluation) -> float:
    """The character error of the baseline: naive Bayes letters, constrained to the training word list."""
    return e.list_error


# --- words on a strip ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StripEvaluation:
    """Further facts about words whose letters are not segmented."""

    greedy_wrong: np.ndarray  # [N] bool, whether the greedy decoder reads the word wrong
    wrong: np.ndarray  # [N] bool, whether the exact one does
    shift: np.ndarray  # [letters] pixels from where a letter is to where it is found
    parts: Mapping[str, float] = field(default_factory=dict)  # exact match by part of the test set


@measure(
    heading="decoder gap",
    better="lower",
    accuracy=True,
    note="decoder gap: word error rate of the greedy decoder minus that of the exact one.",
)
def decoder_gap(e: StripEvaluation) -> float:
    """The word error rate of the greedy decoder minus that of the exact one."""
    return float(e.greedy_wrong.mean() - e.wrong.mean())


@measure(
    heading="error of the alignment",
    better="lower",
    accuracy=True,
    note="error of the alignment: distance in pixels from the columns of a letter to where they are.",
)
def alignment_error(e: StripEvaluation) -> float:
    """The distance in pixels from where the letters are to where they are found."""
    return float(np.abs(e.shift).mean())


@measure(Column("exact_match_*", "exact match", better="higher"))
def exact_match_by_part(e: StripEvaluation) -> dict[str, float]:
    """`exact_match_doubled` and so on: the share of each part of the test set that is read without an error."""
    return {f"exact_match_{name}": value for name, value in e.parts.items()}


# --- how words are compared ------------------------------------------------------------------------------------------


def read_segmented(answer: np.ndarray, label: np.ndarray, length: np.ndarray) -> Reading:
    """Count what is read wrong of segmented words [N, T]; length: [N]."""
    exact = exact_share(answer, label, length)
    return Reading(character_error(answer, label, length), 1 - exact, exact)


def read_strips(errors: np.ndarray, label: np.ndarray) -> Reading:
    """Count what is read wrong. errors: [N] letters put in, left out or changed; label: [N, T], -1 padded."""
    wrong = errors > 0
    return Reading(float(errors.sum() / (label >= 0).sum()), float(wrong.mean()), float(1 - wrong.mean()))


def character_error(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of letters that are wrong, pooled over all words. predicted, label: [N, T]; length: [N]."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(((predicted != label) & present).sum() / present.sum())


def exact_share(predicted: np.ndarray, label: np.ndarray, length: np.ndarray) -> float:
    """The share of words without a wrong letter."""
    present = np.arange(label.shape[1]) < length[:, None]
    return float(np.mean(~((predicted != label) & present).any(axis=1)))


def edit_distances(predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """[N]: letters put in, left out or changed (Levenshtein) between answers [N, T] and [N, U] padded with -1."""
    lengths = (predicted >= 0).sum(axis=1), (label >= 0).sum(axis=1)
    columns = np.arange(label.shape[1] + 1)
    row = np.broadcast_to(columns, (len(label), len(columns)))
    rows = [row]
    for letter in predicted.T:
        changed = row[:, :-1] + (label != letter[:, None])
        entered = np.concatenate([row[:, :1] + 1, np.minimum(row[:, 1:] + 1, changed)], axis=1)
        # A letter is left out: from the left, one more at each place.
        row = np.minimum.accumulate(entered - columns, axis=1) + columns
        rows.append(row)
    return np.stack(rows)[lengths[0], np.arange(len(label)), lengths[1]]


def collapse_symbols(symbols: np.ndarray, separator: int) -> np.ndarray:
    """[N, L]: the word of each row of symbols, padded with -1: repeats merged, the separator and -1 dropped."""
    before = np.pad(symbols[:, :-1], ((0, 0), (1, 0)), constant_values=separator)
    kept = (symbols != before) & (symbols != separator) & (symbols >= 0)
    word = np.full(symbols.shape, -1)
    row, _ = np.nonzero(kept)
    word[row, (np.cumsum(kept, axis=1) - 1)[kept]] = symbols[kept]
    return word


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
