"""Words read off a strip of windows whose alignment is latent: dynamic programmes over a table [L, C], the energy of
every symbol in every window. The last symbol is no letter but what stands between letters.

A path gives every window a symbol. Merging repeated symbols and dropping the last symbol turns it into a word. Two
topologies say which paths there are:

- forced: a letter first, a separator last and at least one after each letter (cat is c _ a _ t _): a word of n letters
  has C(L-1, 2n-1) paths, none where L < 2n. There is no empty word.
- optional: the blank of CTC (Graves et al. 2006), needed only between equal letters: none where L < n + pairs of equal
  neighbours. The empty word is a word: blanks everywhere.

Every path spells one word, so sums and minima over all words run over paths, whatever their words. All functions are of
one example; only its first `windows` windows count, and an answer y [T] is padded with -1. `soft`: a sum, that is
-log sum exp(-E), in place of the minimum; at another temperature pass beta * table and divide.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.numerics.forward_backward import FAR as FAR
from ebmcli.numerics.forward_backward import least, path_sum, sources


class Topology(StrEnum):
    """The paths that spell a word: with a separator forced after each letter, or with CTC's optional blank."""

    FORCED = "forced"
    OPTIONAL = "optional"


def letters(y: Array) -> Array:
    """[]: how many letters an answer has."""
    return jnp.sum(y >= 0)


def room(windows: int, topology: Topology) -> int:
    """The letters of the longest word that so many windows can hold."""
    return windows if topology is Topology.OPTIONAL else windows // 2


def feasible(windows: Array, y: Array, topology: Topology) -> Array:
    """[] bool: whether y has a path through so many windows."""
    if topology is Topology.FORCED:
        return (letters(y) > 0) & (windows >= 2 * letters(y))
    return windows >= letters(y) + jnp.sum((y[1:] == y[:-1]) & (y[1:] >= 0))


def edit_distance(y: Array, other: Array) -> Array:
    """[] int32: how many letters must be inserted, dropped or replaced to make one word [T] of the other [U]."""
    columns = jnp.arange(other.size + 1)

    def row(before: Array, letter: Array) -> tuple[Array, Array]:
        kept = jnp.minimum(before[1:] + 1, before[:-1] + (other != letter))
        now = jnp.append(before[0] + 1, kept)
        now = jax.lax.cummin(now - columns) + columns  # a letter is dropped: from the left, one more at each place
        return now, now

    _, rows = jax.lax.scan(row, columns, y)
    return jnp.concatenate([columns[None], rows])[letters(y), letters(other)]


# --- one word --------------------------------------------------------------------------------------------------------


class _States(NamedTuple):
    """The states 0 to 2T of a word's own paths: 2k is the gap after k letters, 2k + 1 the letter k."""

    symbol: Array  # [2T + 1]
    start: Array  # [2T + 1] bool
    skip: Array  # [2T + 1] bool: may be entered from two states before
    end: Array  # [2T + 1] bool


def _states(y: Array, symbols: int, topology: Topology) -> _States:
    place = jnp.arange(2 * y.size + 1)
    letter = jnp.concatenate([jnp.repeat(jnp.maximum(y, 0), 2), jnp.zeros(1, y.dtype)])
    symbol = jnp.where(place % 2 == 0, symbols - 1, letter)
    last = 2 * letters(y)
    if topology is Topology.FORCED:
        return _States(symbol, place == 1, jnp.zeros_like(place, bool), (place == last) & (last > 0))
    other = symbol != jnp.roll(symbol, 2)
    return _States(symbol, place <= 1, (place % 2 == 1) & (place > 1) & other, (place == last) | (place == last - 1))


def word_energy(table: Array, windows: Array, y: Array, topology: Topology, soft: bool) -> Array:
    """[]: the energy of the best path of y, or of their sum; at least FAR / 2 where there is none: see `feasible`."""
    states = _states(y, table.shape[1], topology)
    local = table[:, states.symbol]
    if soft:
        return path_sum(local, windows, states.start, states.end, states.skip)

    def step(reach: Array, position: tuple[Array, Array]) -> tuple[Array, None]:
        number, here = position
        onward = jnp.min(sources(reach, states.skip), axis=0) + here
        return jnp.where(number < windows, onward, reach), None

    start = jnp.where(states.start, local[0], FAR)
    reach, _ = jax.lax.scan(step, start, (jnp.arange(1, len(local)), local[1:]))
    return jnp.min(jnp.where(states.end, reach, FAR))


