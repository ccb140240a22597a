"""Wrong losses, as a package of somebody else brings them: each a slip that a student, or we, could have made.

Every one declares what the right one declares. `WRONG` has the law that must notice it, by name.
"""

from ebmcli.plugin import Positive, jax, jnp, loss, mean, total

WRONG: dict[str, str] = {}  # the name of a loss -> the law that notices it


def wrong(law, needs="negatives", **declared):
    """Register a wrong loss."""

    def decorate(function):
        WRONG[function.__name__.replace("_", "-")] = law
        return loss(needs, **declared)(function)

    return decorate


def relu(x):
    return jnp.maximum(x, 0)


def gaps(e, m=0.0):
    return m * e.distance + e.positive - e.negatives


def scores(e, beta=None, q=1.0):
    beta = e.beta if beta is None else beta
    return -beta * jnp.append(e.negatives, e.positive) - q * jnp.append(e.log_q, e.log_q_positive)


def softmax_loss(s):
    return jax.nn.logsumexp(s) - s[-1]


def odds_loss(g):
    return jax.nn.softplus(-g[-1]) + jax.nn.softplus(g[:-1]).sum()


# --- hinge and its kin -----------------------------------------------------------------------------------------------

HINGE = {"promised": "m", "flat": "m"}


@wrong("margin", **HINGE)
def hinge_without_margin(e, margin: Positive = 1.0):
    """[F+ - F-]+"""
    return mean(e, relu(gaps(e)))


@wrong("margin", **HINGE)
def hinge_swapped(e, margin: Positive = 1.0):
    """[m + F- - F+]+"""
    return mean(e, relu(margin * e.distance + e.negatives - e.positive))


@wrong("margin", **HINGE)
def hinge_of_margin_squared(e, margin: Positive = 1.0):
    """[m^2 + F+ - F-]+"""
    return mean(e, relu(gaps(e, margin**2)))


@wrong("margin", promised="m")
def hinge_of_softplus(e, margin: Positive = 1.0):
    """log(1 + exp(m + F+ - F-))"""
    return mean(e, jax.nn.softplus(gaps(e, margin)))


@wrong("margin", promised="infinite")
def hinge_that_promises_more(e, margin: Positive = 1.0):
    """[m + F+ - F-]+"""
    return mean(e, relu(gaps(e, margin)))


@wrong("margin", **HINGE)
def hinge_that_stops_the_wrong_answer(e, margin: Positive = 1.0):
    """[m + F+ - stopped F-]+"""
    return mean(e, relu(margin * e.distance + e.positive - jax.lax.stop_gradient(e.negatives)))


@wrong("right answer", **HINGE)
def hinge_that_stops_the_right_answer(e, margin: Positive = 1.0):
    """[m + stopped F+ - F-]+"""
    return mean(e, relu(margin * e.distance + jax.lax.stop_gradient(e.positive) - e.negatives))


@wrong("margin at distance 2", **HINGE)
def hinge_without_distance(e, margin: Positive = 1.0):
    """[m + F+ - F-]+"""
    return mean(e, relu(margin + gaps(e)))


@wrong("margin at distance 2", **HINGE)
def hinge_over_distance(e, margin: Positive = 1.0):
    """[m / distance + F+ - F-]+"""
    return mean(e, relu(margin / jnp.maximum(e.distance, 1) + gaps(e)))


@wrong("distances", **HINGE)
def hinge_of_the_mean_distance(e, margin: Positive = 1.0):
    """[m mean of distances + F+ - F-]+"""
    return mean(e, relu(margin * mean(e, e.distance) + gaps(e)))


@wrong("wrong answers", promised="m", flat="m")
def hinge_without_its_bracket(e, margin: Positive = 1.0):
    """|m + F+ - F-|"""
    return mean(e, jnp.abs(gaps(e, margin)))


