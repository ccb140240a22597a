"""What tests of processes share: a plugin of a stranger, whose samplers misbehave."""

import pytest

# Each misbehaves as soon as its program is built, in a program of its own. What hangs says so by a file.
PLUGIN = """
import os, signal, time
from ebmcli.plugin import Negatives, Sampler, SamplerContext, sampler

@sampler(continuous="negatives")
def hangs(context: SamplerContext):
    \"\"\"never ends\"\"\"
    open("hanging", "w").close()
    time.sleep(10_000)

@sampler(continuous="negatives")
def stalls(context: SamplerContext):
    \"\"\"waits in a step for as long as there is a file `stalling`\"\"\"
    import jax, numpy

    def wait(key):
        while os.path.exists("stalling"):
            time.sleep(0.05)
        return numpy.zeros((4, 2), numpy.float32)

    def draw(key, state, model, batch):
        waited = jax.pure_callback(wait, jax.ShapeDtypeStruct((4, 2), numpy.float32), jax.random.key_data(key))
        return Negatives(waited + jax.random.normal(key, (4, 2))), state

    return Sampler(lambda key, first: (), draw)

@sampler(continuous="negatives")
def crashes(context: SamplerContext):
    \"\"\"dies of a signal\"\"\"
    print("about to crash", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)

@sampler(continuous="negatives")
def eats(context: SamplerContext):
    \"\"\"takes all memory of its group of processes\"\"\"
    if group := os.environ.get("GROUP"):
        with open(group + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
    else:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(2**20)) * 64)
"""


@pytest.fixture
def strange(tmp_path):
    """A folder with the plugin installed in it, for the commands that are started there."""
    site = tmp_path / "site" / "strange-1.dist-info"
    site.mkdir(parents=True)
    (tmp_path / "site" / "strange.py").write_text(PLUGIN)
    (site / "METADATA").write_text("Name: strange\nVersion: 1\n")
    (site / "entry_points.txt").write_text("[ebmcli.plugins]\nx = strange\n")
    return tmp_path