def best_path(table: Array, windows: Array, y: Array, topology: Topology) -> Array:
    """[L]: the states of the best path of y: 2k + 1 in a window of letter k, 2k after k letters; -1 past the strip.

    Undefined where y is not feasible.
    """
    states = _states(y, table.shape[1], topology)
    local = table[:, states.symbol]

    def forward(reach: Array, position: tuple[Array, Array]) -> tuple[Array, Array]:
        number, here = position
        ways = sources(reach, states.skip)
        inside = number < windows
        onward = jnp.where(inside, jnp.min(ways, axis=0) + here, reach)
        return onward, jnp.where(inside, jnp.argmin(ways, axis=0), 0)

    start = jnp.where(states.start, local[0], FAR)
    reach, back = jax.lax.scan(forward, start, (jnp.arange(1, len(local)), local[1:]))
    last = jnp.argmin(jnp.where(states.end, reach, FAR))

    def backward(state: Array, back: Array) -> tuple[Array, Array]:
        return state - back[state], state

    first, rest = jax.lax.scan(backward, last, back, reverse=True)
    return jnp.where(jnp.arange(len(table)) < windows, jnp.concatenate([first[None], rest]), -1)


# --- all words -------------------------------------------------------------------------------------------------------


def _reached(table: Array, windows: Array, topology: Topology, soft: bool) -> Array:
    """[L, C]: the energy of all paths that have this symbol in this window; past the last window it stays."""

    def onward(reach: Array) -> Array:
        any_symbol = least(reach, soft)
        if topology is Topology.OPTIONAL:
            return jnp.full_like(reach, any_symbol)
        same_or_separator = least(jnp.stack([reach[:-1], jnp.full_like(reach[:-1], reach[-1])]), soft)
        return jnp.append(same_or_separator, any_symbol)

    def step(reach: Array, position: tuple[Array, Array]) -> tuple[Array, Array]:
        number, here = position
        reach = jnp.where(number < windows, onward(reach) + here, reach)
        return reach, reach

    start = table[0] if topology is Topology.OPTIONAL else table[0].at[-1].set(FAR)
    _, reached = jax.lax.scan(step, start, (jnp.arange(1, len(table)), table[1:]))
    return jnp.concatenate([start[None], reached])


def all_words(table: Array, windows: Array, topology: Topology, soft: bool) -> Array:
    """[]: the lowest energy of all words, or of the sum over them and their paths."""
    if topology is Topology.OPTIONAL:  # any symbol in any window
        present = jnp.arange(len(table)) < windows
        return jnp.sum(jnp.where(present, least(table, soft, axis=1), 0))
    return _reached(table, windows, topology, soft)[-1, -1]


def sample(key: Key, table: Array, windows: Array, topology: Topology, count: int, length: int) -> Array:
    """[count, length]: words, each with probability exp(-E) summed over its paths, by backward sampling.

    length: of the padded answers; longer words are cut, see `room`.
    """
    symbols = table.shape[1]
    reached = _reached(table, windows, topology, soft=True)
    places = jnp.arange(symbols)
    allowed = jnp.full((symbols, symbols), True)  # [source, target]
    if topology is Topology.FORCED:
        source, target = places[:, None], places[None]
        allowed = (source == target) | (source == symbols - 1) | (target == symbols - 1)
    end = jnp.full(symbols, True) if topology is Topology.OPTIONAL else places == symbols - 1

    def path(key: Key) -> Array:
        def backward(after: Any, position: tuple[Array, Array, Key]) -> tuple[Array, Array]:
            reach, here, key = position
            # The first window from the end is the last one of the strip: what lies past it holds a copy of its reach.
            source = jnp.where(here == windows - 1, end, allowed[:, after])
            drawn = jax.random.categorical(key, jnp.where(source, -reach, -FAR))
            return jnp.where(here < windows, drawn, after), drawn

        numbered = (reached, jnp.arange(len(table)), jax.random.split(key, len(table)))
        return jax.lax.scan(backward, symbols - 1, numbered, reverse=True)[1]  # type: ignore[arg-type]

    return jax.vmap(lambda key: collapse(path(key), windows, symbols, length))(jax.random.split(key, count))