@wrong("wrong answers", promised="m, absolute", wants="nonnegative")
def levels_without_their_bracket(e, margin: Positive = 1.0):
    """(F+)^2 + (m - F-)^2"""
    return e.positive**2 + mean(e, (margin * e.distance - e.negatives) ** 2)


@wrong("wrong answers", **HINGE)
def hinge_of_the_mean_energy(e, margin: Positive = 1.0):
    """[m + F+ - mean F-]+"""
    return relu(mean(e, gaps(e, margin)))


@wrong("margin at beta 2", **HINGE)
def hinge_in_units_of_beta(e, margin: Positive = 1.0):
    """[m + beta (F+ - F-)]+"""
    return mean(e, relu(margin * e.distance + e.beta * gaps(e)))


@wrong("y among negatives", **HINGE)
def hinge_of_all_negatives(e, margin: Positive = 1.0):
    """[m + F+ - F-]+, the right answer counted"""
    return relu(gaps(e, margin)).mean()


@wrong("y among negatives", **HINGE)
def hinge_divided_by_all(e, margin: Positive = 1.0):
    """the sum over wrong answers over the number of negatives"""
    return total(e, relu(gaps(e, margin))) / len(e.negatives)


@wrong("y among negatives", **HINGE)
def hinge_divided_by_none(e, margin: Positive = 1.0):
    """a mean that is 0/0 where there is no wrong answer"""
    return total(e, relu(gaps(e, margin))) / (e.distance > 0).sum()


@wrong("continuous", **HINGE)
def hinge_of_active_terms(e, margin: Positive = 1.0):
    """the mean of the terms that are not 0"""
    terms = relu(gaps(e, margin)) * (e.distance > 0)
    return terms.sum() / jnp.maximum((terms > 0).sum(), 1)


@wrong("flat energy", **HINGE)
def hinge_of_a_sum(e, margin: Positive = 1.0):
    """sum of [m + F+ - F-]+"""
    return total(e, relu(gaps(e, margin)))


@wrong("three negatives", promised="m")
def hinge_of_a_sum_undeclared(e, margin: Positive = 1.0):
    """the same, without a value on a flat energy"""
    return total(e, relu(gaps(e, margin)))


@wrong("order of negatives", **HINGE)
def hinge_of_the_first(e, margin: Positive = 1.0):
    """[m + F+ - F-_1]+"""
    return relu(gaps(e, margin))[0]


@wrong("wrong answers", **HINGE)
def hinge_of_the_easiest(e, margin: Positive = 1.0):
    """[m + F+ - max F-]+"""
    terms = jnp.where(e.distance > 0, gaps(e, margin), jnp.inf).min()
    return jnp.where(jnp.isfinite(terms), relu(jnp.where(jnp.isfinite(terms), terms, 0.0)), 0.0)


@wrong("gradient test", promised="m", flat="m")
def hinge_that_gives_up(e, margin: Positive = 1.0):
    """min(2, [m + F+ - F-]+)"""
    return mean(e, jnp.minimum(2.0, relu(gaps(e, margin))))


@wrong("flat energy", promised="m", flat="2 m")
def hinge_of_another_value(e, margin: Positive = 1.0):
    """[m + F+ - F-]+"""
    return mean(e, relu(gaps(e, margin)))


@wrong("flat energy", promised="m", flat="sum of m", wants="all")
def margin_sum_of_a_mean(e, margin: Positive = 1.0):
    """mean of [m + F+ - F-]+"""
    return mean(e, relu(gaps(e, margin)))


@wrong("y among negatives", promised="m", flat="sum of m", wants="all")
def margin_sum_of_all_negatives(e, margin: Positive = 1.0):
    """sum of [m + F+ - F-]+, the right answer counted, which is 0 while its energy is the same"""
    return relu(gaps(e, margin)).sum()


@wrong("declared is read", promised="0", flat="0")
def lvq2_without_cap(e, cap: Positive = 1.0):
    """[F+ - F-]+"""
    return mean(e, relu(gaps(e)))


