"""How often the verdict on collapse is right: energies of which it is known what they are, and the measures behind it.

    python benchmarks/verdicts.py [--seeds 0..4] [--results FOLDER] > docs/verdicts.md

Good and bad losses are trained; from every good energy come that of its first step, a constant, the same upside down,
scaled down, raised, and on the plane with a basin far from the data. Prints the verdicts by kind, and the range of each
measure that the thresholds of `ebmcli/metrics/collapse.py` divide. The tasks of TEST were not looked at when those were
chosen.
"""

import argparse
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ours import EBM
from scipy.spatial import cKDTree

from ebmcli.core.registry import find
from ebmcli.metrics import collapse
from ebmcli.storage import store
from ebmcli.storage.records import Record
from ebmcli.training import reload
from ebmcli.training.evaluate import measures as all_measures
from ebmcli.training.evaluate import threshold

SETTLED = {"schedule": "constant", "batch_size": 4, "steps": 4_000}  # as in experiments/collapse.toml
SHORT = {"steps": 500}
Grids = list[tuple[str, str, str, Mapping[str, Any]]]  # losses, samplers, energy, settings
PLANE: Grids = [
    ("hinge,log,square-square", "uniform", "mlp", SHORT),
    ("hinge", "langevin", "mlp", SHORT),
    ("ml", "pcd", "mlp", SHORT),
    ("nll", "quadrature", "mlp", SHORT),
]
NUMBERS: Grids = [("hinge,square-square", "uniform,langevin", "mlp", {}), ("energy", "none", "regressor", {})]
LABELS: Grids = [("nll", "exhaustive", "mlp", {}), ("hinge,log,square-square", "most-offending", "mlp", {})]
# By task, what ends as a good energy there.
GOOD: Mapping[str, Grids] = {
    "moons": PLANE, "8gaussians": PLANE, "checkerboard": PLANE, "parabola": NUMBERS, "classes": LABELS,
    "pinwheel": PLANE, "circles": PLANE, "ellipse": NUMBERS[:1],
}  # fmt: skip
TEST = {"pinwheel", "circles", "ellipse"}
# (task, loss, sampler, energy): what it must be called, and settings.
BAD: Mapping[tuple[str, str, str, str], tuple[str, Mapping[str, Any]]] = {
    **{
        (task, "energy", "none", "mlp"): ("unbounded", SHORT)
        for task in ("moons", "8gaussians", "parabola", "pinwheel")
    },
    **{(task, "perceptron", "quadrature", "mlp"): ("flat", {}) for task in ("moons", "8gaussians", "pinwheel")},
    **{(task, "energy", "none", "two-branch"): ("flat", SETTLED) for task in ("parabola", "ellipse")},
}
SPREAD, RAISED = 0.01, 100.0  # of an energy that is scaled down or raised, in units of 1/beta
NOT_HEALTHY = "not healthy"  # of an untrained energy nothing more is known
QUANTITIES = ("energy_spread", "spread / start", "spread / level", "gap_q50", "auroc", "low_energy_share", "gap_q90")


class Case(NamedTuple):
    """An energy that is known, and what was said of it."""

    task: str
    kind: str
    source: str  # loss and negatives
    expected: str
    verdict: str
    measures: Mapping[str, Any]

    @property
    def right(self) -> bool:
        """Whether that was right."""
        return self.verdict != "healthy" if self.expected == NOT_HEALTHY else self.verdict == self.expected


def train(
    options: argparse.Namespace, name: str, axes: Mapping[str, str], settings: Mapping[str, Any]
) -> list[tuple[Record, Path]]:
    """Train the runs of a grid where they are not there yet: (record, its folder)."""
    command = [*EBM, "sweep", "--name", name, "--results", str(options.results), "--no-pictures", "--yes"]
    command += [word for axis, values in axes.items() for word in (f"--{axis}", values)]
    command += [word for setting, value in settings.items() for word in ("--set", f"{setting}={value}")]
    subprocess.run([*command, "--seeds", options.seeds], check=True, stdout=subprocess.DEVNULL)
    folder = options.results / name
    return [(record, folder / "runs" / record.id) for record in store.records(folder)]


