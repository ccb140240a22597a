"""Planted faults: each breaks every law that is named beside it, so that the laws of losses are known to bite."""

import jax
import jax.numpy as jnp
import pytest
from helpers.loss_laws import CHECKS, LAWS


def relu(x):
    return jnp.maximum(x, 0)


def active(terms):
    return relu(terms).sum() / (terms > 0).sum()


def mean(e, terms):
    return jnp.where(e.distance > 0, terms, 0).sum() / jnp.maximum((e.distance > 0).sum(), 1)


def gaps(e, m=0.0):
    return m * e.distance + e.positive - e.negatives


def short(e, m):
    return relu(m * e.distance - e.negatives)


def ratio(e, below, delta):
    return mean(e, jnp.minimum(relu(gaps(e) / (delta * below)), 1))


def scores(e, tau=1.0, q=1):
    return -e.beta / tau * jnp.r_[e.positive, e.negatives] - q * jnp.r_[e.log_q_positive, e.log_q]


def share(e, tau=1.0):
    return jax.nn.softmax(scores(e, tau))


def odds(e, c=1, q=1, k=1):
    g = scores(e, q=q) - c * e.log_z - k * jnp.log(len(e.negatives))
    return jax.nn.softplus(-g[0]) + jax.nn.softplus(g[1:]).sum()


# (the loss and what is wrong, the checks that catch it, the fault)
# fmt: off
MUTANTS = [
    ("perceptron over the wrong answers", "worked floor", lambda e: e.positive - e.negatives.min()),
    ("perceptron without slope", "gradient pulls", lambda e: relu(e.positive - jax.lax.stop_gradient(e.minimum))),
    ("nll with wrong sign", "worked pulls constant flat", lambda e: e.positive + e.free),
    ("nll at two temperatures", "worked constant", lambda e: e.positive - e.beta * e.free),
    ("mee over the wrong answers", "worked flat floor",
     lambda e: 1 - jnp.exp(-e.beta * e.positive - jax.nn.logsumexp(-e.beta * e.negatives))),
    ("mee without beta", "worked", lambda e: 1 - jnp.exp(e.free - e.positive)),
    ("ml swapped", "worked pulls",
     lambda e, alpha=0.1: e.negatives.mean() - e.positive + alpha * (e.positive**2 + (e.negatives**2).mean())),
    ("ml without penalty", "worked floor constant", lambda e, alpha=0.1: e.positive - e.negatives.mean()),
    ("ml without y itself", "itself",
     lambda e, alpha=0.1: e.positive + alpha * e.positive**2 - mean(e, e.negatives - alpha * e.negatives**2)),
    ("hinge without margin", "worked flat", lambda e, margin=1.0: mean(e, relu(gaps(e)))),
    ("hinge swapped", "worked pulls", lambda e, margin=1.0: mean(e, relu(-gaps(e, -margin)))),
    ("hinge without distance", "worked reads", lambda e, margin=1.0: mean(e, relu(margin + gaps(e)))),
    ("hinge of one negative", "worked order", lambda e, margin=1.0: relu(gaps(e, margin))[0]),
    ("hinge of active terms", "worked", lambda e, margin=1.0: active(gaps(e, margin))),
    ("hinge over y itself", "itself", lambda e, margin=1.0: relu(gaps(e, margin)).mean()),
    ("log not softplus", "extremes", lambda e: mean(e, jnp.log1p(jnp.exp(gaps(e))))),
    ("log divided by all", "itself", lambda e: jnp.where(e.distance > 0, jax.nn.softplus(gaps(e)), 0).mean()),
    ("lvq2 without cap", "worked", lambda e, cap=1.0: mean(e, relu(gaps(e)))),
    ("lvq2 with the cap on F+", "worked constant",
     lambda e, cap=1.0: mean(e, relu(jnp.minimum(cap, e.positive) - e.negatives))),
    ("lvq2-ratio divided by F+", "worked", lambda e, delta=1.0: ratio(e, e.positive, delta)),
    ("lvq2-ratio not safe at 0", "extremes", lambda e, delta=1.0: ratio(e, e.negatives, delta)),
    ("mce swapped", "worked pulls", lambda e: mean(e, jax.nn.sigmoid(-gaps(e)))),
    ("mce at beta", "reads", lambda e: mean(e, jax.nn.sigmoid(e.beta * gaps(e)))),
    ("margin-sum as a mean", "worked flat", lambda e, margin=1.0: mean(e, relu(gaps(e, margin)))),
    ("margin-sum over y itself", "itself", lambda e, margin=1.0: relu(gaps(e, margin)).sum()),
    ("simple without []+ on F+", "worked floor", lambda e, margin=1.0: e.positive + mean(e, short(e, margin))),
    ("min-hinge without margin", "worked flat", lambda e, margin=1.0: e.positive + mean(e, short(e, 0))),
    ("min-hinge with a minus", "worked flat pulls floor",
     lambda e, margin=1.0: e.positive - mean(e, short(e, margin))),
    ("square-square with a minus", "worked pulls flat floor",
     lambda e, margin=1.0: relu(e.positive) ** 2 - mean(e, short(e, margin) ** 2)),
    ("square-square without []+ on F+", "worked pulls",
     lambda e, margin=1.0: e.positive**2 + mean(e, short(e, margin) ** 2)),
    ("square-hinge without a square", "worked flat",
     lambda e, margin=1.0: e.positive**2 + mean(e, short(e, margin))),
    ("square-exp without rate", "worked",
     lambda e, gamma=1.0, rate=1.0: e.positive**2 + mean(e, gamma * jnp.exp(-e.negatives))),
    ("square-exp with beta", "reads",
     lambda e, gamma=1.0, rate=1.0: e.positive**2 + mean(e, gamma * jnp.exp(-e.beta * rate * e.negatives))),
    ("infonce without log q", "worked reads optimum", lambda e: -jax.nn.log_softmax(scores(e, q=0))[0]),
    ("infonce without log q of y", "worked reads optimum",
     lambda e: -jax.nn.log_softmax(scores(e._replace(log_q_positive=0)))[0]),
    ("infonce with log q added", "worked optimum", lambda e: -jax.nn.log_softmax(scores(e, q=-1))[0]),
    ("infonce over the others", "worked flat floor", lambda e: jax.nn.logsumexp(scores(e)[1:]) - scores(e)[0]),
    ("infonce of shares", "extremes", lambda e: -jnp.log(share(e)[0])),
    ("nce with c added", "worked flat optimum", lambda e: odds(e, c=-1)),
    ("nce without log K q", "worked reads flat optimum", lambda e: odds(e, q=0, k=0)),
    ("nce without log K", "worked flat optimum", lambda e: odds(e, k=0)),
    ("pirl without the others", "worked flat", lambda e, tau=1.0: -jnp.log(share(e, tau)[0])),
    ("pirl without y", "worked flat", lambda e, tau=1.0: -jnp.log1p(-share(e, tau)[1:]).sum()),
    ("pirl of shares", "extremes",
     lambda e, tau=1.0: -jnp.log(share(e, tau)[0]) - jnp.log1p(-share(e, tau)[1:]).sum()),
]
# fmt: on


@pytest.mark.parametrize(("what", "checks", "fault"), MUTANTS, ids=[what for what, _, _ in MUTANTS])
def test_mutant_is_caught(what, checks, fault):
    """A planted wrong version breaks each law that is named beside it."""
    for check in checks.split():
        with pytest.raises(AssertionError):
            CHECKS[check](fault, LAWS[what.split()[0]])