# --- on levels -------------------------------------------------------------------------------------------------------


@wrong("margin", promised="m, absolute", flat="m^2/2 at F = m/2")
def square_square_with_a_minus(e, margin: Positive = 1.0):
    """([F+]+)^2 - ([m - F-]+)^2"""
    return relu(e.positive) ** 2 - mean(e, relu(margin * e.distance - e.negatives) ** 2)


@wrong("lower bound", promised="m, absolute", flat="m, where 0 <= F <= m")
def simple_unbounded(e, margin: Positive = 1.0):
    """F+ + [m - F-]+ of an energy of either sign"""
    return e.positive + mean(e, relu(margin * e.distance - e.negatives))


@wrong("right answer", promised="m, absolute", flat="m^2/2 at F = m/2")
def square_square_of_either_sign(e, margin: Positive = 1.0):
    """(F+)^2 + ([m - F-]+)^2 of an energy of either sign"""
    return e.positive**2 + mean(e, relu(margin * e.distance - e.negatives) ** 2)


@wrong("flat energy", "negatives nonnegative", promised="m, absolute", flat="m^2/2 at F = m/2")
def square_hinge_without_a_square(e, margin: Positive = 1.0):
    """(F+)^2 + [m - F-]+"""
    return e.positive**2 + mean(e, relu(margin * e.distance - e.negatives))


@wrong("y among negatives", promised="m, absolute", flat="m, where 0 <= F <= m")
def simple_that_lifts_the_right_answer(e, margin: Positive = 1.0):
    """[F+]+ + [m - F-]+, the right answer among the F-"""
    return (
        relu(e.positive)
        + relu(margin * e.distance - e.negatives).sum() / jnp.maximum((e.distance > 0).sum(), 1)
        + (jnp.where(e.distance > 0, 0.0, relu(1.0 - e.negatives)).sum() / len(e.negatives))
    )


@wrong("declared is read", promised="infinite", wants="nonnegative")
def square_exp_without_rate(e, gamma: Positive = 1.0, rate: Positive = 1.0):
    """(F+)^2 + gamma exp(-F-)"""
    return e.positive**2 + mean(e, gamma * jnp.exp(-e.negatives))


# --- smooth ----------------------------------------------------------------------------------------------------------


@wrong("lower bound", promised="infinite", flat="0")
def bare_difference(e):
    """F+ - F-"""
    return mean(e, gaps(e))


@wrong("margin", promised="infinite", flat="1")
def never_changing(e):
    """1"""
    return 1.0 + 0.0 * mean(e, gaps(e))


@wrong("margin", promised="infinite", flat="ln 2")
def log_swapped(e):
    """log(1 + exp(F- - F+))"""
    return mean(e, jax.nn.softplus(-gaps(e)))


@wrong("flat energy", promised="infinite", flat="1")
def log_of_another_value(e):
    """log(1 + exp(F+ - F-))"""
    return mean(e, jax.nn.softplus(gaps(e)))


@wrong("far energies", promised="infinite", flat="ln 2")
def log_that_overflows(e):
    """log(1 + exp(F+ - F-)), as it is written"""
    return mean(e, jnp.log(1 + jnp.exp(gaps(e))))


@wrong("far energies", promised="infinite", flat="ln 2")
def log_of_zero(e):
    """-log sigmoid(F- - F+), as it is written"""
    return mean(e, -jnp.log(jax.nn.sigmoid(-gaps(e))))


@wrong("far energies", promised="infinite")
def log_that_ends(e):
    """log(1 + exp(F+ - F-)), the energies clipped"""
    return mean(e, jax.nn.softplus(jnp.clip(gaps(e), -20, 20)))


@wrong("runs", promised="infinite")
def root_of_a_gap(e):
    """sqrt([F+ - F-]+), whose slope at a tie is 0/0"""
    return mean(e, jnp.sqrt(relu(gaps(e))))


