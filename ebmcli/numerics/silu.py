"""The activation of the networks: silu, made of one polynomial and of the bits of an exponent."""

from ebmcli.core.lazy import Array, jax, jnp


def silu(x: Array) -> Array:
    """x / (1 + exp(-x)), to 4e-6 of its value, with a slope that is made of the value. x: float32.

    After the matrix products of a step its activations cost most (benchmarks/breakdown.py).
    """

    def both(x: Array) -> tuple[Array, Array]:
        share = 1 / (1 + _exp(-x))
        return x * share, share

    unit = jax.custom_jvp(lambda x: both(x)[0])

    @unit.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        value, share = both(*primals)
        return value, tangents[0] * (share + value * (1 - share))

    return unit(x)


# Of the polynomial nearest to 2^f for |f| <= 1/2, to 8e-8 of its value; the highest power first.
POWER_OF_2 = (0.001327647129, 0.009675540961, 0.055507130921, 0.240221202374, 0.693146944046, 1.000000119209)
WHOLE = 1.5 * 2**23  # a float32 near it has no fraction: adding it rounds


def _exp(x: Array) -> Array:
    """exp(x), to 4e-6 of its value, with x cut off at -80 and 80.

    2^k 2^f, k whole: the bits of an exponent and a polynomial. With XLA's own, which looks after every float32, silu
    takes a third longer on a CPU.
    """

    def bits(x: Array | float) -> Array:
        return jax.lax.bitcast_convert_type(x, jnp.int32)

    def power(x: Array) -> Array:
        of_2 = jnp.clip(x, -80, 80) * 1.4426950408889634
        whole = bits(of_2 + WHOLE) - bits(WHOLE)
        rest = of_2 - whole.astype(jnp.float32)
        polynomial = jnp.zeros(())
        for coefficient in POWER_OF_2:
            polynomial = polynomial * rest + coefficient
        return jax.lax.bitcast_convert_type(bits(polynomial) + (whole << 23), jnp.float32)

    exp = jax.custom_jvp(power)

    @exp.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        value = exp(*primals)
        return value, tangents[0] * value

    return exp(x)
