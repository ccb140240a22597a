"""PyTorch's side of the benchmarks, as one writes it by hand; who calls hands torch over; nobody else imports it."""

from itertools import pairwise
from typing import Any

from race import threads


def network(torch: Any, hidden: int, layers: int) -> Any:
    """An MLP from points to energies, its units silu."""
    torch.set_num_threads(threads())
    nn, sizes = torch.nn, [2, *[hidden] * layers]
    inner = [layer for one, two in pairwise(sizes) for layer in (nn.Linear(one, two), nn.SiLU())]
    return nn.Sequential(*inner, nn.Linear(hidden, 1))


def moons(torch: Any, size: int) -> Any:
    """Points [size, 2] of two moons."""
    t = torch.pi * torch.rand(size)
    upper = torch.stack([torch.cos(t), torch.sin(t)], dim=1)
    lower = torch.stack([1 - torch.cos(t), 0.5 - torch.sin(t)], dim=1)
    arcs = torch.where(torch.rand(size, 1) < 0.5, upper, lower)
    return 2 * (arcs + 0.1 * torch.randn(size, 2)) + torch.tensor([-1.0, -0.2])


def langevin(torch: Any, net: Any, y: Any, steps: int, step_size: float) -> Any:
    """Chains [K, 2] after so many steps; they are not reflected at the walls, as ours are."""
    noise = (2 * step_size) ** 0.5
    for _ in range(steps):
        y.requires_grad_(True)
        (slope,) = torch.autograd.grad(net(y).sum(), y)
        y = (y - step_size * slope + noise * torch.randn_like(y)).detach()
    return y
