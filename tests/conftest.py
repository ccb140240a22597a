"""Two devices for every test that uses jax, as on the smallest machine that the project is measured on."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from ebmcli import engine

engine.start(devices=2)
