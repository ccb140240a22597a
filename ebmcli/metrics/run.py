"""Columns of a record that no measure of an evaluation fills: they come from the training itself."""

from ebmcli.core.decorators import column
from ebmcli.core.units import Column

column(Column("train_loss", "train loss", curve=True))
column(
    Column(
        "active_share",
        "active",
        note="active: share of the last training examples whose loss has a slope.",
        curve=True,
    )
)
column(
    Column(
        "train_gap_q50",
        "own negatives",
        note="own negatives: the median gap to the negatives that the loss was shown, which is another thing than the "
        "gap to the most offending answer.",
    )
)
column(
    Column(
        "gap_growth",
        "growth",
        note="growth: slope of the median gap on the logarithm of the step over the last half of training.",
    )
)
column(Column("energy_evaluations", "energy evaluations"))
column(Column("energy_gradients", "energy gradients"))
column(Column("epochs"))
column(Column("acceptance"))