@wrong("lower bound", promised="infinite")
def log_of_a_ratio(e):
    """log of exp(-F-) over exp(-F+), without the right answer below"""
    return e.positive + jax.nn.logsumexp(jnp.where(e.distance > 0, -e.negatives, -jnp.inf).at[0].add(0.0))


# --- over all answers ------------------------------------------------------------------------------------------------

NLL = {"promised": "infinite", "flat": "ln|Y| / beta"}


@wrong("constant in energies", "partition", **NLL)
def nll_of_two_temperatures(e):
    """F+ + log sum exp(-beta F)"""
    return e.positive - e.beta * e.free


@wrong("margin", "partition", **NLL)
def nll_with_another_sign(e):
    """F+ - (1/beta) log sum exp(-beta F)"""
    return e.positive + e.free


@wrong("flat energy", "partition", **NLL)
def nll_in_nats(e):
    """beta F+ + log sum exp(-beta F), with the value of the other"""
    return e.beta * (e.positive - e.free)


@wrong("unit of energies", "partition probability", promised="infinite")
def mee_without_beta(e):
    """1 - exp(-(F+ - free))"""
    return -jnp.expm1(e.free - e.positive)


@wrong("margin", "minimum", promised="0", flat="0")
def perceptron_without_slope(e):
    """F+ - stopped min F"""
    return relu(e.positive - jax.lax.stop_gradient(e.minimum))


@wrong("lower bound", promised="0", flat="0")
def perceptron_over_the_wrong_answers(e):
    """F+ - min over y- of F"""
    return e.positive - jnp.where(e.distance > 0, e.negatives, jnp.inf).min()


@wrong("declared is read", "negatives partition", promised="infinite")
def nll_that_forgets(e):
    """log(1 + exp(F+ - F-)), and asks for a sum over all answers"""
    return mean(e, jax.nn.softplus(gaps(e)))


# --- of a density ----------------------------------------------------------------------------------------------------

INFONCE = {"promised": "infinite", "flat": "ln(1 + K)", "wants": "independent"}
NCE = {"promised": "infinite", "flat": "(1 + K) ln(1 + K) - K ln K"}
ML = {"promised": "-", "flat": "2 alpha F^2", "wants": "model", "penalty": "alpha"}


@wrong("optimum", **INFONCE)
def infonce_without_q(e):
    """-log of the share of y, scores -beta F"""
    return softmax_loss(scores(e, q=0.0))


@wrong("y among negatives", promised="infinite", flat="ln(1 + K)")
def infonce_that_knows_nothing(e):
    """the same, and no word of q"""
    return softmax_loss(scores(e, q=0.0))


@wrong("optimum", **INFONCE)
def infonce_with_q_added(e):
    """-log of the share of y, scores -beta F + log q"""
    return softmax_loss(scores(e, q=-1.0))


@wrong("optimum", **INFONCE)
def infonce_without_q_of_y(e):
    """-log of the share of y, that of y with score -beta F"""
    return softmax_loss(scores(e._replace(log_q_positive=jnp.zeros(()))))


@wrong("unit of energies", **INFONCE)
def infonce_without_beta(e):
    """-log of the share of y, scores -F - log q"""
    return softmax_loss(scores(e, beta=1.0))


@wrong("lower bound", **INFONCE)
def infonce_over_the_others(e):
    """-log of y over the others"""
    s = scores(e)
    return jax.nn.logsumexp(s[:-1]) - s[-1]


@wrong("y among negatives", **INFONCE)
def infonce_that_masks(e):
    """-log of the share of y, a negative that is y left out"""
    s = scores(e)
    return softmax_loss(jnp.where(jnp.append(e.distance > 0, True), s, -1e30))


@wrong("far energies", **INFONCE)
def infonce_of_shares(e):
    """-log of the share of y, as it is written"""
    return -jnp.log(jax.nn.softmax(scores(e))[-1])


