"""Alignment of windows with a word, forward and gradient, and Viterbi: ours, PyTorch's CTC, optax's CTC, Python loops.

    pip install -e ".[bench]" && python benchmarks/align.py [--repetitions 5] [--seconds 3] [--output FILE.json]

32 strips of 60 windows and 27 symbols with words of 10 letters; the topology is that of CTC (an optional blank), since
the others know no other. Everyone gets scores and returns the mean of minus the log of the sum over alignments, and its
gradient in the scores; the others make log probabilities of the scores first, which an energy needs not: with and
without. Chains: 24 words of 14 letters, -log P(y) = F - free energy, and its gradient. One thread each.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from race import Contender, race, threads, timed

STRIPS, WINDOWS, SYMBOLS, LETTERS = 32, 60, 27, 10
WORDS, LENGTH, LABELS = 24, 14, 26


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Scores [32, 60, 27] whose last symbol is the blank, and words [32, 10]."""
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(STRIPS, WINDOWS, SYMBOLS)).astype(np.float32)
    return scores, draw.integers(0, SYMBOLS - 1, (STRIPS, LETTERS)).astype(np.int32)


def chained() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies [24, 14, 26] of letters and [26, 26] of pairs, and words [24, 14]."""
    draw = np.random.default_rng(0)
    unary = draw.normal(size=(WORDS, LENGTH, LABELS)).astype(np.float32)
    pairs = draw.normal(size=(LABELS, LABELS)).astype(np.float32)
    return unary, pairs, draw.integers(0, LABELS, (WORDS, LENGTH)).astype(np.int32)


# --- in jax ----------------------------------------------------------------------------------------------------------


def _jitted(seconds: float, function: Callable[..., Any], *arguments: np.ndarray, each: int) -> float:
    import jax

    compiled, there = jax.jit(function), [jax.device_put(one) for one in arguments]
    return timed(lambda: jax.block_until_ready(compiled(*there)), seconds, each)


def ours(seconds: float, normalised: bool = False) -> float:
    """`alignment.word_energy`, over all examples; of scores, as our losses use it, or of log probabilities."""
    import jax
    import jax.numpy as jnp

    from ebmcli.numerics import alignment
    from ebmcli.numerics.alignment import Topology

    def loss(scores: Any, y: Any) -> Any:
        table = -jax.nn.log_softmax(scores) if normalised else -scores
        energy = partial(alignment.word_energy, topology=Topology.OPTIONAL, soft=True)
        return jax.vmap(energy, (0, None, 0))(table, jnp.int32(WINDOWS), y).mean()

    return _jitted(seconds, jax.value_and_grad(loss), *drawn(), each=STRIPS)


def of_optax(seconds: float) -> float:
    """optax.ctc_loss."""
    import jax
    import jax.numpy as jnp
    import optax

    def loss(scores: Any, y: Any) -> Any:
        none = jnp.zeros(scores.shape[:2]), jnp.zeros(y.shape)
        return optax.ctc_loss(scores, none[0], y, none[1], blank_id=SYMBOLS - 1).mean()

    return _jitted(seconds, jax.value_and_grad(loss), *drawn(), each=STRIPS)


def our_viterbi(seconds: float) -> float:
    """`alignment.best_path`, over all examples."""
    import jax
    import jax.numpy as jnp

    from ebmcli.numerics import alignment
    from ebmcli.numerics.alignment import Topology

    def paths(table: Any, y: Any) -> Any:
        path = partial(alignment.best_path, topology=Topology.OPTIONAL)
        return jax.vmap(path, (0, None, 0))(-table, jnp.int32(WINDOWS), y)

    return _jitted(seconds, paths, *drawn(), each=STRIPS)


def our_chain(seconds: float) -> float:
    """`label_chain.free_energy` and `label_chain.chain_energy`, over all examples."""
    import jax
    import jax.numpy as jnp

    from ebmcli.energies import label_chain

    def loss(unary: Any, pairs: Any, y: Any) -> Any:
        mask = jnp.ones(LENGTH, bool)

        def one(unary: Any, y: Any) -> Any:
            free = label_chain.free_energy(unary, pairs, mask, beta=jnp.float32(1))
            return label_chain.chain_energy(unary, pairs, mask, y) - free

        return jax.vmap(one)(unary, y).mean()

    return _jitted(seconds, jax.value_and_grad(loss, (0, 1)), *chained(), each=WORDS)


# --- in PyTorch ------------------------------------------------------------------------------------------------------


def of_torch(seconds: float) -> float:
    """torch.nn.functional.ctc_loss."""
    import torch

    torch.set_num_threads(threads())
    scores, words = (torch.from_numpy(one) for one in drawn())
    scores.requires_grad_(True)
    windows, letters = torch.full((STRIPS,), WINDOWS), torch.full((STRIPS,), LETTERS)

    def step() -> Any:
        table = scores.log_softmax(-1).transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(table, words, windows, letters, blank=SYMBOLS - 1, reduction="none")
        return torch.autograd.grad(loss.mean(), scores)

    return timed(step, seconds, STRIPS)


def looped(seconds: float) -> float:
    """As one writes it: a Python loop over examples and windows, the states of a window as one vector."""
    import torch

    torch.set_num_threads(threads())
    scores, words = (torch.from_numpy(one) for one in drawn())
    scores.requires_grad_(True)
    far = torch.tensor([-1e30])

    def one(table: Any, word: Any) -> Any:
        symbol = torch.full((2 * LETTERS + 1,), SYMBOLS - 1)
        symbol[1::2] = word
        skip = torch.zeros(2 * LETTERS + 1, dtype=torch.bool)
        skip[3::2] = word[1:] != word[:-1]
        local = table[:, symbol]
        reach = torch.cat([local[0, :2], far.expand(2 * LETTERS - 1)])
        for here in local[1:]:
            one, two = torch.cat([far, reach[:-1]]), torch.cat([far, far, reach[:-2]])
            reach = torch.logsumexp(torch.stack([reach, one, torch.where(skip, two, far)]), 0) + here
        return -torch.logsumexp(reach[-2:], 0)

    def step() -> Any:
        tables = scores.log_softmax(-1)
        loss = torch.stack([one(table, word) for table, word in zip(tables, words.long(), strict=True)]).mean()
        return torch.autograd.grad(loss, scores)

    return timed(step, seconds, STRIPS)


def looped_viterbi(seconds: float) -> float:
    """A Python loop over examples and windows, in numpy."""
    scores, words = drawn()

    def one(table: np.ndarray, word: np.ndarray) -> np.ndarray:
        symbol = np.full(2 * LETTERS + 1, SYMBOLS - 1)
        symbol[1::2] = word
        skip = np.zeros(2 * LETTERS + 1, bool)
        skip[3::2] = word[1:] != word[:-1]
        local, back = table[:, symbol], np.zeros((WINDOWS, 2 * LETTERS + 1), int)
        reach = np.full(2 * LETTERS + 1, -np.inf)
        reach[:2] = local[0, :2]
        for number in range(1, WINDOWS):
            two = np.where(skip, np.concatenate([[-np.inf] * 2, reach[:-2]]), -np.inf)
            sources = np.stack([reach, np.concatenate([[-np.inf], reach[:-1]]), two])
            back[number] = sources.argmax(0)
            reach = sources.max(0) + local[number]
        path = [2 * LETTERS - 1 + int(reach[-1] > reach[-2])]
        for row in back[:0:-1]:
            path.append(path[-1] - row[path[-1]])
        return np.array(path[::-1])

    return timed(lambda: [one(*each) for each in zip(scores, words, strict=True)], seconds, STRIPS)


def torch_chain(seconds: float) -> float:
    """The forward algorithm as a Python loop over positions, all examples at once."""
    import torch

    torch.set_num_threads(threads())
    unary, pairs, words = (torch.from_numpy(one) for one in chained())
    words = words.long()
    unary.requires_grad_(True)
    pairs.requires_grad_(True)

    def step() -> Any:
        reach = -unary[:, 0]
        for t in range(1, LENGTH):
            reach = torch.logsumexp(reach[:, :, None] - pairs, 1) - unary[:, t]
        energy = unary.gather(2, words[:, :, None]).sum((1, 2)) + pairs[words[:, :-1], words[:, 1:]].sum(1)
        return torch.autograd.grad((energy + torch.logsumexp(reach, 1)).mean(), (unary, pairs))

    return timed(step, seconds, WORDS)


GROUPS = {
    "forward and gradient": {
        "ebm": Contender(ours, threads=1),
        "ebm, with a log softmax": Contender(partial(ours, normalised=True), threads=1),
        "torch.nn.CTCLoss": Contender(of_torch, threads=1),
        "optax.ctc_loss": Contender(of_optax, threads=1),
        "PyTorch, a loop over examples and windows": Contender(looped, threads=1),
    },
    "Viterbi": {
        "ebm": Contender(our_viterbi, threads=1),
        "numpy, a loop over examples and windows": Contender(looped_viterbi, threads=1),
    },
    "chain, forward and gradient": {
        "ebm": Contender(our_chain, threads=1),
        "PyTorch, a loop over positions": Contender(torch_chain, threads=1),
    },
}

if __name__ == "__main__":
    race(__doc__, GROUPS, "examples/s", seconds=3.0)
