"""The memory that a program will need, from the shapes of its arrays, before it is compiled: who asks for a network of
a million units a layer is answered at once, not after an hour of compiling."""

import os
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

from ebmcli.core.files import content
from ebmcli.core.lazy import jax

# What is not there before it is used: it is computed where it is read.
NEVER_THERE = {"broadcast_in_dim", "iota", "reshape", "convert_element_type", "squeeze", "expand_dims"}
PRODUCTS = {"dot_general", "conv_general_dilated"}
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


class TooLarge(MemoryError):
    """A program that needs more memory than there is."""


def check(traced: Any, kept: Any, learned: Any) -> None:
    """Raise TooLarge where a launch certainly needs more memory than this machine, or a device of it, has.

    traced: its traced training steps. kept, learned: what all of its lanes carry from step to step, and of it the
    parameters.
    """
    held = size(kept) + size(learned)  # a gradient is as large as the parameters
    at_once = max(working(traced.jaxpr))
    shared = jax.default_backend() == "cpu"  # all devices have the memory of the machine
    devices = jax.device_count()
    needed = held + devices * at_once if shared else held / devices + at_once
    room = of_this_machine() if shared else of_a_device()
    if room is not None and needed > room:
        where = "this machine" if shared else "the device"
        raise TooLarge(
            f"it needs about {text(needed)} of memory, {text(held)} of them for parameters, gradient, optimiser and "
            f"chains; {where} has {text(room)}: take smaller numbers, or fewer --devices"
        )


def size(tree: Any) -> int:
    """The bytes of all arrays of a tree, whether they are there or only their shapes are known."""
    return sum(_bytes(leaf) for leaf in jax.tree.leaves(tree))


def working(jaxpr: Any) -> tuple[float, float]:
    """The bytes of what a program has in memory at once besides what it keeps, at the least: half of its products of
    matrices, those of the energies that wait for their gradients; and its largest array."""
    from jax.extend.core import jaxprs_in_params

    products, largest = 0.0, 0.0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        inner = [working(each) for each in jaxprs_in_params(equation.params)]
        if not inner:
            result = sum(_bytes(variable.aval) for variable in equation.outvars)
            inner = [(result / 2 if name in PRODUCTS else 0.0, 0.0 if name in NEVER_THERE else float(result))]
        together = max if name == "cond" else sum  # of which one branch is taken
        products += together(product for product, _ in inner)
        largest = max([largest, *(each for _, each in inner)])
    return products, largest


def _bytes(leaf: Any) -> int:
    """The bytes of an array; nothing of what has no size, as a token has none."""
    try:
        return int(prod(leaf.shape) * leaf.dtype.itemsize)
    except (AttributeError, TypeError):
        return 0


def of_this_machine() -> int | None:
    """The bytes of memory that this process may use at most; None where nobody says."""
    sizes = []
    with suppress(OSError, ValueError, AttributeError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in LIMITS:
        with suppress(OSError, ValueError):
            sizes.append(int(content(Path(path))))
    return min(sizes, default=None)


def of_a_device() -> int | None:
    """The bytes of memory that an accelerator gives us; None where it does not say."""
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return None if limit is None else int(limit)


def text(count: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError
