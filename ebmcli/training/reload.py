"""The energy of a finished run, rebuilt from its configuration and the parameters that it left."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.core.lazy import jax, jnp
from ebmcli.core.registry import find, task_of
from ebmcli.core.types import Model, Units, bind
from ebmcli.storage import kept, store
from ebmcli.training.pinned import pinned


@pinned()
def energy(config: Mapping[str, Any], params: Path) -> Callable[[Any, Any], Any]:
    """(x, y) of a batch -> [B] energies, y in the user's units. params: the run's params.npz.

    Raises UsageError where that is not there.
    """
    trained = model(config, params)
    known = units(config, params.parent)
    single = jax.jit(jax.vmap(trained.apply))
    without = jax.jit(jax.vmap(lambda y: trained.apply(None, y)))

    def energies(x: Any, y: Any) -> Any:
        if known:  # in float64: a column may vary in the last digits that float32 has
            y = known.into_box(np.asarray(y, np.float64)).astype(np.float32)
        with pinned():
            return without(_array(y)) if x is None else single(jax.tree.map(_array, x), _array(y))

    return energies


@pinned()
def model(config: Mapping[str, Any], params: Path) -> Model:
    """The energy of one example with its parameters filled in: `model.apply(x, y)`, and what else it computes."""
    kept.offer(params.parent, config)
    unit = find("energy", config["energy"]).build(config, task_of(config).build(config).space)
    try:
        return bind(unit, jax.tree.map(jnp.asarray, _nested(_read(params)))["energy"])
    except (LookupError, TypeError, AttributeError):  # arrays of another kind, or of other names
        raise UsageError(_damaged(params)) from None


@pinned()
def units(config: Mapping[str, Any], run: Path) -> Units | None:
    """The units of the answers of a run, where these are not those of its box."""
    kept.offer(run, config)
    return cast(Units | None, task_of(config).build(config).units)


@pinned()
def in_units(config: Mapping[str, Any], run: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a run, with points of its data and negatives in the user's units."""
    known = units(config, run) if ":" in config["task"] else None  # other tasks may take long to build
    return {n: known.out_of_box(a) if known and n in ("y", "y_negative") else a for n, a in arrays.items()}


def _array(values: Any) -> Any:
    """Numbers as an array of jax, with the types of our programs: what is float64 in a notebook is float32 here."""
    return jnp.asarray(np.asarray(values))


def _read(params: Path) -> dict[str, np.ndarray]:
    arrays = store.arrays(params.parent, params.name)
    if arrays is None:
        raise UsageError(_damaged(params))
    return arrays


def _damaged(params: Path) -> str:
    return f"{params}: the parameters are missing or damaged; run the cell again"


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Dictionaries in dictionaries, from paths with slashes."""
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *above, last = path.split("/")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = leaf
    return tree
