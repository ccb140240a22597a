"""The provenance of a result: code, versions, machine. It never fails a run."""

import hashlib
import platform
import subprocess
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ebmcli.core.files import LARGE, content

ROOT = Path(__file__).parents[1]  # of the package
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


@lru_cache
def code_hash() -> str:
    """A hash of the package's own sources, so that a report can tell results of different code apart."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + content(path))
    return digest.hexdigest()[:12]


@lru_cache
def cpu() -> tuple[str, str]:
    """(name of the processor, hash of its instruction sets)."""
    try:
        text = content(Path("/proc/cpuinfo"), LARGE).decode(errors="replace")
    except OSError:
        text = ""
    lines = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    features = " ".join(sorted(lines.get("flags", lines.get("Features", "")).split()))
    name = lines.get("model name") or platform.processor() or platform.machine()
    return name, hashlib.sha256(f"{platform.machine()} {name} {features}".encode()).hexdigest()[:12]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache
def versions() -> dict[str, str]:
    """Versions of this package and of what its figures depend on."""
    installed = {}
    for name in ("ebmcli", *PACKAGES):
        with suppress(metadata.PackageNotFoundError):
            installed[name.removesuffix("cli")] = metadata.version(name)
    return installed


def provenance(devices: list[Any]) -> dict[str, Any]:
    """The provenance of a record; devices: jax's. Another number of devices gives other bits, so it stands here."""
    commit = _git("rev-parse", "HEAD")
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "code": code_hash(),
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain", ".")) if commit else None,
        "machine": f"{platform.system()} {platform.machine()}, {cpu()[0]}",
        "cpu": cpu()[1],
        "devices": f"{len(devices)} x {devices[0].device_kind}",
    }
