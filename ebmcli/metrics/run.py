"""Columns of a record that no measure of an evaluation fills: they come from the training itself."""

from ebmcli.core.decorators import column
from ebmcli.core.units import Column

column(
    Column("train_loss", "train loss", note="train loss: mean of the loss over the last training examples.", curve=True)
)
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
column(
    Column(
        "gap_growth_error",
        note="gap growth error: standard error of growth, which takes chunk ends for independent: a lower bound.",
    )
)
column(
    Column(
        "energy_evaluations",
        "energy evaluations",
        note="energy evaluations: how often the energy was computed for an answer in training, those that find "
        "negatives included.",
    )
)
column(
    Column(
        "energy_gradients",
        "energy gradients",
        note="energy gradients: of the energy evaluations, those that are differentiated in the answer.",
    )
)
column(Column("epochs", note="epochs: how often each example of the training set was seen on average."))
column(Column("acceptance", note="acceptance: share of the proposed moves of a Markov chain that are accepted."))
column(
    Column(
        "moved",
        note="moved: how far the chains of a draw go from where they begin, in widths of the box.",
    )
)
column(
    Column(
        "reflected",
        note="reflected: share of the chains that a step of Langevin dynamics takes out of the box.",
    )
)