@wrong("optimum", "negatives log_q", **NCE)
def nce_without_k(e):
    """log(1 + exp(-G+)) + sum of log(1 + exp(G-)), G = -beta F - c - log q"""
    return odds_loss(scores(e) - e.log_z)


@wrong("optimum", "negatives log_q", **NCE)
def nce_without_q(e):
    """the same, G = -beta F - c - log K"""
    return odds_loss(scores(e, q=0.0) - e.log_z - jnp.log(len(e.negatives)))


@wrong("optimum", "negatives log_q", **NCE)
def nce_with_c_added(e):
    """the same, G = -beta F + c - log K q"""
    return odds_loss(scores(e) + e.log_z - jnp.log(len(e.negatives)))


@wrong("flat energy", "negatives log_q", **NCE)
def nce_of_a_mean(e):
    """the same, with the mean over the others"""
    g = scores(e) - e.log_z - jnp.log(len(e.negatives))
    return jax.nn.softplus(-g[-1]) + jax.nn.softplus(g[:-1]).mean()


@wrong("unit of energies", "negatives log_q", **NCE)
def nce_without_beta(e):
    """the same, G = -F - c - log K q"""
    return odds_loss(scores(e, beta=1.0) - e.log_z - jnp.log(len(e.negatives)))


@wrong("declared is read", promised="infinite", wants="independent")
def pirl_without_tau(e, tau: Positive = 1.0):
    """-log h+ - sum of log(1 - h-), h of scores -beta F - log q"""
    shares = jax.nn.softmax(scores(e))
    return -jnp.log(shares[-1]) - jnp.log1p(-shares[:-1]).sum()


@wrong("flat energy", promised="infinite", flat="(1 + K) ln(1 + K) - K ln K", wants="independent")
def pirl_without_the_others(e, tau: Positive = 1.0):
    """-log h+"""
    return softmax_loss(scores(e, beta=e.beta / tau))


@wrong("right answer", **ML)
def ml_swapped(e, alpha: Positive = 0.1):
    """F- - F+ + alpha ((F+)^2 + (F-)^2)"""
    return e.negatives.mean() - e.positive + alpha * (e.positive**2 + (e.negatives**2).mean())


@wrong("lower bound", **ML)
def ml_without_penalty(e, alpha: Positive = 0.1):
    """F+ - F-"""
    return e.positive - e.negatives.mean()


@wrong("y among negatives", **ML)
def ml_without_y_itself(e, alpha: Positive = 0.1):
    """F+ - F- + alpha ((F+)^2 + (F-)^2), samples that are y left out"""
    return e.positive + alpha * e.positive**2 + mean(e, alpha * e.negatives**2 - e.negatives)


@wrong("three negatives", **ML)
def ml_of_a_sum(e, alpha: Positive = 0.1):
    """F+ - sum of F- + alpha ((F+)^2 + (F-)^2)"""
    return e.positive - e.negatives.sum() + alpha * (e.positive**2 + (e.negatives**2).sum())


@wrong("lower bound", promised="-", wants="model", penalty="alpha")
def ml_with_a_penalty_of_samples(e, alpha: Positive = 0.1):
    """F+ - F- + alpha (F-)^2, which bounds no F+"""
    return e.positive - e.negatives.mean() + alpha * (e.negatives**2).mean()


# --- of a View -------------------------------------------------------------------------------------------------------

SCORE = {"promised": "-", "flat": "0"}
DENOISING = {"promised": "-", "flat": "D/2"}
DISCREPANCY = {"promised": "-", "flat": "ln(1 + w/M) (M = 4)"}


def curvatures(v):
    return jnp.diag(jax.hessian(v.energy)(v.y))


def noise(v, *shape):
    return jax.random.normal(v.key, (*shape, *v.y.shape))


def discrepancy(v, t, w, sign=1.0):
    points = v.y[None] + jnp.sqrt(t) * (noise(v, 5)[:1] + noise(v, 5)[1:])
    terms = sign * v.beta * (v.energy(v.y) - jax.vmap(v.energy)(points))
    return jax.nn.logsumexp(jnp.append(terms, jnp.log(w))) - jnp.log(4)


