"""Settings of jax that change figures or end programs: ours, whatever the user's environment or plug-ins say of them.

What is no setting of jax, as XLA_FLAGS, cannot be taken back: it is written down beside the figures.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from ebmcli.core.lazy import jax

# As jax has them by itself, but for the precision of products of float32 matrices: an accelerator alone would round
# the factors, on NVIDIA's cards to 11 bits.
PINNED: Mapping[str, Any] = {
    "jax_default_matmul_precision": "highest",
    # numbers and their types
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_allow_f16_reductions": True,
    "jax_softmax_custom_jvp": False,
    "jax_use_direct_linearize": True,
    # random numbers
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_enable_custom_prng": False,
    "jax_legacy_prng_key": "allow",
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    # checks that end a program, as that of a loss which diverges
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_enable_checks": False,
    "jax_check_tracer_leaks": False,
    "jax_check_static_indices": False,
    "jax_error_checking_behavior_nan": "ignore",
    "jax_error_checking_behavior_divide": "ignore",
    "jax_error_checking_behavior_oob": "ignore",
    "jax_experimental_unsafe_xla_runtime_errors": False,
    "jax_array_garbage_collection_guard": "allow",
    "jax_thread_guard": False,
    "jax_transfer_guard": "allow",
    "jax_transfer_guard_host_to_device": "allow",
    "jax_transfer_guard_device_to_device": "allow",
    "jax_transfer_guard_device_to_host": "allow",
    # how programs are compiled
    "jax_disable_jit": False,
    "jax_no_tracing": False,
    "jax_no_execution": False,
    "jax_disable_most_optimizations": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_memory_fitting_effort": 0.0,
    "jax_optimization_level": "UNKNOWN",
    "jax_memory_fitting_level": "O2",
    "jax_compiler_enable_remat_pass": True,
    "jax_use_shardy_partitioner": True,
    "jax_enable_pgle": False,
    "jax_default_device": None,
    # the cache of compiled programs
    "jax_enable_compilation_cache": True,
    "jax_compilation_cache_check_contents": False,
    "jax_compilation_cache_expect_pgle": False,
    "jax_compilation_cache_include_metadata_in_key": False,
    "jax_compilation_cache_max_size": -1,
    "jax_persistent_cache_min_entry_size_bytes": 0,
    "jax_raise_persistent_cache_errors": False,
}
VARIABLES = frozenset(name.upper() for name in PINNED)  # of the environment, by which users set them

# Variables that may change figures, and those among them that say only where, with what memory and how loudly.
TELLING = re.compile("JAX_|XLA_|NPY_|OPENBLAS_|MKL_|CUBLAS_|CUDNN_|LIBTPU_|NVIDIA_TF32_OVERRIDE$|TF_CPP_VMODULE$")
HARMLESS = re.compile(
    r"JAX_(PLATFORM|NUM_CPU_DEVICES|\w+_VISIBLE_DEVICES|\w*LOG|DUMP|EXPLAIN|TRACEBACK|INCLUDE|COMPILATION_CACHE|"
    r"PERSISTENT_CACHE|COORDINATOR|DISTRIBUTED|PJRT|CPU_COLLECTIVES)|XLA_PYTHON_CLIENT_|CUDNN_LOG|\w+_PATH$|\w+_ROOT$"
)


def pin() -> None:
    """Set them in this process, those that this jax knows and that stand otherwise."""
    for name, value in _otherwise().items():
        jax.config.update(name, value)


@contextmanager
def pinned() -> Iterator[None]:
    """Have them so while the block runs, in this thread alone where jax has that: a notebook's settings are its
    user's."""
    before = _settings()
    with ExitStack() as opened:
        for name, value in _otherwise().items():
            setting = getattr(jax, name.removeprefix("jax_"), None)
            if callable(setting):
                opened.enter_context(setting(value))
            else:
                opened.callback(jax.config.update, name, before[name])
                jax.config.update(name, value)
        yield


def _otherwise() -> dict[str, Any]:
    """Those that this jax knows and that stand otherwise here, with our values."""
    settings = _settings()
    return {name: value for name, value in PINNED.items() if name in settings and settings[name] != value}


def _settings() -> dict[str, Any]:
    """All settings of jax as they stand; those of an enumeration by their words."""
    return {name: getattr(value, "value", value) for name, value in jax.config.values.items()}


def telling_variables() -> dict[str, str]:
    """The variables of this environment that may change figures and are not pinned, for the record of a run."""
    named = {name: value for name, value in os.environ.items() if TELLING.match(name) and name not in VARIABLES}
    return {name: value for name, value in sorted(named.items()) if value and not HARMLESS.match(name)}
