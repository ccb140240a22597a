"""The devices of this machine: how many there are, how jax is started on them, and how XLA compiles for them."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ebmcli.core.errors import MachineError, UsageError
from ebmcli.core.lazy import jax, spoken_settings
from ebmcli.storage.provenance import cpu, versions
from ebmcli.training import compiled
from ebmcli.training.pinned import pin

LOG = logging.getLogger("ebmcli")

# How XLA compiles for CPUs: with vectors as wide as those of AVX-512, by which a step gains 2 to 5 %, and at the first
# level of LLVM's optimisation, which takes a sixth less time to compile and trains as fast.
ON_A_CPU = {"xla_cpu_prefer_vector_width": 512, "xla_backend_optimization_level": 1}


def start(
    devices: int | None = None,
    cache: Path | None = None,
    note: Callable[[str], None] = LOG.warning,
) -> None:
    """Configure jax, once, before its first use: what is pinned, the number of CPU devices, the folder of compiled
    programs. note: is told where that folder is not used, and of damage in it."""
    pin()
    try:
        jax.config.update("jax_num_cpu_devices", devices or cores())
    except RuntimeError:
        if devices and devices != jax.device_count():
            raise UsageError(f"--devices {devices}: jax already runs with {jax.device_count()} devices") from None
    if cache:
        compiled.use(cache, note)
    else:
        jax.config.update("jax_compilation_cache_dir", None)


def require() -> None:
    """Have jax look for its devices. Raises MachineError where it does not start, as with settings that are none."""
    try:
        jax.devices()
    except MachineError:  # it is not even imported
        raise
    except Exception as error:  # whatever its backends raise
        line = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise MachineError(f"jax does not start{spoken_settings()}: {line}") from error


def cache_folder() -> Path | None:
    """The folder of compiled programs, by version and processor, since they run on no other; None without a home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = (
            Path(named) if named.startswith("/") else Path.home() / ".cache"
        )  # by its standard a relative one is none
    except RuntimeError:
        return None
    return home / "ebm" / f"programs-{versions()['jaxlib']}-{cpu()[1]}" if home.is_absolute() else None


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def vectorises() -> bool:
    """True if a device trains many lanes side by side: an accelerator does, a CPU core takes one after the other."""
    return jax.default_backend() != "cpu"


def compile_lowered(lowered: Any) -> Any:
    """Compile a lowered function as is best here; as XLA does it by itself where this jax does not know how."""
    try:
        return lowered.compile(compiler_options={} if vectorises() else ON_A_CPU)
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return lowered.compile()
