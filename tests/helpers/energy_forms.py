"""Every registered energy by hand: its formula, in numpy and in float64, from its parameters.

What is random is given: params are a tree of arrays as `init` makes it, x a question, y answers [M, ...]; `at` are
the settings of the energy with beta, `space` the answers.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from helpers.paths import energies_of_words, read

from ebmcli.core.types import Box

HEADS = {"free": lambda f: f, "softplus": lambda f: np.logaddexp(0, f), "square": np.square}


class Form(NamedTuple):
    """What is known of an energy without running it."""

    energy: Callable[..., np.ndarray]  # (params, x, y [M, ...], at, space) -> [M]; infinite where y is no answer to x
    shapes: Callable[..., Any]  # (x, at, space) -> the shape of each parameter, in a tree like that of the parameters
    reconstruct: Callable[..., np.ndarray] | None = None  # (params, x, y [M, D], at, space) -> [M, D]
    table: Callable[..., np.ndarray] | None = None  # (params, x, at) -> [windows, C + 1] of what aligns letters


# --- networks ---------------------------------------------------------------------------------------------------------


def silu(x):
    return x / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def dense(layer, rows):
    """[M, outputs] of rows [M, inputs]."""
    return rows @ np.float64(layer["kernel"]) + np.float64(layer["bias"])


def network(params, rows, unit):
    """Layers with a unit after each but the last: every other one of a Sequential."""
    layers = [params["params"][f"layers_{2 * i}"] for i in range(len(params["params"]))]
    for layer in layers[:-1]:
        rows = unit(dense(layer, rows))
    return dense(layers[-1], rows)


def of_network(*sizes):
    """The shapes of its parameters."""
    return {"params": {f"layers_{2 * i}": of_dense(*pair) for i, pair in enumerate(pairwise(sizes))}}


def of_dense(inputs, outputs):
    return {"kernel": (inputs, outputs), "bias": (outputs,)}


# --- of arrays --------------------------------------------------------------------------------------------------------


def plain(y, space):
    """[M, D]: points as they are, labels one-hot."""
    return np.float64(y) if isinstance(space, Box) else np.eye(space.size)[y]


def width(space):
    return space.dims if isinstance(space, Box) else space.size


def beside(x, rows):
    """[M, inputs]: the question, where there is one, before each row."""
    return rows if x is None else np.concatenate([np.tile(np.ravel(x), (len(rows), 1)), rows], axis=1)


def inputs(x, size):
    return size if x is None else np.size(x) + size


def squared_distance(left, right):
    return np.square(left - right).sum(axis=1)


def mlp(params, x, y, at, space):
    return HEADS[at["head"]](network(params, beside(x, plain(y, space)), silu)[:, 0])


def of_mlp(x, at, space):
    return of_network(inputs(x, width(space)), *[at["hidden"]] * at["layers"], 1)


def regressor(params, x, y, at, space):
    return squared_distance(plain(y, space), network(params, np.reshape(x, (1, -1)), silu))


def of_regressor(x, at, space):
    return of_network(np.size(x), at["hidden"], at["hidden"], width(space))


def two_branch(params, x, y, at, space):
    question = network(params["question"], np.reshape(x, (1, -1)), silu)
    return squared_distance(question, network(params["answer"], plain(y, space), silu))


def of_two_branch(x, at, space):
    inner = at["hidden"], at["hidden"], at["code"]
    return {"question": of_network(np.size(x), *inner), "answer": of_network(width(space), *inner)}


def reconstruct(params, x, y, at, space):
    return network(params["decoder"], beside(x, network(params["encoder"], np.float64(y), silu)), silu)


def autoencoder(params, x, y, at, space):
    return squared_distance(np.float64(y), reconstruct(params, x, y, at, space))


def of_autoencoder(x, at, space):
    hidden, inner, size = at["hidden"], at["bottleneck"], width(space)
    return {
        "encoder": of_network(size, hidden, hidden, inner),
        "decoder": of_network(inputs(x, inner), hidden, hidden, size),
    }


# --- of words ---------------------------------------------------------------------------------------------------------


def linear(params, letters):
    """[T, labels]: the scores W x + b."""
    return dense(params["params"], np.float64(letters))


def convolution(layer, images):
    """[T, H, W, outputs] of [T, H, W, inputs]: 3 by 3, zeros beyond the edge, by adding up nine shifted images."""
    kernel = np.float64(layer["params"]["kernel"]).reshape(3, 3, images.shape[-1], -1)
    height, wide = images.shape[1:3]
    around = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [around[:, i : i + height, j : j + wide] @ kernel[i, j] for i in range(3) for j in range(3)]
    return sum(shifted) + np.float64(layer["params"]["bias"])


def convolutional(params, letters):
    """[T, labels]: two convolutions with rectifiers and maxima over 2 by 2, and two layers."""
    image = 2 * np.float64(letters).reshape(-1, 16, 8, 1) - 1
    for layer in params[:2]:
        image = relu(convolution(layer, image))
        image = np.maximum(image[:, ::2], image[:, 1::2])
        image = np.maximum(image[:, :, ::2], image[:, :, 1::2])
    return linear(params[3], relu(linear(params[2], image.reshape(len(letters), -1))))


def tables(scores, params, x, at):
    """[T, C] and [C, C]: the energies of letters and of pairs."""
    above = HEADS[at["head"]]
    unary = above(-scores(params["letter"], x.letters))
    labels = unary.shape[1]
    return unary, above(-np.float64(params["transition"]) if at["order"] else np.zeros((labels, labels)))


def chain(scores):
    """The energy of a chain on these scores: sum_t h(-scores(x_t)[y_t]) + sum_t h(-A[y_t, y_t+1]), h the head."""

    def energy(params, x, y, at, space):
        unary, transition = tables(scores, params, x, at)
        length = int(np.sum(x.mask))
        found = sum(unary[t, y[:, t]] for t in range(length))
        return found + sum(transition[y[:, t - 1], y[:, t]] for t in range(1, length))

    return energy


def of_chain(letter):
    """The shapes of its parameters. letter: (settings, labels) -> those of the network."""

    def shapes(x, at, space):
        labels = space.labels
        return {"letter": letter(at, labels)} | ({"transition": (labels, labels)} if at["order"] else {})

    return shapes


def of_linear(at, labels):
    return {"params": of_dense(128, labels)}


def of_convolutional(at, labels):
    channels, code = at["channels"], at["code"]
    sizes = [(9, channels), (9 * channels, 2 * channels), (4 * 2 * 2 * channels, code), (code, labels)]
    return [{"params": of_dense(*pair)} for pair in sizes]


# --- of strips --------------------------------------------------------------------------------------------------------


def windows(x):
    """How many windows of 18 columns, 6 apart, lie on a strip."""
    return (int(x.width) - 18) // 6 + 1


def window_table(params, x, at):
    """[windows, C + 1]: a perceptron with two hidden layers on every window."""
    rows = np.stack([np.ravel(x.image[6 * i : 6 * i + 18]) for i in range(windows(x))])
    return HEADS[at["head"]](network(params, np.float64(rows), relu))


def trellis(params, x, y, at, space):
    soft, beta = at["alignment"] == "sum", at["beta"] if at["alignment"] == "sum" else 1.0
    known = energies_of_words(beta * window_table(params, x, at), at["blank"], soft)
    return np.array([known.get(read(one), np.inf) / beta for one in y])


def of_trellis(x, at, space):
    return of_network(18 * x.image.shape[1], at["hidden"], at["hidden"], space.labels + 1)


FORMS = {
    "mlp": Form(mlp, of_mlp),
    "regressor": Form(regressor, of_regressor),
    "two-branch": Form(two_branch, of_two_branch),
    "autoencoder": Form(autoencoder, of_autoencoder, reconstruct),
    "linear-chain": Form(chain(linear), of_chain(of_linear)),
    "conv-chain": Form(chain(convolutional), of_chain(of_convolutional)),
    "trellis": Form(trellis, of_trellis, table=window_table),
}
