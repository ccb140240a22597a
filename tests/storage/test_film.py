"""The film of a run: what is read is what was seen, to the stated precision, and it is small."""

import numpy as np
import pytest
from helpers.shell import run_here

import ebmcli
from ebmcli.storage import film, store


def frames(count=4, side=7, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            "step": np.int32(100 * number),
            "energy": np.float32(10.0**number * rng.normal(size=(side, side)) - 5),
            "label": rng.integers(-1, 20, (side, side)),
            "negative": np.float32(rng.normal(size=(5, 2))),
        }
        for number in range(count)
    ]


def test_numbers_come_back_within_half_a_level_and_integers_as_they_were():
    shot = frames()
    seen = film.unpack(film.pack(shot))
    assert list(seen) == ["step", "energy", "label", "negative"]
    for number, frame in enumerate(shot):
        assert (seen["label"][number] == frame["label"]).all()
        assert seen["step"][number] == frame["step"]
        for name in ("energy", "negative"):
            low, span = np.float64(frame[name].min()), np.float64(np.ptp(frame[name]))
            root = np.sqrt((np.float64(frame[name]) - low) / span)
            step = 0.5 / film.LEVELS
            allowed = span * (2 * root * step + step**2) + 1e-6 * np.abs(frame[name]).max()  # of float32, the rest
            assert (np.abs(seen[name][number] - frame[name]) <= allowed).all()


def test_a_flat_frame_and_one_that_ranges_over_all_floats_come_back():
    seen = film.unpack(film.pack([{"energy": np.full((3, 3), 2.5)}, {"energy": np.array([[-3e38, 0, 3e38]] * 3)}]))
    assert (seen["energy"][0] == 2.5).all()
    assert np.allclose(seen["energy"][1], [[-3e38, 0, 3e38]] * 3, atol=1e35)


def test_no_film_is_none():
    assert film.unpack({}) == {}


@pytest.mark.parametrize(
    ("y", "negatives", "energies", "first"),
    [
        ((3, 2), (3, 4, 2), (3, 4), 12),  # each example has its own
        ((3, 2), (5, 2), (3, 5), 5),  # shared
        ((3,), (3, 1), (3, 1), 3),  # labels
    ],
)
def test_a_frame_holds_each_negative_beside_its_energy(y, negatives, energies, first):
    drawn = np.arange(np.prod(negatives), dtype=np.float32).reshape(negatives)
    flat = drawn.reshape(-1, *y[1:]).reshape(-1, int(np.prod(y[1:])))[:, 0]
    energy = np.broadcast_to(flat.reshape(energies) if len(flat) == np.prod(energies) else flat, energies)
    frame = film.frame(7, {}, {"y": np.zeros(y), "positive": np.zeros(y[0]), "y_negative": drawn, "negatives": energy})
    assert len(frame["negative"]) == len(frame["negative_energy"]) == first
    assert (frame["negative"].reshape(first, -1)[:, 0] == frame["negative_energy"]).all()


def test_a_run_keeps_its_film_which_ends_at_what_was_learned(finished):
    folder = next((finished / "results" / "x" / "runs").glob("hinge*"))
    run = ebmcli.load_run(folder)
    assert run.film["step"].tolist() == run.curves["step"].tolist()
    assert (folder / store.FILM).stat().st_size < 120_000
    y = run.film["answer"][-1]
    span = np.ptp(run.film["answer_energy"][-1])
    assert np.allclose(run.energy(None, y), run.film["answer_energy"][-1], atol=0.02 * span + 1e-3)


def test_a_run_without_a_film_is_the_same(tmp_path):
    line = ["run", "--loss", "hinge", "--sampler", "uniform", "--steps", "20", "--no-pictures", "--name"]
    for name, extra in (("with", []), ("without", ["--no-film"])):
        run_here(tmp_path, *line, name, *extra)
    runs = [ebmcli.load_run(next((tmp_path / "results" / name / "runs").iterdir())) for name in ("with", "without")]
    assert runs[0].film
    assert not runs[1].film
    assert runs[0].metrics == runs[1].metrics
