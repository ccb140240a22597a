"""Negatives among all label sequences, found exactly by dynamic programming."""

from ebmcli.lazy import Array, jax
from ebmcli.registry import sampler
from ebmcli.types import Batch, Energy, Negatives, Sampler, Setting


def _best_different(model: Energy, batch: Batch, reward: Array | float) -> Array:
    """[B, 1, T]: for each example the answer other than y with the lowest F - reward * hamming. Not differentiated."""
    found = jax.vmap(lambda x, y: model.best_different(x, y, reward))(batch.x, batch.y)  # type: ignore[misc]
    return jax.lax.stop_gradient(found)[:, None]


@sampler(needs="best_different", sequence="negatives minimum", reference="LeCun et al. 2006, section 2.2.1")
def most_offending(at: Setting) -> Sampler:
    """argmin over y- other than y of F(y-), by the Viterbi algorithm"""

    def draw(key, state, model, batch):
        return Negatives(_best_different(model, batch, 0.0)), state

    return Sampler(lambda key: (), draw, evaluations=2 * at.batch_size, gradients=0)


@sampler(
    needs="best_different", sequence="negatives augmented", reference="Taskar et al. 2003; Tsochantaridis et al. 2005"
)
def loss_augmented(at: Setting) -> Sampler:
    """argmin over y- other than y of F(y-) - m(y, y-), by the Viterbi algorithm"""

    def draw(key, state, model, batch):
        return Negatives(_best_different(model, batch, at.reward)), state

    return Sampler(lambda key: (), draw, evaluations=2 * at.batch_size, gradients=0)


@sampler(needs="free best_different", costly="partition minimum", sequence="partition minimum")
def exhaustive(at: Setting) -> Sampler:
    """all answers: the free energy by the forward algorithm, the minimum by the Viterbi algorithm"""
    # The minimum over all answers is that over F(y) and the best different one: a loss compares the two itself.
    return Sampler(lambda key: (), most_offending(at).draw, evaluations=2 * at.batch_size, gradients=0)
