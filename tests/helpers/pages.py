"""Made-up runs with the arrays from which pages of small multiples are drawn."""

import numpy as np

from ebmcli.figures import cells
from ebmcli.storage import store
from ebmcli.storage.records import FINISHED, Listed, Manifest, Record

SIDE = np.linspace(-5, 5, 16)
BOWL = np.add.outer(SIDE**2, SIDE**2).astype(np.float32)
POINTS = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
X = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
ARRAYS = {
    "moons": {"energy": BOWL, "y": POINTS},
    "8gaussians": {"energy": BOWL, "y": POINTS},
    "parabola": {"energy": (X**2 - np.linspace(-1, 2, 30)) ** 2, "questions": X, "x": X, "y": X**2},
    "classes": {
        "label": np.arange(64).reshape(8, 8) % 5, "shown": np.array([-4.0, 4.0]), "x": POINTS, "y": np.arange(8) % 5,
    },
    "letters": {"right": np.zeros(50, np.float32), "offending": np.linspace(-3, 5, 50, dtype=np.float32)},
}  # fmt: skip
MEASURES = {"moons": "kl", "8gaussians": "kl", "parabola": "answer_error", "classes": "error", "letters": "cer"}


def record(loss="hinge", sampler="langevin", task="moons", seed=0, status="done", verdict="healthy", **settings):
    config = {"task": task, "loss": loss, "sampler": sampler, "energy": "mlp", "seed": seed, "beta": 1.0} | settings
    told = "-".join(map(str, settings.values()))
    measured = {"auroc": 0.9, MEASURES.get(task, "kl"): 0.125, "gap_q50": 2.5}
    metrics = measured | {"verdict": verdict, "verdict_reason": "so"} if status in FINISHED else {}
    return Record(f"{loss}-{sampler}-{task}-s{seed}-{told}", status, config, metrics)


def written(folder, records, without=(), **arrays):
    """Records as a sweep leaves them on disk, with arrays but where a run is to be without; the folder."""
    folder.mkdir(parents=True)
    cells = [Listed(one.id, one.config, "no" if one.status == "refused" else "") for one in records]
    store.save_manifest(folder, Manifest("2026-01-01T00:00:00Z", "ebm sweep", cells))
    for one in records:
        if one.status in ("refused", "pending"):
            continue
        run = store.claim(folder, one.id, one.config)
        if one.status == "failed":
            store.save_failure(run, {"kind": "failed", "message": "so"})
        if one.metrics:
            store.save_result(run, one)
        if one.status == "done" and one.id not in without:
            store.save_arrays(run / "arrays.npz", ARRAYS[one.task] | arrays)
    return folder


def pages(records, grid="loss,sampler", **chosen):
    return cells.pages(records, *cells.axes(grid, records), **chosen)
