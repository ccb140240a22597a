"""Words on a strip: what is looked at of an energy, and the measures of a reader that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.core.types import Alignment, Model, Strip
from ebmcli.tasks import _strips as strips
from ebmcli.training import evaluate

LETTERS = 10


def reader(errors):
    """An energy that knows the answer by its windows: letter k in window k, and `errors` maps a letter to another."""
    table_of = jnp.array([errors.get(c, c) for c in range(26)])

    def read(x):
        ink = x.image[:LETTERS, 0]
        return jnp.where(ink >= 0, table_of[ink.astype(int)], -1).astype(jnp.int32)

    def apply(x, y):
        return jnp.sum((read(x) != y).astype(jnp.float32))

    def n_best(x, y, count):
        best = read(x)
        wrong, second = (best.at[0].set((best[0] + far) % 26) for far in (1, 2))
        same = (best == y).all()
        return jnp.stack([jnp.where(same, wrong, best), jnp.where(same, second, wrong)])[:count]

    def align(x, y):
        state = jnp.where(jnp.arange(LETTERS) < jnp.sum(y >= 0), 2 * jnp.arange(LETTERS) + 1, -1)
        return Alignment(1.0 - jax.nn.one_hot(read(x), 27), state, 12.0 * jnp.arange(LETTERS) + 8)

    return Model(apply, n_best=n_best, align=align)


def test_measures_of_a_reader_that_is_known():
    """It reads every a as b and is sure of it by 1; its letters are found two pixels to the right."""
    label = np.full((4, LETTERS), -1, np.int32)
    for row, word in enumerate(["cd", "ab", "xxz", "aaaa"]):
        label[row, : len(word)] = [ord(c) - 97 for c in word]

    @jax.jit
    @jax.vmap
    def look(y):
        strip = Strip(y[:, None].astype(jnp.float32), jnp.int32(60))
        return strips.look(reader({0: 1}), strip, y, jnp.zeros(LETTERS, jnp.int32))

    probed = jax.tree.map(np.asarray, look(label))
    centre = np.tile(12.0 * np.arange(LETTERS) + 6, (4, 1))
    seen = {name: leaf for name, leaf in probed.items() if name != "shown"}
    found = evaluate.measures(strips.evaluation(seen, label, centre, 0.5, "constant"))
    assert found["cer"] == pytest.approx(5 / 11)
    assert (found["wer"], found["exact_match"]) == (0.5, 0.5)
    assert found["alignment_error"] == 2.0
    assert found["violation_rate"] == 0.5
    for kind, violated in (
        ("constant", 0.25),
        ("edit", 0.0),
    ):  # a level that only aaaa is below; it lies four edits off
        assert evaluate.measures(strips.evaluation(seen, label, centre, -1.5, kind))["violation_rate"] == violated
    assert found["gap_q50"] == 0.0, "gaps 1, -1, 1, -4"
    assert found["reject_at_1pct"] == 1.0, "all are equally sure, and ties help nobody"
    assert ["".join(chr(97 + c) for c in y if c >= 0) for y in probed["found"]] == ["cd", "bb", "xxz", "bbbb"]
    assert found["decoder_gap"] == 0.25, "window by window xx is x"
