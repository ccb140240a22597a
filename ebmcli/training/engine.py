"""Lanes over devices: compile a program once, train as many runs at a time as there are devices, one on each core.

XLA's own threading of one small program loses time, so each core has its own lane; an accelerator has many side by
side, as many as are found to train best. Every launch of a program has the same width, idle lanes at its end: on CPUs
a run is therefore bit-identical alone and inside any sweep, on the same machine, versions and number of devices.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ebmcli.core.lazy import jax
from ebmcli.core.needs import Needs
from ebmcli.core.types import CONSTANT
from ebmcli.core.units import LossUnit
from ebmcli.training import loop, memory, objective
from ebmcli.training.devices import compile_lowered, vectorises
from ebmcli.training.loop import Program
from ebmcli.training.objective import Progress
from ebmcli.training.optimiser import SETTINGS

CHUNKS = 20  # pieces of a run, after each of which it is measured
FIRST_LANES = 16  # vectorised lanes that are tried first on an accelerator
LANE_GROWTH = 4  # the factor by which their number grows from trial to trial
TRIAL = 20  # steps of a trial


@dataclass(frozen=True)
class Snapshot:
    """A launch at a chunk end: arrays with a leading axis of lanes."""

    step: np.ndarray  # [lanes] steps done
    diverged: np.ndarray  # [lanes] the step that was not finite, or -1
    progress: Any  # loop.Progress, [lanes] each: means over the chunk; NaN before the first step
    probed: dict[str, Any]  # what loop.sampled found, and loop.probe as `task`
    params: Any
    seconds: float  # of training so far
    fine: bool  # probed on the fine targets: the last one


def fitting(rate: Callable[[int], float], wanted: int) -> int:
    """The lanes that train best side by side on a device: more and more, until memory or throughput says stop; fewer
    where not even the first ones have room.

    rate: lanes -> steps a second of all of them, or what jax raises where memory is short. wanted: there are no more.
    """

    def rate_or_none(lanes: int) -> float | None:
        try:
            return rate(lanes)
        except Exception as error:  # jax has no narrower one for this
            short = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
            if not short or lanes == 1:
                raise
            return None

    lanes = min(FIRST_LANES, wanted)
    while (best := rate_or_none(lanes)) is None:
        wanted = lanes = max(1, lanes // LANE_GROWTH)
    while lanes < wanted:
        more = min(LANE_GROWTH * lanes, wanted)
        achieved = rate_or_none(more)
        if achieved is None or achieved <= best:
            break
        lanes, best = more, achieved
    return lanes


class Engine:
    """A program, compiled at its first launch and kept for the next ones."""

    def __init__(self, program: Program):
        self.broken = {unit.name: error for unit in program.losses if (error := _fault(unit, program.needs))}
        sound = tuple(unit for unit in program.losses if unit.name not in self.broken)
        self.program = replace(program, losses=sound)
        self.task = program.task.build(dict(program.static))
        self.mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
        self.data = self._put(self.task.data(), everywhere=True)
        self.compile_seconds = 0.0
        self.lanes = 1  # that a device trains side by side
        self._compiled: dict[Any, Future] = {}
        self._compilers = ThreadPoolExecutor(4, "compiler")  # as many as a launch needs before its first step

    @property
    def width(self) -> int:
        """Runs of one launch."""
        return self.lanes * jax.device_count()

    def widen(self, configs: Sequence[Mapping[str, Any]]) -> None:
        """Find how many of the runs that are to be launched a device trains best side by side, where it can.

        There every lane computes every loss of the switch, so the program keeps those of these runs alone.
        """
        if vectorises():
            losses = {config["loss"] for config in configs}
            kept = tuple(unit for unit in self.program.losses if unit.name in losses)
            self.program = replace(self.program, losses=kept)
            self.lanes = fitting(partial(self._try, configs), -(-len(configs) // jax.device_count()))

    def _try(self, configs: Sequence[Mapping[str, Any]], lanes: int) -> float:
        """Steps a second of a launch with so many lanes on a device, if these can be evaluated there, too."""
        self.lanes = lanes
        fine = self._put(self.task.targets(True), everywhere=True)
        split = self._full(configs)
        self._compile_for(split, fine)
        state = self._run("init", (split,), (self.data,))
        jax.block_until_ready(self._run("probe_sampler", (split, state), (self.data,)))
        jax.block_until_ready(self._run("probe_task", (split, state), (self.data, fine)))
        return self.rate(configs, TRIAL)

    def rate(self, configs: Sequence[Mapping[str, Any]], steps: int) -> float:
        """Steps a second of all lanes of a full launch: `steps` of training alone, timed after as many to warm up."""
        split = self._full(configs)
        state, seconds = self._run("init", (split,), (self.data,)), 0.0
        for stop in (steps, 2 * steps):
            began = time.monotonic()
            state, _ = jax.block_until_ready(self._run("advance", (split, state, self._until(stop)), (self.data,)))
            seconds = time.monotonic() - began
        return self.width * steps / seconds

    def _full(self, configs: Sequence[Mapping[str, Any]]) -> Any:
        """The array halves of as many configurations as a launch has lanes, the last one repeated."""
        return self._lanes([*configs, *[configs[-1]] * self.width][: self.width])

    def launch(self, configs: Sequence[Mapping[str, Any]]) -> Iterator[Snapshot]:
        """Train the runs side by side, at most `width` of them; yields before training and at every chunk end.

        The last state is yielded twice, the second time probed finely. A run that diverges stops; when all of them
        have, the launch ends early, without the fine probe.
        """
        idle = [dict(configs[-1])] * (self.width - len(configs))  # with no step to do
        lanes = self._lanes([*configs, *idle])
        goal = np.array([config["steps"] for config in configs] + [0] * len(idle))
        coarse, fine = (self._put(self.task.targets(exact), everywhere=True) for exact in (False, True))
        if not self._compiled:
            self._compile_for(lanes, coarse)
        state = self._run("init", (lanes,), (self.data,))
        nothing: Any = np.full(self.width, np.nan)
        yield self._snapshot(lanes, state, Progress(nothing, nothing), coarse, 0.0)
        seconds = 0.0
        for chunk in range(1, CHUNKS + 1):
            split = (lanes, state, self._until(goal * chunk // CHUNKS))
            self._ready("advance", split, (self.data,))
            began = time.monotonic()
            state, progress = jax.block_until_ready(self._run("advance", split, (self.data,)))
            seconds += time.monotonic() - began
            yield self._snapshot(lanes, state, progress, coarse, seconds)
            if (np.asarray(state.diverged)[: len(configs)] >= 0).all():
                return
        yield self._snapshot(lanes, state, progress, fine, seconds, fine=True)

    def _snapshot(
        self, lanes: Any, state: Any, progress: Any, targets: Any, seconds: float, fine: bool = False
    ) -> Snapshot:
        probed = self._run("probe_sampler", (lanes, state), (self.data,))
        probed |= {"task": self._run("probe_task", (lanes, state), (self.data, targets))}
        step, diverged, progress, probed, params = jax.tree.map(
            np.asarray, (state.step, state.diverged, progress, probed, state.params)
        )
        return Snapshot(step, diverged, progress, probed, params, seconds, fine)

    def _lanes(self, configs: Sequence[Mapping[str, Any]]) -> Any:
        """The array halves of configurations, with a leading axis of lanes."""
        return self._put(jax.tree.map(lambda *leaves: np.stack(leaves), *map(self._lane, configs)))

    def _lane(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The array half of a configuration, as numpy scalars (see loop.Lane)."""
        place = [unit.name for unit in self.program.losses].index(config["loss"])
        loss = self.program.losses[place]
        loss_values = np.zeros(max(len(unit.parameters) for unit in self.program.losses), np.float32)
        loss_values[: len(loss.parameters)] = [config[name] for name in loss.parameters]
        program = self.program
        tables = (SETTINGS, program.task.parameters, program.energy.parameters, program.sampler.parameters)
        traced = [parameter for table in tables for parameter in table.values() if parameter.traced]
        grows = config.get("margin_distance", CONSTANT) != CONSTANT
        return {
            "seed": np.uint32(config["seed"]),
            "loss": np.int32(place),
            "loss_values": loss_values,
            "reward": np.float32(config["margin"] if grows else 0.0),
            "values": {p.name: (np.float32 if p.type is float else np.int32)(config[p.name]) for p in traced},
        }

    def _run(self, name: str, split: tuple, shared: tuple) -> Any:
        return self._ready(name, split, shared)(split, shared)

    def _ready(self, name: str, split: tuple, shared: tuple) -> Any:
        """The compiled function of the loop for these shapes, of arguments split by lane and of shared ones."""
        began = time.monotonic()
        program = self._begun(name, split, shared).result()
        self.compile_seconds += time.monotonic() - began
        return program

    def _begun(self, name: str, split: tuple, shared: tuple) -> Future:
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shared))
        key = name, self.lanes, shapes
        if key not in self._compiled:
            traced = self._over_lanes(name).trace(split, shared)
            if name == "advance":
                memory.check(traced, split[1], split[1].params)
            self._compiled[key] = self._compilers.submit(lambda: compile_lowered(traced.lower()))
        return self._compiled[key]

    def _compile_for(self, lanes: Any, targets: Any) -> None:
        """Begin to compile, side by side, what comes before the first chunk's end; what takes longest first."""
        began = time.monotonic()
        state = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self._place()),
            jax.eval_shape(self._over_lanes("init"), (lanes,), (self.data,)),
        )
        self._begun("advance", (lanes, state, self._until(0)), (self.data,))
        self._begun("init", (lanes,), (self.data,))
        self._begun("probe_sampler", (lanes, state), (self.data,))
        self._begun("probe_task", (lanes, state), (self.data, targets))
        self.compile_seconds += time.monotonic() - began

    def _until(self, stop: Any) -> Any:
        """[lanes]: the step at which each of them is to stop."""
        return self._put(np.broadcast_to(np.asarray(stop, np.int32), self.width))

    def _over_lanes(self, name: str) -> Any:
        """Make a function of one lane a jitted one of a whole launch: devices side by side, lanes in turn."""
        function, spec = partial(getattr(loop, name), self.program), jax.sharding.PartitionSpec
        size = None if self.lanes == 1 else self.lanes

        def local(split: tuple, shared: tuple) -> Any:
            # Without batch_size the lanes are not vectorised: vmap would turn the switch into one that runs every loss.
            return jax.lax.map(lambda lane: function(*lane, *shared), split, batch_size=size)

        split, everywhere = spec("lanes"), spec()
        return jax.jit(
            jax.shard_map(local, mesh=self.mesh, in_specs=(split, everywhere), out_specs=split, check_vma=False)
        )

    def _put(self, tree: Any, everywhere: bool = False) -> Any:
        return jax.device_put(tree, self._place(everywhere))

    def _place(self, everywhere: bool = False) -> Any:
        spec = jax.sharding.PartitionSpec() if everywhere else jax.sharding.PartitionSpec("lanes")
        return jax.sharding.NamedSharding(self.mesh, spec)


def _fault(unit: LossUnit, needs: Needs) -> str:
    """The reason why a loss cannot be compiled, or nothing: one that raises must not take its neighbours with it."""
    try:
        objective.check_loss(unit, needs)
    except Exception as error:  # whatever the loss raises
        return f"{type(error).__name__}: {error}"
    return ""
