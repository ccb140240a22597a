"""All paths of symbols through the windows of a strip, and the words that they spell: by enumeration."""

from functools import cache
from itertools import groupby, product
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp


class Paths(NamedTuple):
    """All paths that a topology allows, word by word."""

    words: list[tuple[int, ...]]
    symbols: np.ndarray  # [M, windows] of each path
    word: np.ndarray  # [M] the place among `words` of what it spells


def spelled(path, symbols, topology):
    """The word of a path, or None where the topology does not allow it: read symbol by symbol."""
    runs = [symbol for symbol, _ in groupby(path)]
    word = tuple(symbol for symbol in runs if symbol != symbols - 1)
    if topology == "forced" and runs != [part for letter in word for part in (letter, symbols - 1)]:
        return None
    return word if topology == "optional" or word else None


@cache
def paths(windows, symbols, topology) -> Paths:
    """Those through so many windows."""
    read = [(path, spelled(path, symbols, topology)) for path in product(range(symbols), repeat=windows)]
    read = [(path, word) for path, word in read if word is not None]
    words = list(dict.fromkeys(word for _, word in read))
    place = {word: number for number, word in enumerate(words)}
    return Paths(words, np.array([path for path, _ in read]), np.array([place[word] for _, word in read]))


def energies_of_paths(table, topology) -> np.ndarray:
    """[M]: of each path through a table [windows, symbols], summed window by window."""
    every = paths(*table.shape, topology).symbols
    return sum(table[i, every[:, i]] for i in range(len(table)))


def energies_of_words(table, topology, soft) -> dict[tuple[int, ...], float]:
    """{word: the lowest energy of its paths, or -log of the sum over them of exp(-E)}."""
    every, energy = paths(*table.shape, topology), energies_of_paths(table, topology)
    lowest = np.full(len(every.words), np.inf)
    np.minimum.at(lowest, every.word, energy)
    if soft:
        lowest -= np.log(np.bincount(every.word, np.exp(lowest[every.word] - energy)))
    return dict(zip(every.words, lowest.tolist(), strict=True))


def reduced(energies, soft):
    """The lowest of some energies, or -log of the sum of exp(-E)."""
    return -logsumexp(-np.asarray(energies)) if soft else np.min(energies)


def padded(word, length):
    """[length] int32: a word, with -1 past its end."""
    return np.array([*word, *[-1] * (length - len(word))], np.int32)


def read(y):
    """The word of a padded answer."""
    return tuple(int(letter) for letter in y if letter >= 0)
