"""A scalar network: nothing in it keeps the energy from collapsing."""

from typing import Any, Literal

from ebmcli.core.lazy import jnp, nn
from ebmcli.core.registry import energy
from ebmcli.core.types import Count, Energy, Space
from ebmcli.energies._inputs import features
from ebmcli.numerics.silu import silu

HEADS = {"free": lambda f: f, "softplus": lambda f: nn.softplus(f), "square": lambda f: jnp.square(f)}


@energy(continuous="", finite="", nonnegative={"head": "softplus square"})
def mlp(
    space: Space, hidden: Count = 64, layers: Count = 3, head: Literal["free", "softplus", "square"] = "free"
) -> Energy:
    """F(x, y) = head(MLP(x, y)), silu units; the heads softplus and square make F >= 0"""
    net: Any = nn.Sequential([*[one for _ in range(layers) for one in (nn.Dense(hidden), silu)], nn.Dense(1)])

    def apply(params, x, y):
        return HEADS[head](net.apply(params, features(x, y, space))[0])

    return Energy(init=lambda key, x, y: net.init(key, features(x, y, space)), apply=apply)
