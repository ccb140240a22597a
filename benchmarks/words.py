"""Images per second of training on `words` with its defaults, on all cores.

    python benchmarks/words.py [LOSS ...]

A net of 220,000 weights, one run on each device, compiled before the clock starts; the median of five launches. The
best public figure for a reader of words with a latent alignment is 128 images/s on 3 cores, with 481,000 weights.
"""

import statistics
import sys

from ours import steps_per_second

from ebmcli.core.lazy import jax

BATCH, SECONDS, REPETITIONS = 32, 2.0, 5


if __name__ == "__main__":
    print("| loss | images/s | range | devices |\n| --- | --- | --- | --- |")
    for loss in sys.argv[1:] or ["hinge", "nll", "log"]:
        rates = steps_per_second(SECONDS, {"task": "words", "loss": loss}, {"batch_size": BATCH}, REPETITIONS)
        speeds = [BATCH * rate for rate in rates]
        spread = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
        print(f"| {loss} | {statistics.median(speeds):,.0f} | {spread} | {jax.device_count()} |")
