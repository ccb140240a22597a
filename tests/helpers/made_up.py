"""Made-up records, and a sweep of them on disk."""

from ebmcli.storage import store
from ebmcli.storage.records import Listed, Manifest, Record

PROVENANCE = {
    "versions": {"ebm": "1", "jax": "2"}, "python": "3", "code": "abc", "commit": "0123456789abcdef", "dirty": True,
    "machine": "Linux, cpu", "cpu": "x", "devices": "2 x cpu",
}  # fmt: skip
NOISE = [0.010, -0.012, 0.004, -0.002]  # of a measure over four seeds; its mean is 0


def record(loss, sampler, seed, status="done", task="moons", provenance=PROVENANCE, config=None, reason="", **metrics):
    settings = {"task": task, "loss": loss, "sampler": sampler, "energy": "mlp", "seed": seed, "lr": 0.1}
    full = {"verdict": "healthy", "verdict_reason": "fine"} | metrics if metrics else {}
    finished = status in ("done", "diverged")
    return Record(
        f"{loss}-{sampler}-{task}-s{seed}", status, settings | (config or {}), full, {"train": 1.0},
        provenance if finished else {}, reason,
    )  # fmt: skip


def plane(kl, gap, **more):
    return {
        "gap_q50": gap,
        "violation_rate": 0.25,
        "auroc": 0.9,
        "kl": kl,
        "kl_beta_star": kl,
        "spurious_mass": 0.01,
        "energy_evaluations": 1000,
    } | more


def seeds(loss, sampler, kls, **more):
    return [record(loss, sampler, seed, **more, **plane(kl, 1.0)) for seed, kl in enumerate(kls)]


def written(folder, records, refused=(), command="ebm sweep x.toml"):
    """Records as a sweep leaves them on disk; the folder."""
    cells = [Listed(one.id, one.config) for one in records]
    cells += [Listed(f"r{n}", config, reason) for n, (config, reason) in enumerate(refused)]
    folder.mkdir()
    store.save_manifest(folder, Manifest("2026-01-01T00:00:00Z", command, cells))
    for one in records:
        run = store.claim(folder, one.id, one.config)
        if one.metrics:
            store.save_result(run, one)
        elif one.status == "failed":
            store.save_failure(run, {"kind": "failed", "message": "ValueError: a | b"})
    return folder
