"""The provenance of a result: code, versions, machine. It never fails a run."""

import hashlib
import os
import platform
import subprocess
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ebmcli.core.files import LARGE, Unfit, content

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
    """What git prints of the repository around the package; None where there is no git, or it fails.

    A hook or a script of another repository names that one in the environment: it is not looked at.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _is_ours() -> bool:
    """True if the repository around the package is that of this project: the package lies at its top beside the project
    file of its name, and both are tracked. In an environment inside another project it is not."""
    top = ROOT.parent
    try:
        project = tomllib.loads(content(top / "pyproject.toml").decode()).get("project", {})
    except (OSError, ValueError, RecursionError, Unfit):  # it may be anybody's
        return False
    if project.get("name") != "ebmcli" or _git("rev-parse", "--show-prefix") != f"{ROOT.name}/":
        return False
    return _git("ls-files", "--error-unmatch", "__init__.py", "../pyproject.toml") is not None


@lru_cache
def versions() -> dict[str, str]:
    """Versions of this package and of what its figures depend on."""
    installed = {}
    for name in ("ebmcli", *PACKAGES):
        with suppress(metadata.PackageNotFoundError):
            installed[name.removesuffix("cli")] = metadata.version(name)
    return installed


def provenance(devices: list[Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The provenance of a record; devices: jax's. Another number of devices gives other bits, so it stands here.

    variables: of the environment, those that may change figures.
    """
    commit = _git("rev-parse", "HEAD") if _is_ours() else None
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "code": code_hash(),
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain", ".")) if commit else None,
        "machine": f"{platform.system()} {platform.machine()}, {cpu()[0]}",
        "cpu": cpu()[1],
        "devices": f"{len(devices)} x {devices[0].device_kind}",
        **({"variables": dict(variables)} if variables else {}),
    }
