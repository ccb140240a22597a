"""A plan: the cells of a grid, within its budget, those that are run and those that are refused."""

import hashlib
from dataclasses import dataclass

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units
from ebmcli.planning.cells import MOST, Cell, cells
from ebmcli.planning.cost import within
from ebmcli.planning.grid import Grid

MOST_CELLS = 10_000  # more are refused without --yes


@dataclass(frozen=True)
class Plan:
    """A resolved grid."""

    cells: list[Cell]
    duplicates: int = 0

    @property
    def digest(self) -> str:
        """8 hexadecimal digits, the same for the same cells."""
        return hashlib.sha256(" ".join(cell.id for cell in self.cells).encode()).hexdigest()[:8]

    @property
    def runs(self) -> list[Cell]:
        """The cells that are run."""
        return [cell for cell in self.cells if not cell.judgement.refusal]

    @property
    def refused(self) -> list[Cell]:
        """The cells that are not run, each with its reason."""
        return [cell for cell in self.cells if cell.judgement.refusal]


def resolve(grid: Grid, allow_many: bool = False) -> Plan:
    """Resolve and judge every cell of a grid. Raises UsageError."""
    if not (grid.axes.get("loss") and grid.axes["loss"].values):
        raise UsageError(f"no loss is named: say --loss, or losses in a file, with some of {', '.join(units('loss'))}")
    resolved, duplicates = cells(grid, MOST if allow_many else MOST_CELLS)
    return Plan([within(grid.budget, cell) for cell in resolved] if grid.budget else resolved, duplicates)
