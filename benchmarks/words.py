"""Images per second of training on `words` with its defaults, on all cores.

    python benchmarks/words.py [LOSS ...]

One run on each device, compiled before the clock starts; the median of five launches.
"""

import statistics
import sys

from ours import steps_per_second

from ebmcli.lazy import jax

BATCH, SECONDS, REPETITIONS = 32, 2.0, 5


if __name__ == "__main__":
    for loss in sys.argv[1:] or ["hinge", "nll", "log"]:
        rates = steps_per_second(SECONDS, {"task": "words", "loss": loss}, {"batch_size": BATCH}, REPETITIONS)
        speeds = [BATCH * rate for rate in rates]
        spread = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
        print(f"{loss}: {statistics.median(speeds):,.0f} images/s on {jax.device_count()} devices ({spread})")
