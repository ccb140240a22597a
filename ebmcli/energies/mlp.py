"""A scalar network: nothing in it keeps the energy from collapsing."""

from typing import Annotated, Any

from annotated_types import Le

from ebmcli.core.decorators import energy
from ebmcli.core.lazy import Array, Key, nn
from ebmcli.core.parameters import Also
from ebmcli.core.types import Count, Energy, Space
from ebmcli.energies._heads import NONNEGATIVE, Head, head_function
from ebmcli.energies._inputs import features
from ebmcli.numerics.silu import silu


@energy(continuous="", finite="", nonnegative=NONNEGATIVE, seconds=(4e-7, 0.0), also="nn network neural-network dense")
def mlp(
    space: Space,
    hidden: Annotated[Count, Also("width units")] = 64,
    layers: Annotated[Count, Le(100), Also("depth")] = 3,
    head: Head = "free",
) -> Energy:
    """F(x, y) = head(MLP(x, y)), silu units; the heads softplus and square make F >= 0"""
    net: Any = nn.Sequential([*[layer for _ in range(layers) for layer in (nn.Dense(hidden), silu)], nn.Dense(1)])
    above = head_function(head)

    def init(key: Key, x: Any, y: Any) -> Any:
        return net.init(key, features(x, y, space))

    def apply(params: Any, x: Any, y: Any) -> Array:
        return above(net.apply(params, features(x, y, space))[0])

    return Energy(init, apply)
