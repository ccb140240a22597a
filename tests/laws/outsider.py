"""One unit of each kind, as a package of somebody else brings them: nothing but ebmcli.plugin is imported."""

from dataclasses import dataclass

import numpy as np

from ebmcli.plugin import (
    Annotated,
    Array,
    Batch,
    Box,
    Column,
    Cost,
    Count,
    Energies,
    Energy,
    Flag,
    Link,
    Negatives,
    Positive,
    Report,
    Sampler,
    Task,
    Trainer,
    Work,
    energy,
    executor,
    jax,
    jnp,
    loss,
    mean,
    measure,
    optax,
    optimizer,
    report_format,
    sampler,
    schedule,
    task,
)


@loss("negatives", promised="infinite", flat="1", reference="nobody")
def outer(e: Energies, rate: Positive = 1.0) -> Array:
    """exp(rate (F+ - F-))"""
    return mean(e, jnp.exp(rate * (e.positive - e.negatives)))


@sampler(continuous="negatives", cost=lambda shape, thrown: Cost(shape.total(thrown)))
def thrown_far(context, thrown: Count = 8):
    """points of the corner"""
    corner = jnp.full((*context.shape.negatives(thrown), context.space.dims), context.space.high)
    return Sampler(lambda key, first: (), lambda key, state, model, batch: (Negatives(corner), state))


@energy(continuous="", nonnegative=True)
def bowl(space):
    """F(y) = s |y|^2"""

    def init(key, x, y):
        return {"s": jnp.ones(())}

    return Energy(init, lambda params, x, y: params["s"] * jnp.sum(jnp.square(y)))


@dataclass(frozen=True)
class Height:
    """What the measure looks at."""

    data: np.ndarray


@measure(heading="height of the data", better="lower", accuracy=True, note="height of the data: its mean energy.")
def height(e: Height) -> float:
    """The mean energy of the data."""
    return float(e.data.mean())


@task(answers="continuous", energy="bowl", samplers={"negatives": "thrown-far", "": "none"}, measures="height",
      defaults={"steps": 20, "batch_size": 8, "lr": 1e-2})  # fmt: skip
def dot() -> Task:
    """points about 0"""
    points = np.linspace(-1, 1, 16, dtype=np.float32).reshape(-1, 2)
    return Task(
        data=dict,
        draw=lambda key, data, size: Batch(None, jax.random.normal(key, (size, 2))),
        distance=lambda y, other: jnp.ones(()),
        targets=lambda fine: {"data": points},
        probe=lambda model, data, targets: {"data": jax.vmap(lambda y: model.apply(None, y))(targets["data"])},
        measure=lambda probed, fine, beta, threshold: (Height(probed["data"]), {"energy_spread": 1.0, "auroc": 1.0}),
        keep=lambda probed: {"energy": np.ones((4, 4))},
        space=Box(-2.0, 2.0),
    )


@optimizer
def signs():
    """The sign of the gradient."""
    return optax.scale_by_sign() if hasattr(optax, "scale_by_sign") else optax.identity()


@schedule
def halved(step, steps):
    """Half of the rate throughout."""
    return jnp.full((), 0.5)


@report_format("mine")
def shout(report: Report, link: Link) -> str:
    """The report in capitals."""
    return " ".join(record.loss for record in report.records).upper() + "\n"


@executor
def echo(volume: Annotated[str | None, Flag("LOUDNESS", "How loud.")] = None) -> Trainer:
    """Train nothing, and say so."""

    def train(work: Work) -> None:
        work.watcher.note(f"echo {volume}: {len(work.cells)} runs")

    return train


__all__ = ["Column"]
