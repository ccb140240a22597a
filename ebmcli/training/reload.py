"""The energy of a finished run, rebuilt from its configuration and the parameters that it left."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.core.lazy import jax, jnp
from ebmcli.core.registry import find, task_of
from ebmcli.core.types import Model, bind
from ebmcli.storage import kept, store
from ebmcli.training.devices import PRECISION


def energy(config: Mapping[str, Any], params: Path) -> Callable[[Any, Any], Any]:
    """(x, y) of a batch -> [B] energies. params: the run's params.npz. Raises UsageError where that is not there."""
    trained = model(config, params)
    single = jax.jit(jax.vmap(trained.apply))
    without = jax.jit(jax.vmap(lambda y: trained.apply(None, y)))

    def energies(x: Any, y: Any) -> Any:
        with jax.default_matmul_precision(PRECISION):
            return without(jnp.asarray(y)) if x is None else single(jax.tree.map(jnp.asarray, x), jnp.asarray(y))

    return energies


def model(config: Mapping[str, Any], params: Path) -> Model:
    """The energy of one example with its parameters filled in: `model.apply(x, y)`, and what else it computes."""
    kept.offer(params.parent, config)
    unit = find("energy", config["energy"]).build(config, task_of(config).build(config).space)
    return bind(unit, jax.tree.map(jnp.asarray, _nested(_read(params)))["energy"])


def _read(params: Path) -> dict[str, np.ndarray]:
    arrays = store.arrays(params.parent, params.name)
    if arrays is None:
        raise UsageError(f"{params}: the parameters are missing or damaged; run the cell again")
    return arrays


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
