"""How often the verdict on collapse is right: energies of which it is known what they are, and the measures behind it.

    python benchmarks/verdicts.py [--seeds 0..4] [--results FOLDER] > docs/verdicts.md

Good and bad losses are trained at their defaults; from every good one come the energy at initialisation, a constant, the
energy upside down, the same scaled down, raised by a constant, and on the plane the same with a basin far from the data.
Prints the table of verdicts by kind, and for every threshold of `ebmcli/metrics/collapse.py` what lies on its two sides.
Two thirds of the tasks were looked at when the thresholds were chosen; the others count as a test.
"""

import argparse
import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ebmcli import commands, config, store, trained
from ebmcli.evaluate import threshold
from ebmcli.metrics import collapse
from ebmcli.registry import find
from ebmcli.types import Box, Energy

SETTLED = {"schedule": "constant", "batch_size": 4, "steps": 4_000}  # as in experiments/collapse.toml
PLANE = [
    ("hinge,log,square-square,infonce", "uniform", "default", {}),
    ("hinge,log,square-square", "langevin", "default", {}),
    ("ml,hinge", "pcd", "default", {}),
    ("nll", "quadrature", "default", {}),
]
NUMBERS = [("hinge,square-square", "uniform,langevin", "mlp", {}), ("energy", "none", "regressor", {})]
LABELS = [("nll,perceptron", "exhaustive", "mlp", {}), ("hinge,log,square-square", "most-offending", "mlp", {})]
# task: what ends as a good energy there (losses, samplers, energies, settings). The last ones of each kind are the test.
GOOD = {
    "moons": PLANE, "8gaussians": PLANE, "rings": PLANE, "2spirals": PLANE[:1] + PLANE[3:], "parabola": NUMBERS, "classes": LABELS,
    "pinwheel": PLANE, "circles": PLANE, "ellipse": NUMBERS[:1],
}  # fmt: skip
TEST = {"pinwheel", "circles", "ellipse"}
# (task, loss, sampler, energy, settings): what it must be called.
BAD = {
    **{(task, "energy", "none", "mlp"): ("unbounded", {}) for task in ("moons", "8gaussians", "parabola", "pinwheel")},
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
        return self.verdict != "healthy" if self.expected == NOT_HEALTHY else self.verdict == self.expected


def train(options: argparse.Namespace, name: str, axes: Mapping[str, str], settings: Mapping[str, Any]) -> list[Any]:
    """The finished runs of a grid: (record, its folder)."""
    asked = config.grid({**axes, "seed": options.seeds}, settings)
    whole = commands.Options("", name, options.results, True, None, False, True, True)
    with contextlib.redirect_stdout(None):
        commands.sweep(None, False, asked, whole)
    folder = options.results / name
    return [(record, folder / "runs" / record["id"]) for record in store.records(folder)]


def judged(record: Mapping[str, Any], first: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    settings = record["config"]
    scales = [1 / settings["beta"], *([settings["margin"]] if "margin" in settings else [])]
    return collapse.verdict(measures, first, min(scales), max(scales))[0]


def variants(model: Energy, task: Any, measures: Mapping[str, Any], seed: int) -> Iterator[tuple[str, str, Any]]:
    """(kind, expected, apply) of energies that are made from a good one."""
    yield "trained", "healthy", model.apply
    yield "raised", "healthy", lambda x, y: model.apply(x, y) + RAISED
    yield "scaled down", "flat", lambda x, y: SPREAD / measures["energy_spread"] * model.apply(x, y)
    yield "constant", "flat", lambda x, y: 0 * model.apply(x, y) + 3.0
    yield "upside down", "inverted", lambda x, y: -model.apply(x, y)
    if isinstance(task.space, Box) and task.space.dims == 2:
        low, high, _ = task.space
        places = np.random.default_rng(seed).uniform(low + 1, high - 1, (1000, 2))
        data = np.asarray(task.targets(False)["data"])
        away = np.sqrt(((places[:, None] - data) ** 2).sum(axis=-1)).min(axis=1)
        place = jnp.asarray(places[away > 1.0][0] if (away > 1.0).any() else places[away.argmax()], jnp.float32)
        deep = jnp.float32(2 + model.apply(None, place) - measures["energy_level"])
        depth = jnp.maximum(deep, 2.0)
        yield "basin", "spurious", lambda x, y: model.apply(x, y) - depth * jnp.exp(-2 * jnp.sum((y - place) ** 2))


def cases(record: Mapping[str, Any], folder: Path) -> Iterator[Case]:
    """A good run and what is made of it."""
    settings = record["config"]
    task = find("task", settings["task"]).build(settings)
    first = store.curves(folder)[0]
    source = f"{settings['loss']}, {settings['sampler']}"
    yield Case(settings["task"], "untrained", source, NOT_HEALTHY, judged(record, first, first), first)
    model = trained.model(settings, folder / "params.npz")
    targets, data = jax.tree.map(jnp.asarray, task.targets(True)), task.data()
    for kind, expected, apply in variants(model, task, record["metrics"], settings["seed"]):
        probed = jax.tree.map(np.asarray, jax.jit(lambda t: task.probe(model._replace(apply=apply), data, t))(targets))
        measures = task.measure(probed, True, settings["beta"], threshold(settings))
        measures["spread / start"] = measures["energy_spread"] / first["energy_spread"]
        yield Case(settings["task"], kind, source, expected, judged(record, first, measures), measures)


def collected(options: argparse.Namespace) -> Iterator[Case]:
    for task, grids in GOOD.items():
        for number, (losses, samplers, energies, settings) in enumerate(grids):
            axes = {"task": task, "loss": losses, "sampler": samplers, "energy": energies}
            for record, folder in train(options, f"good-{task}-{number}", axes, settings):
                if record["status"] == "done":
                    yield from cases(record, folder)
    for (task, loss, sampler, energy), (expected, settings) in BAD.items():
        axes = {"task": task, "loss": loss, "sampler": sampler, "energy": energy}
        for record, folder in train(options, f"bad-{task}-{loss}-{energy}", axes, settings):
            first, measures = store.curves(folder)[0], record["metrics"]
            measures["spread / start"] = measures["energy_spread"] / first["energy_spread"]
            kind = f"{loss} on {energy}"
            yield Case(task, kind, f"{loss}, {sampler}", expected, judged(record, first, measures), measures)


def table(found: list[Case]) -> Iterator[str]:
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
    return [case for case in found if case.task in TEST]


def wrong(found: list[Case]) -> str:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0..4")
    parser.add_argument("--results", type=Path, default=Path("results/verdicts"))
    options = parser.parse_args()
    found = list(collected(options))
    print("# The verdict on energies that are known\n")
    print(f"`python benchmarks/verdicts.py --seeds {options.seeds}`; tests: {', '.join(sorted(TEST))}.\n")
    print(*table(found), "", sep="\n")
    print(*quantities(found), "", sep="\n")
    for case in found:
        if not case.right:
            print(f"- {case.task}, {case.source}, {case.kind}: {case.verdict}, not {case.expected}")


if __name__ == "__main__":
    main()
