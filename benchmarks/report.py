"""How long `ebm report` takes on 1,000 made-up runs: the median of five calls of the command, in seconds by the clock
and of the processor.

    python benchmarks/report.py

The runs are 20 losses x 10 negatives x 5 seeds on one task, each with 33 measures, written to a temporary folder.
"""

import random
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from ours import EBM

from ebmcli.core.registry import units
from ebmcli.storage import store
from ebmcli.storage.records import Listed, Manifest, Record

RUNS, SEEDS, CALLS = 1_000, 5, 5
NAMES: tuple[str, ...] = (
    "kl",
    "kl_beta_star",
    "nll",
    "nll_beta_star",
    "tv",
    "spurious_mass",
    "mse_log_density",
    "auroc",
    "gap_growth",
)
NAMES += tuple(f"{kind}_q{at}" for kind in ("gap", "train_gap") for at in ("01", "10", "50", "90"))
NAMES += ("violation_rate", "active_share", "train_loss", "energy_level", "energy_spread", "energy_evaluations")


def make_up(folder: Path) -> None:
    """A sweep of made-up records."""
    draw, cells = random.Random(0), []
    losses, samplers = list(units("loss"))[:20], list(units("sampler"))[:10]
    provenance = {"versions": {}, "code": "x", "machine": "m", "devices": "2 x cpu"}
    folder.mkdir()
    for number in range(RUNS):
        loss, sampler = losses[number // SEEDS % 20], samplers[number // SEEDS // 20]
        config = {"task": "moons", "loss": loss, "sampler": sampler, "energy": "mlp", "seed": number % SEEDS, "lr": 0.1}
        metrics = {name: draw.random() for name in NAMES} | {"verdict": "healthy", "verdict_reason": "auroc 0.95"}
        run = store.claim(folder, f"run-{number}", config)
        store.save_result(run, Record(run.name, "done", config, metrics, {"train": 1.0}, provenance))
        cells.append(Listed(run.name, config))
    store.save_manifest(folder, Manifest("2026-01-01T00:00:00Z", "ebm sweep x.toml", cells))


def main() -> None:
    """Print a row a format."""
    with tempfile.TemporaryDirectory() as root:
        make_up(Path(root) / "many")
        print("| format | seconds | range | processor |\n| --- | --- | --- | --- |")
        for arguments in (["md"], ["html"], ["latex"], ["csv"], ["md", "--baseline", "hinge"]):
            times, busy = [], []
            for _ in range(CALLS):
                began, before = time.perf_counter(), _busy()
                command = [*EBM, "report", str(Path(root) / "many"), "--format", *arguments]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times.append(time.perf_counter() - began)
                busy.append(_busy() - before)
            spread = f"{min(times):.2f} to {max(times):.2f} | {statistics.median(busy):.2f}"
            print(f"| {' '.join(arguments)} | {statistics.median(times):.2f} | {spread} |")


def _busy() -> float:
    """Processor time of the commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
