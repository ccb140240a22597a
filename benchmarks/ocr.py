"""Examples a second of training on `letters` (energy conv-chain) and on `words`, against the same nets in PyTorch.

    pip install -e ".[bench]" && python benchmarks/ocr.py [--repetitions 5] [--seconds 6] [--output FILE.json]

Loss nll, Adam, all cores each. An epoch is so many words for everyone, so the ratio of rates is that of epochs.
`letters`: 12 words of the set at a time, a net of two convolutions and two dense layers on each letter, and the free
energy of a chain. `words`: 32 strips of 2 and 3 letters, a net of 220,000 weights on windows, and CTC (a blank that is
optional), since PyTorch has no other alignment. PyTorch gets its examples ready-made, ours are drawn at every step.
"""

from typing import Any

import numpy as np
from ours import steps_per_second
from race import Contender, race, threads, timed

from ebmcli.training.devices import cores

LETTERS, WORDS = 12, 32  # a batch
LENGTH, LABELS, RATE = 14, 26, 1e-3


def our_letters(seconds: float) -> float:
    """Two lanes on two cores."""
    axes = {"task": "letters", "energy": "conv-chain", "loss": "nll"}
    return LETTERS * steps_per_second(seconds, axes, {"batch_size": LETTERS, "weight_decay": 0.0})[0]


def our_words(seconds: float) -> float:
    """Two lanes on two cores."""
    return WORDS * steps_per_second(seconds, {"task": "words", "loss": "nll"}, {"blank": "optional"})[0]


def torch_letters(seconds: float) -> float:
    """The same net, its chain as a loop over positions."""
    import torch

    torch.set_num_threads(threads())
    layers, draw = torch.nn, np.random.default_rng(0)
    net = layers.Sequential(
        layers.Conv2d(1, 16, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2),
        layers.Conv2d(16, 32, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2),
        layers.Flatten(), layers.Linear(32 * 4 * 2, 128), layers.ReLU(), layers.Linear(128, LABELS),
    )  # fmt: skip
    pairs = torch.zeros(LABELS, LABELS, requires_grad=True)
    optimiser = torch.optim.Adam([*net.parameters(), pairs], lr=RATE)
    images = torch.from_numpy((draw.random((64, LETTERS, LENGTH, 16, 8)) < 0.2).astype(np.float32) * 2 - 1)
    labels = torch.from_numpy(draw.integers(0, LABELS, (64, LETTERS, LENGTH)))
    mask = (torch.arange(LENGTH) < torch.from_numpy(draw.integers(3, LENGTH + 1, (64, LETTERS, 1)))).float()
    place = iter(range(10**9))

    def step() -> None:
        number = next(place) % 64
        y, there = labels[number], mask[number]
        unary = net(images[number].reshape(-1, 1, 16, 8)).reshape(LETTERS, LENGTH, LABELS)
        reach = unary[:, 0]
        for t in range(1, LENGTH):
            onward = torch.logsumexp(reach[:, :, None] + pairs, 1) + unary[:, t]
            reach = torch.where(there[:, t, None] > 0, onward, reach)
        right = (unary.gather(2, y[:, :, None])[:, :, 0] * there).sum(1)
        right = right + (pairs[y[:, :-1], y[:, 1:]] * there[:, 1:]).sum(1)
        optimiser.zero_grad(set_to_none=True)
        (torch.logsumexp(reach, 1) - right).mean().backward()
        optimiser.step()

    return timed(step, seconds, LETTERS)


def torch_words(seconds: float) -> float:
    """The same net on the same windows, with PyTorch's CTC."""
    import torch

    torch.set_num_threads(threads())
    layers, draw = torch.nn, np.random.default_rng(0)
    images, words = _strips()
    net = layers.Sequential(
        layers.Linear(18 * 32, 256),
        layers.ReLU(),
        layers.Linear(256, 256),
        layers.ReLU(),
        layers.Linear(256, LABELS + 1),
    )
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    strips, y = torch.from_numpy(images), torch.from_numpy(words).long()
    lengths = (y >= 0).sum(1)
    windows = (18 * lengths + 6 - 18) // 6 + 1

    def step() -> None:
        chosen = torch.from_numpy(draw.integers(0, len(strips), WORDS))
        seen = strips[chosen].unfold(1, 18, 6).flatten(2)
        table = net(seen).log_softmax(-1).transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(
            table, y[chosen].clamp(min=0), windows[chosen], lengths[chosen], blank=LABELS, zero_infinity=True
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return timed(step, seconds, WORDS)


def _strips() -> tuple[np.ndarray, np.ndarray]:
    """1,024 training examples of `words`: images [N, W, 32] and answers [N, T]."""
    from ebmcli.core.lazy import jax
    from ebmcli.core.registry import find

    task = find("task", "words").build({})
    batch: Any = jax.jit(lambda data: task.draw(jax.random.key(0), data, 1024))(task.data())
    return np.array(batch.x.image, np.float32), np.array(batch.y)


ALL, EACH = {"threads": cores()}, {"processes": cores(), "threads": 1}
GROUPS = {
    "letters, conv-chain": {
        "ebm, a lane a core": Contender(our_letters),
        "PyTorch, all threads": Contender(torch_letters, **ALL),
        "PyTorch, a process a core": Contender(torch_letters, **EACH),
    },
    "words, trellis": {
        "ebm, a lane a core": Contender(our_words),
        "PyTorch, all threads": Contender(torch_words, **ALL),
        "PyTorch, a process a core": Contender(torch_words, **EACH),
    },
}

if __name__ == "__main__":
    race(__doc__, GROUPS, "words/s", seconds=6.0)
