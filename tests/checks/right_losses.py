"""Right losses of other shapes than ours, as packages of somebody else bring them, honestly declared."""

from ebmcli.plugin import NonNegative, Positive, jax, jnp, loss, mean, total


def relu(x):
    return jnp.maximum(x, 0)  # with a slope of 1/2 at the kink


def gaps(e, m=0.0):
    return m * e.distance + e.positive - e.negatives


def scores(e, scale=1.0):
    every = jnp.append(e.negatives, e.positive), jnp.append(e.log_q, e.log_q_positive)
    return -scale * e.beta * every[0] - every[1]


@loss(promised="m", flat="m")
def hinge_again(e, margin: Positive = 1.0):
    """[m + F+ - F-]+"""
    return mean(e, relu(gaps(e, margin)))


@loss(promised="m", flat="m^2")
def squared_hinge(e, margin: Positive = 1.0):
    """([m + F+ - F-]+)^2"""
    return mean(e, relu(gaps(e, margin)) ** 2)


@loss(promised="m", flat="m")
def hardest_hinge(e, margin: Positive = 1.0):
    """[max of m + F+ - F-]+ (batch-hard triplets, Hermans et al. 2017)"""
    return relu(jnp.where(e.distance > 0, gaps(e, margin), -jnp.inf).max())


@loss(promised="m")
def huber_hinge(e, margin: Positive = 1.0):
    """a hinge whose kink is rounded from inside"""
    short = relu(gaps(e, margin))
    return mean(e, jnp.where(short < 0.5, short**2, short - 0.25))


@loss(promised="1", flat="1")
def fixed_hinge(e):
    """[1 + F+ - F-]+"""
    return mean(e, relu(1 + gaps(e)))


@loss(promised="2.5, absolute")
def wide_levels(e):
    """[F+]+ + [2.5 - F-]+"""
    return relu(e.positive) + mean(e, relu(2.5 - e.negatives))


@loss(promised="5", flat="5")
def wide_hinge(e):
    """[5 + F+ - F-]+"""
    return mean(e, relu(5 + gaps(e)))


@loss(promised="m", flat="sum of m")
def hinge_of_a_declared_sum(e, margin: Positive = 1.0):
    """sum of [m + F+ - F-]+"""
    return total(e, relu(gaps(e, margin)))


@loss(promised="m, absolute", wants="nonnegative")
def tutorial_square_square(e, margin: Positive = 1.0):
    """(F+)^2 + ([m - F-]+)^2, which pins the right answer at 0 (LeCun et al. 2006)"""
    return e.positive**2 + mean(e, relu(margin * e.distance - e.negatives) ** 2)


@loss("negatives nonnegative", promised="m, absolute", flat="m^2/2 at F = m/2")
def hadsell(e, margin: Positive = 1.0):
    """(F+)^2 + ([m - F-]+)^2 (Hadsell et al. 2006)"""
    return jnp.square(e.positive) + mean(e, jnp.square(relu(margin * e.distance - e.negatives)))


@loss(promised="infinite", flat="1")
def exponential_of_a_gap(e, rate: Positive = 1.0):
    """exp(rate (F+ - F-)) below its cap, and its tangent from there on"""
    x = rate * gaps(e)
    return mean(e, jnp.where(x < 3, jnp.exp(jnp.minimum(x, 3)), jnp.exp(3.0) * (x - 2)))


@loss(promised="infinite", flat="ln(1 + K)")
def pairs_in_a_softmax(e):
    """log(1 + sum of exp(F+ - F-)) (Sohn 2016)"""
    over = jnp.where(e.distance > 0, gaps(e), -jnp.inf)
    return jax.nn.logsumexp(jnp.append(over, 0.0))


@loss(promised="infinite", flat="ln(2) / beta")
def tempered_log(e):
    """(1/beta) log(1 + exp(beta (F+ - F-)))"""
    return mean(e, jax.nn.softplus(e.beta * gaps(e)) / e.beta)


@loss(promised="infinite", flat="(1/2)^focus ln 2")
def focal_log(e, focus: NonNegative = 2.0):
    """-(1 - p)^focus log p, p = sigmoid(F- - F+) (Lin et al. 2017)"""
    return mean(e, jax.nn.sigmoid(gaps(e)) ** focus * jax.nn.softplus(gaps(e)))


@loss(promised="infinite")
def steep(e):
    """a sigmoid whose value is 1e-26 at the edge of the box"""
    return mean(e, jax.nn.sigmoid(10 * gaps(e)))


@loss(promised="infinite")
def levels_of_a_classifier(e):
    """log(1 + exp(F+)) + log(1 + exp(-F-))"""
    return jax.nn.softplus(e.positive) + mean(e, jax.nn.softplus(-e.negatives))


@loss(promised="infinite")
def margin_in_a_softmax(e, margin: Positive = 1.0):
    """log(1 + sum of exp(m + F+ - F-)) (Gimpel & Smith 2010)"""
    over = jnp.where(e.distance > 0, gaps(e, margin), -jnp.inf)
    return jax.nn.logsumexp(jnp.append(over, 0.0))