def judged(record: Record, first: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    """The verdict, on the scales of the run."""
    settings = record.config
    scales = [1 / settings["beta"], *([settings["margin"]] if "margin" in settings else [])]
    return collapse.verdict(measures, first, min(scales), max(scales))[0]


def variants(measures: Mapping[str, Any]) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """kind -> (what it must be called, its energies from those of a good one)."""
    return {
        "trained": ("healthy", lambda energy: energy),
        "raised": ("healthy", lambda energy: energy + np.float32(RAISED)),
        "scaled down": ("flat", lambda energy: energy * np.float32(SPREAD / measures["energy_spread"])),
        "constant": ("flat", lambda energy: np.full_like(energy, 3)),
        "upside down": ("inverted", lambda energy: -energy),
    }


def with_basin(probed: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The energies with a bowl of width 0.5 somewhere at least 1 from the data, whose floor lies 2 below theirs."""
    box, data = targets["grid"], targets["data"]
    places = np.random.default_rng(seed).permutation(len(box))[:2_000]
    away = cKDTree(data).query(box[places])[0]
    place = places[np.flatnonzero((away > 1.0) & (np.abs(box[places]).max(axis=1) < 4.0))[0]]
    depth = probed["grid"][place] - np.quantile(probed["data"], 0.05) + 2.0

    def dented(name: str) -> np.ndarray:
        return probed[name] - depth * np.exp(-2 * ((targets[name] - box[place]) ** 2).sum(axis=1)).astype(np.float32)

    return {name: dented(name) for name in probed}


def cases(record: Record, folder: Path) -> Iterator[Case]:
    """A good run and what is made of it."""
    settings = record.config
    task = find("task", settings["task"]).build(settings)
    first = store.curves(folder)[0]
    place = (settings["task"], f"{settings['loss']}, {settings['sampler']}")

    def case(kind: str, expected: str, measures: dict[str, Any]) -> Case:
        measures["spread / start"] = measures["energy_spread"] / first["energy_spread"]
        return Case(*place[:1], kind, place[1], expected, judged(record, first, measures), measures)

    yield case("untrained", NOT_HEALTHY, dict(first))
    targets = task.targets(True)
    model = reload.model(settings, folder / "params.npz")
    probed = jax.tree.map(np.asarray, jax.jit(lambda targets: task.probe(model, task.data(), targets))(targets))
    energies = {name: value for name, value in probed.items() if value.dtype == np.float32}
    made = {
        kind: (must, {n: f(e) for n, e in energies.items()}) for kind, (must, f) in variants(record.metrics).items()
    }
    if "grid" in targets:
        made["basin"] = ("spurious", with_basin(energies, targets, settings["seed"]))
    for kind, (expected, changed) in made.items():
        evaluation = task.measure({**probed, **changed}, True, settings["beta"], threshold(settings))
        yield case(kind, expected, all_measures(evaluation))


def collected(options: argparse.Namespace) -> Iterator[Case]:
    """All cases, trained where they are not there yet."""
    for task, grids in GOOD.items():
        for number, (losses, samplers, energies, settings) in enumerate(grids):
            axes = {"task": task, "loss": losses, "sampler": samplers, "energy": energies}
            for record, folder in train(options, f"good-{task}-{number}", axes, settings):
                if record.finished:
                    yield from cases(record, folder)
    for (task, loss, sampler, energy), (expected, settings) in BAD.items():
        axes = {"task": task, "loss": loss, "sampler": sampler, "energy": energy}
        for record, folder in train(options, f"bad-{task}-{loss}-{energy}", axes, settings):
            first, measures = store.curves(folder)[0], dict(record.metrics)
            measures["spread / start"] = measures["energy_spread"] / first["energy_spread"]
            kind = f"{loss} on {energy}"
            yield Case(task, kind, f"{loss}, {sampler}", expected, judged(record, first, measures), measures)


def table(found: list[Case]) -> Iterator[str]:
    """The verdicts by kind of energy."""
    yield "| energy | must be called | cases | verdicts | wrong | wrong on the test tasks |"
    yield "| --- | --- | --- | --- | --- | --- |"
    kinds: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in found:
        kinds[case.kind, case.expected].append(case)
    for (kind, expected), members in kinds.items():
        verdicts = ", ".join(f"{count} {name}" for name, count in Counter(c.verdict for c in members).most_common())
        yield f"| {kind} | {expected} | {len(members)} | {verdicts} | {wrong(members)} | {wrong(tested(members))} |"
    yield f"| all | | {len(found)} | | {wrong(found)} | {wrong(tested(found))} |"


def tested(found: list[Case]) -> list[Case]:
    """Those of the test tasks."""
    return [case for case in found if case.task in TEST]


def wrong(found: list[Case]) -> str:
    """How many were called something else."""
    mistakes = sum(not case.right for case in found)
    return f"{mistakes} of {len(found)} ({mistakes / max(len(found), 1):.1%})"


def quantities(found: list[Case]) -> Iterator[str]:
    """What the thresholds divide: the range of each measure by kind of energy."""
    yield "| energy | " + " | ".join(QUANTITIES) + " |"
    yield "| --- |" + " --- |" * len(QUANTITIES)
    kinds: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for case in found:
        level = abs(case.measures["energy_level"])
        spread = case.measures["energy_spread"]
        kinds[case.kind].append({**case.measures, "spread / level": spread / level if level else np.inf})
    for kind, members in kinds.items():
        cells = []
        for name in QUANTITIES:
            values = [m[name] for m in members if m.get(name) is not None]
            cells.append(f"{min(values):.2g} to {max(values):.2g}" if values else "-")
        yield f"| {kind} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0..4")
    parser.add_argument("--results", type=Path, default=Path("results/verdicts"))
    options = parser.parse_args()
    found = list(collected(options))
    print("# The verdict on energies that are known\n")
    print(f"`python benchmarks/verdicts.py --seeds {options.seeds}`")
    print(f"\nTest tasks, not looked at when the thresholds were chosen: {', '.join(sorted(TEST))}.\n")
    print(*table(found), "", sep="\n")
    print(*quantities(found), "", sep="\n")
    for case in found:
        if not case.right:
            print(f"- {case.task}, {case.source}, {case.kind}: called {case.verdict}, must be called {case.expected}")


if __name__ == "__main__":
    main()
