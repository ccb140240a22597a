"""All that a plugin needs: this module, and nothing else of the package, keeps its names.

from ebmcli.plugin import Array, Energies, jnp, loss, mean

@loss(promised="infinite", reference="mine")
def smooth_hinge(e: Energies) -> Array:
    "log(1 + exp(F+ - F-)), doubled"
    return 2 * mean(e, jnp.logaddexp(0, e.positive - e.negatives))
"""

from typing import Annotated

from annotated_types import Ge, Le

from ebmcli.core.batching import negative_energies
from ebmcli.core.decorators import column, energy, loss, measure, sampler, task
from ebmcli.core.errors import UsageError
from ebmcli.core.lazy import Array, Key, jax, jnp, nn, optax
from ebmcli.core.parameters import Also, Before, OneOf
from ebmcli.core.registry import load_package
from ebmcli.core.types import (
    Alignment,
    Batch,
    BatchShape,
    Box,
    Cost,
    Count,
    Energies,
    Energy,
    Labels,
    Model,
    Negatives,
    NonNegative,
    Positive,
    Repeat,
    Sampler,
    SamplerContext,
    Share,
    Space,
    Steps,
    Strings,
    Strip,
    Task,
    Traced,
    View,
    Word,
)
from ebmcli.core.units import Column
from ebmcli.execution.executors import Flag, Trainer, Work, executor
from ebmcli.losses._terms import mean, total
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format
from ebmcli.training.optimiser import optimizer, schedule

for _package in ("ebmcli.execution.executors", "ebmcli.report.writers"):  # ours first: nobody can take their names
    load_package(_package)

__all__ = [
    "Alignment",
    "Also",
    "Annotated",
    "Array",
    "Batch",
    "BatchShape",
    "Before",
    "Box",
    "Column",
    "Cost",
    "Count",
    "Energies",
    "Energy",
    "Flag",
    "Ge",
    "Key",
    "Labels",
    "Le",
    "Link",
    "Model",
    "Negatives",
    "NonNegative",
    "OneOf",
    "Positive",
    "Repeat",
    "Report",
    "Sampler",
    "SamplerContext",
    "Share",
    "Space",
    "Steps",
    "Strings",
    "Strip",
    "Task",
    "Traced",
    "Trainer",
    "UsageError",
    "View",
    "Word",
    "Work",
    "column",
    "energy",
    "executor",
    "jax",
    "jnp",
    "loss",
    "mean",
    "measure",
    "negative_energies",
    "nn",
    "optax",
    "optimizer",
    "report_format",
    "sampler",
    "schedule",
    "task",
    "total",
]
