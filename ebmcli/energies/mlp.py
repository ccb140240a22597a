"""A scalar network: nothing in it keeps the energy from collapsing."""

from typing import Literal

from ebmcli.lazy import jnp, nn
from ebmcli.registry import energy
from ebmcli.types import Count, Energy

HEADS = {"free": lambda f: f, "softplus": lambda f: nn.softplus(f), "square": lambda f: jnp.square(f)}


@energy(continuous="")
def mlp(hidden: Count = 64, layers: Count = 3, head: Literal["free", "softplus", "square"] = "free") -> Energy:
    """F(y) = head(MLP(y)), silu units; the heads softplus and square make F >= 0"""
    net = nn.Sequential([*[module for _ in range(layers) for module in (nn.Dense(hidden), nn.silu)], nn.Dense(1)])

    def apply(params, x, y):
        return HEADS[head](net.apply(params, y)[..., 0])  # type: ignore[index]

    return Energy(init=lambda key, x, y: net.init(key, y), apply=apply)
