"""From cells to launches: which runs share a compiled program, and what the whole will cost."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import find, units
from ebmcli.planning.compatibility import Judgement, judge, offers
from ebmcli.planning.config import Grid, cells, run_id
from ebmcli.planning.values import parameters
from ebmcli.training.loop import Program, parts

MOST_CELLS = 10_000  # more are refused without --yes
# Rough costs on one core, for estimates only: measured on the default settings, and stated as rough wherever shown.
COMPILE_SECONDS = 4.0
EVALUATION_SECONDS = {"mlp": 4e-7, "linear-chain": 7e-8, "conv-chain": 7e-8, "trellis": 2e-6}
QUESTION_SECONDS = {"linear-chain": 3e-5, "conv-chain": 6e-4, "trellis": 2.5e-4}  # of an x, whatever the answers
FIXED_SECONDS = 2.0  # of a run: evaluation, picture, saving


@dataclass(frozen=True)
class Cell:
    """One run of a sweep, as it was judged."""

    id: str
    config: dict[str, Any]
    judgement: Judgement


@dataclass(frozen=True)
class Plan:
    """A resolved grid."""

    cells: list[Cell]
    duplicates: int

    @property
    def digest(self) -> str:
        """The same for the same cells."""
        return hashlib.sha256(" ".join(cell.id for cell in self.cells).encode()).hexdigest()[:8]

    @property
    def runs(self) -> list[Cell]:
        """The cells that are run."""
        return [cell for cell in self.cells if not cell.judgement.refusal]

    @property
    def refused(self) -> list[Cell]:
        """The cells that are not, each with its reason."""
        return [cell for cell in self.cells if cell.judgement.refusal]


def plan(grid: Grid, allow_many: bool = False) -> Plan:
    """Resolve and judge every cell of a grid."""
    if not grid.axes.get("loss"):
        raise UsageError(f"no loss is named: --loss takes one of {', '.join(units('loss'))}")
    found, duplicates = cells(grid, limit=None if allow_many else MOST_CELLS)
    if grid.budget:
        found = [within(grid.budget, config) for config in found]
    return Plan([Cell(run_id(config), config, judge(config)) for config in found], duplicates)


def within(budget: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with as many steps as a number of energy evaluations allows. A refused one is left as it is."""
    if judge(config).refusal:
        return dict(config)
    step, _ = evaluations({**config, "steps": 1})
    if budget < step:
        raise UsageError(
            f"budget: {budget:,} energy evaluations are not enough for a step of {config['loss']} with "
            f"{config['sampler']} on {config['task']}, which takes {step:,}"
        )
    return {**config, "steps": budget // step}


def program_of(config: Mapping[str, Any]) -> Program:
    """The program of a cell. It depends on the registry and the static settings alone, never on the other cells, so
    that a run is the same alone and in any sweep: its losses are all that its sampler admits at this cost."""
    task, sampler, energy, loss = (find(kind, config[kind]) for kind in ("task", "sampler", "energy", "loss"))
    static = tuple(sorted((name, value) for name, value in config.items() if _static(name)))
    offered, costly = offers(config), sampler.costly | {"view", "reconstruct"}
    asked = loss.needs & costly
    admitted = [unit for unit in units("loss").values() if unit.needs <= offered and unit.needs & costly == asked]
    needs = frozenset().union(*(unit.needs for unit in admitted))
    return Program(task, energy, sampler, static, tuple(admitted), needs)


def _static(name: str) -> bool:
    return name in parameters() and not parameters()[name].traced


def programs(cells: Sequence[Cell]) -> list[tuple[Program, list[Cell]]]:
    """The cells by program, in their order."""
    groups: dict[Any, tuple[Program, list[Cell]]] = {}
    for cell in cells:
        program = program_of(cell.config)
        key = (program.task.name, program.energy.name, program.sampler.name, program.static, program.needs)
        groups.setdefault(key, (program, []))[1].append(cell)
    return list(groups.values())


def evaluations(config: Mapping[str, Any]) -> tuple[int, int]:
    """(energy evaluations, of these differentiated in y) that the whole training of a cell costs."""
    steps, size, loss = config["steps"], config["batch_size"], find("loss", config["loss"])
    evaluations, gradients = size * loss.evaluations, size * loss.gradients
    if "view" not in loss.needs:  # then negatives are drawn, even where they are ignored
        _, _, sampler = parts(program_of(config), {"values": {"beta": 1.0}, "reward": 0.0})
        evaluations, gradients = evaluations + sampler.evaluations, gradients + sampler.gradients
    return steps * evaluations, steps * gradients


def estimate(cells: Sequence[Cell], cores: int) -> float:
    """Roughly how many seconds these cells will take on so many cores."""
    compile_time = COMPILE_SECONDS * len(programs(cells))
    return compile_time + sum(_work(cell.config) for cell in cells) / min(cores, max(len(cells), 1))


def _work(config: Mapping[str, Any]) -> float:
    """Seconds of one run on one core."""
    energy, questions = config["energy"], config["steps"] * config["batch_size"]
    answers = EVALUATION_SECONDS.get(energy, 1e-6) * evaluations(config)[0]
    return FIXED_SECONDS + QUESTION_SECONDS.get(energy, 0.0) * questions + answers
