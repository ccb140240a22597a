#!/usr/bin/env bash
# What an accelerator does: tests of what is executed there, its measures beside a CPU's, and its speed by lanes.
#
#     bash benchmarks/device.sh [OUTPUT FOLDER]        # under 10 minutes; without an accelerator it runs on the CPUs
#
# Without a network, what it needs must be there: the package's dependencies, those of its extras test and bench, and a
# jax that knows the accelerator.
set -uo pipefail
cd "$(dirname "$0")/.."
output=${1:-results/device}
mkdir -p "$output"
export XLA_PYTHON_CLIENT_PREALLOCATE=false  # several processes share the card

python3 -c "import ebmcli.plugin, pytest, rapidfuzz, torch, torchebm" || python3 -m pip install -q ".[test,bench]"
if command -v nvidia-smi; then
    python3 -c "import jax; assert jax.default_backend() == 'gpu'" || python3 -m pip install -q -U "jax[cuda13]"
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
fi
python3 -m pip install -q --no-deps --no-build-isolation -e .
python3 -c "import jax; print('jax', jax.__version__, 'on', jax.devices())"

status=0
step() { echo; echo "## $1"; shift; "$@" || { status=1; echo "FAILED: $*"; }; }
step "speed by lanes" timeout 270 python3 benchmarks/device.py lanes --limit 240 --output "$output/lanes.json"
step "measures beside a CPU's" timeout 150 python3 benchmarks/device.py measures --output "$output/measures.json"
JAX_PLATFORMS= step "tests of what is executed" timeout 150 python3 -m pytest -q -n 8 -p no:cacheprovider \
    -p no:benchmark tests/training tests/numerics tests/energies
exit $status
