"""The memory that a program will need: at least what it keeps and its largest array, counted without one of them."""

import jax
import jax.numpy as jnp
import pytest

from ebmcli.training import memory


def of(function, *shapes):
    return memory.working(jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)))


def test_the_bytes_of_arrays_are_counted_whether_they_are_there_or_not():
    tree = {"a": jnp.zeros((3, 4)), "b": (jax.ShapeDtypeStruct((10**9, 10**9), jnp.float32), None)}
    assert memory.size(tree) == 48 + 4 * 10**18


@pytest.mark.parametrize(
    ("function", "shapes", "products", "largest"),
    [
        (lambda a, b: a @ b, [(5, 3), (3, 7)], 4 * 35 / 2, 4 * 35),
        (lambda a, b: jnp.tanh(a @ b) @ b.T, [(5, 3), (3, 7)], 4 * (35 + 15) / 2, 4 * 35),
        (lambda a: jnp.broadcast_to(a, (10**9, 3)).reshape(-1)[0] + a[0], [(3,)], 0, 4),  # is never there
        (lambda a: jax.lax.fori_loop(0, 10**6, lambda i, a: a @ a, a), [(4, 4)], 64 / 2, 64),  # once
        (jax.jit(jax.vmap(lambda a: a @ a)), [(9, 4, 4)], 9 * 64 / 2, 9 * 64),
        (lambda a: jax.lax.cond(a[0, 0] > 0, lambda a: a @ a @ a, lambda a: a @ a, a), [(4, 4)], 2 * 64 / 2, 64),
    ],
)
def test_products_and_the_largest_array_are_counted_in_whatever_they_are_nested(function, shapes, products, largest):
    found = of(function, *shapes)
    assert found[0] == products
    assert largest <= found[1] <= largest + 12


def test_what_certainly_does_not_fit_is_refused_with_how_much_it_needs(monkeypatch):
    traced = jax.jit(lambda a: a @ a).trace(jax.ShapeDtypeStruct((1024, 1024), jnp.float32))
    params, state = (jax.ShapeDtypeStruct((count, 1024, 1024), jnp.float32) for count in (10, 30))  # 40 and 120 MiB
    needed = 160 + 4 * jax.device_count()
    for room, refused in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(memory, "of_this_machine", lambda room=room: room * 2**20)
        if not refused:
            memory.check(traced, state, params)
            continue
        with pytest.raises(
            memory.TooLarge, match=rf"needs about {needed} MiB of memory, 160 MiB of them for param"
        ) as e:
            memory.check(traced, state, params)
        assert f"this machine has {room} MiB" in str(e.value)
    monkeypatch.setattr(memory, "of_this_machine", lambda: None)  # nobody knows
    memory.check(traced, state, params)


@pytest.mark.parametrize(
    ("count", "text"), [(5, "5 bytes"), (2048, "2.0 KiB"), (23.4 * 2**30, "23 GiB"), (5e6 * 2**40, "5,000,000 TiB")]
)
def test_memory_is_said_in_units_that_people_read(count, text):
    assert memory.text(count) == text


def test_this_machine_has_memory():
    assert memory.of_this_machine() > 2**28
