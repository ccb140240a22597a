"""jax is configured as our programs need it, whatever its user has said; a notebook keeps its own settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.made_up import plane, record

import ebmcli
from ebmcli.report.build import head
from ebmcli.training import pinned

# Values that change figures, or end a program.
OTHERS = {
    "jax_default_matmul_precision": "bfloat16",
    "jax_enable_x64": True,
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_enable_custom_prng": True,
    "jax_legacy_prng_key": "error",
    "jax_random_seed_offset": 7,
    "jax_high_dynamic_range_gumbel": True,
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_debug_key_reuse": True,
    "jax_enable_checks": True,
    "jax_check_tracer_leaks": True,
    "jax_disable_jit": True,
    "jax_no_tracing": True,
    "jax_disable_most_optimizations": True,
    "jax_transfer_guard": "disallow",
    "jax_softmax_custom_jvp": True,
    "jax_optimization_level": "O0",
}


@pytest.fixture(params=[*OTHERS, "all of them"])
def another(request):
    """One setting, or all, as our programs must not have them."""
    names = [request.param] if request.param in OTHERS else list(OTHERS)
    known = {name: value for name, value in jax.config.values.items() if name in pinned.PINNED}
    for name in names:
        if name in known:
            jax.config.update(name, OTHERS[name])
    yield {name: jax.config.values[name] for name in known}
    for name, value in known.items():
        jax.config.update(name, getattr(value, "value", value))


def test_all_are_set_back(another):
    assert OTHERS.keys() <= pinned.PINNED.keys()
    pinned.pin()
    assert pinned._otherwise() == {}
    values = pinned._settings()
    assert all(values[name] == value for name, value in pinned.PINNED.items() if name in values)


@pytest.fixture(scope="module")
def energies(finished):
    """(a finished run as a notebook loads it, answers, their energies)."""
    run = ebmcli.load_run("hinge-uniform-moons-s0", finished / "results")
    y = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    return y, run.energy(None, y), finished / "results"


def test_an_energy_is_the_same_in_every_notebook(energies, another):
    y, right, results = energies
    for answers in (y, y.astype(np.float64), y.tolist()):
        computed = ebmcli.load_run("hinge-uniform-moons-s0", results).energy(None, answers)
        assert computed.dtype == np.float32
        assert computed.tobytes() == right.tobytes()
    assert {name: jax.config.values[name] for name in another} == another


def test_arrays_of_jax_have_the_types_of_our_programs(energies):
    y, right, results = energies
    with jax.enable_x64(True):
        answers = jnp.asarray(y, jnp.float64)
        computed = ebmcli.load_run("hinge-uniform-moons-s0", results).energy(None, answers)
    assert (computed.dtype, computed.tobytes()) == (np.float32, right.tobytes())


def test_variables_that_may_change_figures_are_recorded_and_no_others(monkeypatch):
    for name in [name for name in pinned.os.environ if pinned.TELLING.match(name)]:
        monkeypatch.delenv(name)
    assert pinned.telling_variables() == {}
    telling = {
        "JAX_SOMETHING_NEW": "1",
        "LIBTPU_INIT_ARGS": "--x",
        "NPY_DISABLE_CPU_FEATURES": "AVX2",
        "NVIDIA_TF32_OVERRIDE": "0",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    }
    quiet = {
        "JAX_ENABLE_X64": "1",  # pinned
        "JAX_PLATFORMS": "cpu",
        "JAX_LOG_COMPILES": "1",
        "JAX_COMPILATION_CACHE_DIR": "/x",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_SOMETHING": "",
        "HOME": "/x",
    }
    for name, value in {**telling, **quiet}.items():
        monkeypatch.setenv(name, value)
    assert pinned.telling_variables() == telling


def test_runs_of_other_variables_are_warned_of_in_one_report():
    places = [{"code": "a"}, {"code": "a", "variables": {"XLA_FLAGS": "--fast"}}]
    records = [
        record("hinge", "uniform", seed, provenance=where, **plane(0.1, 1.0)) for seed, where in enumerate(places)
    ]
    text = " ".join(block.text for block in head([], records) if hasattr(block, "text"))
    assert "mixed provenance. 1 versions of the code and 2 machines, sets of versions or variables" in text
    assert "with XLA_FLAGS=--fast" in text
    assert "mixed" not in " ".join(block.text for block in head([], records[:1]) if hasattr(block, "text"))