@loss(promised="m", penalty="alpha")
def hinge_with_levels(e, margin: Positive = 1.0, alpha: NonNegative = 0.01):
    """[m + F+ - F-]+ + alpha ((F+)^2 + (F-)^2), whose penalty moves the levels"""
    levels = jnp.square(e.positive) + mean(e, jnp.square(e.negatives))
    return mean(e, relu(gaps(e, margin))) + alpha * levels


@loss("negatives log_q", promised="-")
def weighted_likelihood(e):
    """F+ + (1/beta) log of the mean of exp(-beta F-) / q: right in the limit of many (Bengio & Senécal 2003)"""
    s = scores(e)[:-1]
    return e.positive + (jax.nn.logsumexp(s) - jnp.log(len(s))) / e.beta


@loss(promised="infinite", flat="ln(1 + K)", wants="independent")
def infonce_again(e):
    """-log of the share of y, scores -beta F - log q"""
    s = scores(e)
    return jax.nn.logsumexp(s) - s[-1]


@loss(promised="infinite", wants="independent")
def infonce_of_a_temperature(e, tau: Positive = 0.07):
    """-log of the share of y, scores -beta F / tau - log q"""
    s = scores(e, 1 / tau)
    return jax.nn.logsumexp(s) - s[-1]


@loss("negatives log_q", promised="infinite", flat="2 ln 2 at F = 0")
def nce_of_a_mean(e):
    """log(1 + exp(-G+)) + mean of log(1 + exp(G-)), G = -beta F - c - log q"""
    g = scores(e) - e.log_z
    return jax.nn.softplus(-g[-1]) + jax.nn.softplus(g[:-1]).mean()


@loss("partition", promised="infinite", flat="ln|Y|", estimates="density")
def nll_in_nats(e):
    """beta F+ + log sum exp(-beta F)"""
    return e.beta * (e.positive - e.free)


@loss("partition", promised="infinite", estimates="nothing")
def focal_nll(e, focus: NonNegative = 2.0):
    """-(1 - p)^focus log p, p the probability of y"""
    surprise = jax.nn.relu(e.beta * (e.positive - e.free))
    return (1 - jnp.exp(-surprise)) ** focus * surprise


@loss(promised="-", wants="model", penalty="alpha", flat="0")
def ml_of_a_penalised_difference(e, alpha: NonNegative = 0.2):
    """F+ - F- + alpha (F+ - F-)^2"""
    difference = e.positive - e.negatives.mean()
    return difference + alpha * jnp.square(difference)


@loss(promised="-", wants="model", penalty="alpha")
def ml_without_a_penalty_by_default(e, alpha: NonNegative = 0.0):
    """F+ - F- + alpha ((F+)^2 + (F-)^2)"""
    return e.positive - e.negatives.mean() + alpha * (e.positive**2 + jnp.square(e.negatives).mean())


@loss(promised="infinite", estimates="nothing")
def self_adversarial(e, margin: Positive = 1.0):
    """log(1 + exp(F+ - m)) + sum of w log(1 + exp(m - F-)), w the softmax of -F-, held still (Sun et al. 2019)"""
    wrong = jnp.where(e.distance > 0, -e.negatives, -1e30)
    weight = jnp.where(e.distance > 0, jax.lax.stop_gradient(jax.nn.softmax(wrong)), 0.0)
    return jax.nn.softplus(e.positive - margin) + (weight * jax.nn.softplus(margin - e.negatives)).sum()


@loss(promised="-")
def of_no_margin(e):
    """of which margins say nothing"""
    return e.positive - e.negatives.mean()


@loss("view smooth", promised="-", flat="0")
def hutchinson(v):
    """1/2 |beta grad F|^2 - beta u' (hessian of F) u, the signs u at random"""
    sign = jax.random.rademacher(v.key, v.y.shape).astype(v.y.dtype)
    slope, curved = jax.jvp(jax.grad(v.energy), (v.y,), (sign,))
    return jnp.sum(jnp.square(v.beta * slope)) / 2 - v.beta * sign @ curved


@loss("view", promised="-", flat="D / (2 sigma^2)")
def denoising_in_other_units(v, sigma: Positive = 0.3):
    """1/2 |beta grad F(y + sigma e) - e / sigma|^2"""
    noise = jax.random.normal(v.key, v.y.shape)
    return jnp.sum(jnp.square(v.beta * jax.grad(v.energy)(v.y + sigma * noise) - noise / sigma)) / 2


@loss("view", promised="-", flat="ln 2")
def pair_of_a_perturbation(v, t: Positive = 0.25):
    """log(1 + exp(beta (F+ - F(y + sqrt(t) e))))"""
    other = v.energy(v.y + jnp.sqrt(t) * jax.random.normal(v.key, v.y.shape))
    return jax.nn.softplus(v.beta * (v.energy(v.y) - other))
