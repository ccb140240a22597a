"""Markov chains whose ends are no samples of the model: what their measures tell of them."""

from collections.abc import Mapping
from typing import Any

ACCEPTED = 0.01  # of the proposals: with fewer the chains all but stand still
STILL = 1e-3  # of the width of the box: who goes less far in a draw ends where it began
REFLECTED = 0.5  # of the chains: where more leave the box in a step, it is filled whatever the energy


def warnings(metrics: Mapping[str, Any]) -> list[str]:
    """Reasons, from `acceptance`, `moved` and `reflected`, why the negatives of a run are no samples of the model."""
    acceptance, moved, reflected = (metrics.get(name) for name in ("acceptance", "moved", "reflected"))
    if acceptance is not None and acceptance < ACCEPTED:
        return [f"its chains accept {acceptance:.1%} of their proposals and hardly move: lower step_size"]
    if moved is not None and moved < STILL:
        return [f"its chains end where they begin, {moved:.1g} of the box away: raise step_size or chain_steps"]
    if reflected is not None and reflected > REFLECTED:
        return [
            f"a step takes {reflected:.0%} of its chains out of the box, whose walls send them back, so that they end "
            "anywhere whatever the energy: lower step_size"
        ]
    return []
