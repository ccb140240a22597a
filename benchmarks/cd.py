"""Steps per second of contrastive divergence on two moons, over all cores: ours, PyTorch, TorchEBM, and the floor.

    pip install -e ".[bench]" && python benchmarks/cd.py [--repetitions 5] [--seconds 5] [--output FILE.json]

An MLP 2-128-128-1 (SiLU), batch 256, 256 chains of 10 Langevin steps from the data, Adam. Every contender runs in
processes of its own, one contender after the other and all of them again, `repetitions` times; the table has medians.
The floor: the floating-point operations of the matrix products of a step over the rate of jax's product of two
2048 x 2048 float32 matrices, one process a core, measured in the same run; torch's rate stands beside it. Two rows
have the matrix products of the chains in bfloat16: ours by chain_precision, PyTorch's by its autocast.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ours import steps_per_second
from peers import langevin, moons, network
from race import Contender, race, threads, timed

from ebmcli.training.devices import cores

BATCH, CHAIN, HIDDEN, STEP_SIZE, ALPHA, RATE = 256, 10, 128, 0.1, 0.1, 5e-3
SIDE = 2048  # of the matrices whose product gives the floor
# A chain step differentiates in y: forward and one backward product. Training differentiates in the weights too: three
# products, of right answers and of negatives.
FORWARD = 2 * (2 * HIDDEN + HIDDEN * HIDDEN + HIDDEN)
OPERATIONS = BATCH * FORWARD * (2 * CHAIN + 3 * 2)


def ours(seconds: float, precision: str = "float32") -> float:
    """A sweep of as many lanes as cores, the training alone."""
    net = {"hidden": HIDDEN, "layers": 2, "batch_size": BATCH, "lr": RATE}
    chain = {"chain_steps": CHAIN, "step_size": STEP_SIZE, "alpha": ALPHA, "chain_precision": precision}
    return steps_per_second(seconds, {"task": "moons", "loss": "ml", "sampler": "cd"}, net | chain)[0]


def pytorch(seconds: float, bfloat16: bool = False) -> float:
    """The loop as one writes it by hand."""
    import torch
    from torch.nn import functional

    net = network(torch, HIDDEN, 2)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)

    def step() -> None:
        data = moons(torch, BATCH)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            y = langevin(torch, net, data.clone(), CHAIN, STEP_SIZE)
        right, wrong = net(data), net(y)
        loss = right.mean() - wrong.mean() + ALPHA * (functional.mse_loss(right, 0 * right) + wrong.square().mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return timed(step, seconds)


def torchebm_step(hidden: int, device: str = "cpu") -> Callable[[], None]:
    """A training step of TorchEBM's own loss and sampler."""
    import torch
    from torchebm.core import BaseModel
    from torchebm.losses import ContrastiveDivergence
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(torch, hidden, 2)

        def forward(self, x: Any) -> Any:
            return self.net(x).squeeze(-1)

    model = Model().to(device)
    sampler = LangevinDynamics(model=model, step_size=STEP_SIZE, device=device)
    loss = ContrastiveDivergence(model=model, sampler=sampler, k_steps=CHAIN, energy_reg_weight=ALPHA, device=device)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        value, _ = loss(moons(torch, BATCH))
        value.backward()
        optimiser.step()

    return step


def torchebm(seconds: float) -> float:
    """Steps per second of TorchEBM's own loss and sampler."""
    return timed(torchebm_step(HIDDEN), seconds)


def jax_floor(seconds: float) -> float:
    """Steps per second that the matrix products alone would allow."""
    import jax

    product = jax.jit(lambda a: a @ a)
    matrix = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    return timed(lambda: product(matrix).block_until_ready(), seconds) * 2 * SIDE**3 / OPERATIONS


def torch_floor(seconds: float) -> float:
    """The same with torch's product."""
    import torch

    torch.set_num_threads(threads())
    matrix = torch.randn(SIDE, SIDE)
    return timed(lambda: matrix @ matrix, seconds) * 2 * SIDE**3 / OPERATIONS


ALL, EACH = {"threads": cores()}, {"processes": cores(), "threads": 1}
CONTENDERS = {
    "ebm, a lane a core": Contender(ours),
    "ebm, chains in bfloat16": Contender(partial(ours, precision="bfloat16")),
    "PyTorch, all threads": Contender(pytorch, **ALL),
    "PyTorch, a process a core": Contender(pytorch, **EACH),
    "PyTorch, a process a core, chains in bfloat16": Contender(partial(pytorch, bfloat16=True), **EACH),
    "TorchEBM, all threads": Contender(torchebm, **ALL),
    "TorchEBM, a process a core": Contender(torchebm, **EACH),
    "floor (jax's matrix product)": Contender(jax_floor, **EACH),
    "floor (torch's matrix product)": Contender(torch_floor, **EACH),
}

if __name__ == "__main__":
    race(__doc__, {"contrastive divergence": CONTENDERS}, "steps/s")