@wrong("unit of energies", "view smooth", **SCORE)
def score_matching_without_beta(v):
    """1/2 |grad F|^2 - laplacian F"""
    return jnp.sum(jax.grad(v.energy)(v.y) ** 2) / 2 - curvatures(v).sum()


@wrong("well on the data", "view smooth", **SCORE)
def score_matching_with_a_plus(v):
    """1/2 |beta grad F|^2 + beta laplacian F"""
    return jnp.sum((v.beta * jax.grad(v.energy)(v.y)) ** 2) / 2 + v.beta * curvatures(v).sum()


@wrong("optimum", "view smooth", **SCORE)
def score_matching_without_a_half(v):
    """|beta grad F|^2 - beta laplacian F"""
    return jnp.sum((v.beta * jax.grad(v.energy)(v.y)) ** 2) - v.beta * curvatures(v).sum()


@wrong("well on the data", "view smooth", **SCORE)
def score_matching_of_one_axis(v):
    """1/2 |beta grad F|^2 - beta times the curvature along the first axis"""
    return jnp.sum((v.beta * jax.grad(v.energy)(v.y)) ** 2) / 2 - v.beta * curvatures(v)[0]


@wrong("well on the data", "view", **DENOISING)
def denoising_score_matching_away(v, sigma: Positive = 0.2):
    """1/2 |sigma beta grad F(y + sigma e) + e|^2"""
    slope = jax.grad(v.energy)(v.y + sigma * noise(v))
    return jnp.sum((sigma * v.beta * slope + noise(v)) ** 2) / 2


@wrong("well on the data", "view", **DENOISING)
def denoising_score_matching_without_sigma(v, sigma: Positive = 0.2):
    """1/2 |beta grad F(y + sigma e) - e|^2"""
    slope = jax.grad(v.energy)(v.y + sigma * noise(v))
    return jnp.sum((v.beta * slope - noise(v)) ** 2) / 2


@wrong("well on the data", "view", **DENOISING)
def denoising_score_matching_that_stops(v, sigma: Positive = 0.2):
    """the right one, its gradient stopped"""
    slope = jax.lax.stop_gradient(jax.grad(v.energy)(v.y + sigma * noise(v)))
    return jnp.sum((sigma * v.beta * slope - noise(v)) ** 2) / 2


@wrong("declared is read", "view reconstruct", promised="-", flat="|y|^2, where g = 0")
def denoising_without_corruption(v, corruption: Positive = 0.3):
    """|y - g(y)|^2"""
    return jnp.sum((v.y - v.reconstruct(v.y)) ** 2)


@wrong("flat energy", "view reconstruct", promised="-", flat="|y|^2, where g = 0")
def denoising_of_the_noisy(v, corruption: Positive = 0.3):
    """|y + corruption e - g(y + corruption e)|^2"""
    y = v.y + corruption * noise(v)
    return jnp.sum((y - v.reconstruct(y)) ** 2)


@wrong("well on the data", "view", **DISCREPANCY)
def energy_discrepancy_swapped(v, t: Positive = 0.25, w: Positive = 1.0):
    """log(w/M + 1/M sum of exp(beta (F(y + noise) - F+)))"""
    return discrepancy(v, t, w, -1.0)


@wrong("flat energy", "view", **DISCREPANCY)
def energy_discrepancy_of_a_sum(v, t: Positive = 0.25, w: Positive = 1.0):
    """log(w + sum of exp(beta (F+ - F(y + noise))))"""
    return discrepancy(v, t, w) + jnp.log(4)


@wrong("constant in energies", "view", promised="-")
def energy_of_perturbed(v, t: Positive = 0.25):
    """F+^2 - F(y + sqrt(t) e)"""
    return v.energy(v.y) ** 2 - v.energy(v.y + jnp.sqrt(t) * noise(v))