def collapse(path: Array, windows: Array, symbols: int, length: int) -> Array:
    """[length] int32: the word that a path [L] of symbols spells, padded with -1."""
    before = jnp.concatenate([jnp.full(1, symbols - 1, path.dtype), path[:-1]])
    new = (path != symbols - 1) & (path != before) & (jnp.arange(len(path)) < windows)
    place = jnp.where(new, jnp.cumsum(new) - 1, length)  # what is no new letter falls off the end
    return jnp.full(length, -1, jnp.int32).at[place].set(path.astype(jnp.int32), mode="drop")


class _Words(NamedTuple):
    """Lists of different words, the lowest energy first; FAR where a list is not full."""

    energy: Array  # [..., K]
    word: Array  # [..., K, T] int8
    length: Array  # [..., K]


def _distinct(words: _Words, count: int) -> _Words:
    """The `count` best different ones of a list [M]."""

    def pick(energy: Array, _: None) -> tuple[Array, tuple[Array, Array, Array]]:
        best = jnp.argmin(energy)
        same = (words.word == words.word[best][None]).all(axis=-1)
        return jnp.where(same, FAR, energy), (energy[best], words.word[best], words.length[best])

    return _Words(*jax.lax.scan(pick, words.energy, length=count)[1])


def _append(words: _Words, letter: Array) -> _Words:
    """Each word with a letter more; FAR where there is no room for it."""
    size = words.word.shape[-1]
    here = jnp.arange(size).reshape((1,) * words.length.ndim + (-1,)) == words.length[..., None]
    energy = jnp.where(words.length < size, words.energy, FAR)
    return _Words(energy, jnp.where(here, letter.astype(jnp.int8), words.word), words.length + 1)


def best_words(table: Array, windows: Array, topology: Topology, count: int, length: int) -> tuple[Array, Array]:
    """(words [count, length] int32, energies [count]): the different words of lowest energy, each by its best path.

    Viterbi with a list of the best `count` different words in every symbol: a word that falls out of a list cannot come
    back, since those before it can go on as it would and stay different. Energies of FAR / 2 and more: no more words.
    """
    symbols = table.shape[1]
    size = min(length, room(len(table), topology))

    def flat(words: _Words) -> _Words:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), words)

    def into(letter: Array, lists: _Words) -> _Words:
        """The lists of a letter: what was there before goes on, what was elsewhere gets the letter."""
        here = jax.tree.map(lambda leaf: leaf[letter], lists)
        if topology is Topology.OPTIONAL:
            elsewhere = lists._replace(energy=lists.energy.at[letter].set(FAR))
            new = _append(flat(elsewhere), letter)
        else:
            new = _append(jax.tree.map(lambda leaf: leaf[-1], lists), letter)
        return _distinct(jax.tree.map(lambda *leaves: jnp.concatenate(leaves), here, new), count)

    def step(lists: _Words, position: tuple[Array, Array]) -> tuple[_Words, None]:
        number, here = position
        of_letters = jax.vmap(into, (0, None))(jnp.arange(symbols - 1), lists)
        between = jax.tree.map(lambda leaf: leaf[None], _distinct(flat(lists), count))
        onward = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), of_letters, between)
        onward = onward._replace(energy=jnp.minimum(onward.energy + here[:, None], FAR))
        return jax.tree.map(lambda new, old: jnp.where(number < windows, new, old), onward, lists), None

    energy = jnp.full((symbols, count), FAR, table.dtype).at[:, 0].set(table[0])
    energy = energy if topology is Topology.OPTIONAL else energy.at[-1].set(FAR)
    word = jnp.full((symbols, count, size), -1, jnp.int8).at[:-1, 0, 0].set(jnp.arange(symbols - 1, dtype=jnp.int8))
    start = _Words(energy, word, jnp.zeros((symbols, count), jnp.int32).at[:-1, 0].set(1))
    lists, _ = jax.lax.scan(step, start, (jnp.arange(1, len(table)), table[1:]))
    last = flat(lists) if topology is Topology.OPTIONAL else None
    best = jax.tree.map(lambda leaf: leaf[-1], lists) if last is None else _distinct(last, count)
    padded = jnp.pad(best.word.astype(jnp.int32), ((0, 0), (0, length - size)), constant_values=-1)
    return jnp.where((best.energy < FAR / 2)[:, None], padded, -1), best.energy


def others(words: Array, energies: Array, y: Array) -> Array:
    """[K - 1, T]: of the best K words those that are not y; y itself where there are no more."""
    at_y = (words == y[None]).all(axis=1) | (energies >= FAR / 2)
    order = jnp.argsort(at_y, stable=True)[: len(words) - 1]
    return jnp.where(at_y[order][:, None], y, words[order])
