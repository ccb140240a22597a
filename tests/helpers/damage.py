"""A results folder of made-up runs, and damage to its files by a grammar: what is done to which file, drawn at random.

Content is cut, flipped, swapped or of another type, with a checksum that agrees or from before there were any; a file
is a folder, a pipe, a link to anything, or a terabyte of nothing.
"""

import io
import json
import os
import shutil
import socket
import zipfile
from contextlib import closing

import numpy as np
from helpers.made_up import plane, record, written

from ebmcli.storage import store
from ebmcli.storage.atomic import checksum
from ebmcli.storage.records import SCHEMA_VERSION

SETTINGS = {"steps": 20, "batch_size": 8, "beta": 1.0, "margin": 1.0, "head": "free"}
TASKS = ("moons", "parabola", "classes", "letters")  # one of each kind of panel


def sound_arrays(task):
    """Arrays as a run of this task leaves them for its pictures."""
    draw = np.random.default_rng(0)
    real = lambda *shape: draw.normal(size=shape).astype(np.float32)  # noqa: E731
    if task == "moons":
        return {"energy": real(24, 24), "y": real(8, 2), "y_negative": real(16, 2)}
    if task == "parabola":
        return {"energy": real(24, 30), "questions": np.linspace(-3, 3, 24)[:, None], "x": real(8, 1), "y": real(8, 1)}
    if task == "classes":
        shown = {"label": draw.integers(0, 3, (24, 24)), "shown": np.array([-4.0, 4.0])}
        return {**shown, "x": real(8, 2), "y": draw.integers(0, 3, 8)}
    return {"right": real(30), "offending": real(30)}


def make(root):
    """A results folder with the sweep `x` in it: runs of several tasks, one failed, one pending, one refused."""
    records = [
        record(loss, "uniform", 0, task=task, config=SETTINGS, **plane(0.1, 1.0), warning="chains stand")
        for task in TASKS
        for loss in ("hinge", "log")
    ]
    records += [record("mce", "uniform", 0, config=SETTINGS, status="failed")]
    records += [record("nll", "uniform", 0, config=SETTINGS, status="pending")]
    folder = written(root / "x", records, [(records[0].config, "no sum")])
    for one in records[: 2 * len(TASKS)]:
        run = folder / "runs" / one.id
        store.save_arrays(run / "arrays.npz", sound_arrays(one.task))
        store.save_arrays(run / "params.npz", {"energy/0": np.ones(3, np.float32)})
        for step in range(5):
            store.append_curve(run, {"step": 4 * step, "seconds": 0.1, "kl": 0.5**step, "gap_q50": float(step)})
        (run / "lock").touch()
    return folder


# --- the grammar -----------------------------------------------------------------------------------------------------

RUN_FILES = ("config.json", "result.json", "curves.jsonl", "arrays.npz", "failure.json", "lock")
SWEEP_FILES = ("sweep.json", "grid-moons.png", "lock", "runs")


def deal(draw, folder):
    """Damage one file of a sweep; what was done, in words."""
    runs = sorted((folder / "runs").iterdir()) if (folder / "runs").is_dir() else []
    runs = [run for run in runs if run.is_dir() and not run.is_symlink()]
    if runs and draw.random() < 0.75:
        path = draw.choice(runs) / draw.choice(RUN_FILES)
    else:
        path = folder / draw.choice([*SWEEP_FILES, f"runs/{draw.choice(runs).name}" if runs else "lock"])
    whole = path.read_bytes() if path.is_file() else b""
    ways = [_replaced]
    ways += [_garbled] if whole else []
    ways += 4 * [_mistyped] if whole and path.suffix in (".json", ".jsonl") else []
    ways += 4 * [_misshapen] if path.suffix == ".npz" else []
    return f"{path.relative_to(folder)}: {draw.choice(ways)(draw, path, whole)}"


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replaced(draw, path, whole):
    """Something that is no file of ours in the place of one."""
    _remove(path)
    kind = draw.choice(["folder", "pipe", "socket", "sparse", "nothing", "empty", "zeros", "deep", "link", "loop"])
    if kind == "folder":
        (path / "inner").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with closing(socket.socket(socket.AF_UNIX)) as end:
            place = os.open(path.parent, os.O_RDONLY)  # its path may be too long for one
            end.bind(f"/proc/self/fd/{place}/{path.name}" if len(path.name) < 60 else f"/proc/self/fd/{place}/s")
            os.close(place)
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 2 ** draw.choice([21, 25, 28, 31, 40]))
    elif kind == "empty":
        path.touch()
    elif kind == "zeros":
        path.write_bytes(bytes(draw.randrange(1, 5000)))
    elif kind == "deep":
        path.write_bytes(draw.choice([b"[", b'{"a":', b'[{"a":[']) * draw.choice([30, 900, 100_000]))
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "link":
        kind = draw.choice(["/dev/zero", "/dev/full", "/dev/stdin", "/etc/passwd", "/proc/self/mem", "..", "no"])
        path.symlink_to(kind)
    return f"is {kind}"


def _garbled(draw, path, whole):
    """Bytes that were cut, changed, doubled or taken from another file."""
    at = draw.randrange(len(whole))
    way = draw.choice(["cut", "flip", "junk", "twice", "swapped"])
    if way == "flip":
        new = whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]
    elif way == "swapped":
        others = sorted(other for other in path.parent.iterdir() if other.is_file())
        new = draw.choice(others).read_bytes()[: 2**20]
    else:
        new = {"cut": whole[:at], "junk": whole[:at] + b"\xff\x00\x1b[2J" + whole[at:], "twice": whole * 2}[way]
    path.write_bytes(new)
    return f"{way} at {at}"


ODD = [
    None, True, False, -1, 0, 3, 2**62, -(2**63), 10**30, 1e308, -1e308, 5e-324, 0.5, "", "nan", "hinge", "a\0b",
    "../../x", "/etc/passwd", "\x1b[2J\x1b]0;t\x07", "é\udce9", "\ud800", "=1+1", "[bold]|`$%\\{}<script>", "x" * 5000,
    "\n# x\r| y |", [], {}, [1], {"a": 1}, [[[]]], "points:/dev/zero", "points:", "no-such", "done", "moons",
]  # fmt: skip


def _mistyped(draw, path, whole):
    """JSON in which a value was replaced, removed or nested; with a checksum that agrees, or of the first schema."""
    lines = whole.splitlines() if path.suffix == ".jsonl" else [whole]
    number = draw.randrange(len(lines))
    try:
        content = json.loads(lines[number])
    except ValueError:
        return "damaged already"
    what = _mutate(draw, content)
    if isinstance(content, dict) and "checksum" in content:
        content.pop("checksum")
        if draw.random() < 0.4:
            content["schema_version"] = draw.choice([1, 1, 3, SCHEMA_VERSION])
        if content.get("schema_version") == SCHEMA_VERSION:
            try:
                content["checksum"] = checksum(content)
            except RecursionError:
                what += ", no checksum"
    lines[number] = _json(content)
    path.write_bytes(b"\n".join(lines))
    if path.name == "result.json" and isinstance(content, dict) and draw.random() < 0.7:  # as if the run had been so
        (path.parent / "config.json").write_bytes(_json(content.get("config")))
    return what


def _json(content):
    return json.dumps(content).encode()


def _mutate(draw, content):
    """Change one value, somewhere inside."""
    place, where = content, []
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return "nothing"
        key = draw.choice(keys)
        where.append(key)
        if isinstance(place[key], dict | list) and place[key] and draw.random() < 0.85:
            place = place[key]
            continue
        way = draw.choice(["replace", "replace", "replace", "remove", "nest", "rename"])
        if way == "remove":
            del place[key]
        elif way == "nest":
            for _ in range(draw.choice([1, 40, 400])):
                place[key] = [place[key]]
        elif way == "rename" and isinstance(place, dict):
            place[str(draw.choice(ODD))] = place.pop(key)
        else:
            place[key] = draw.choice(ODD)
        return f"{way} {where} by {place[key] if way == 'replace' else ''!r}"[:200]


def _misshapen(draw, path, whole):
    """Arrays of other shapes and types, in a sound archive or in one that lies."""
    task = next((task for task in TASKS if f"-{task}-" in path.parent.name), "moons")
    arrays = dict(sound_arrays(task))
    name = draw.choice(list(arrays))
    array = arrays[name]
    odd = {
        "flat": array.reshape(-1), "scalar": array.reshape(-1)[0], "empty": array[:0], "twice": np.repeat(array, 2),
        "longer": np.concatenate([array] * 2), "deeper": array[None], "transposed": array.T, "text": array.astype(str),
        "complex": array.astype(complex), "bool": array.astype(bool), "nan": np.full(array.shape, np.nan),
        "infinite": np.full(array.shape, np.inf), "huge": np.full(array.shape, 1e300), "equal": np.zeros(array.shape),
        "negative": -np.abs(array) - 1, "objects": array.astype(object), "labels": np.full(array.shape, 2**40),
        "bytes": array.view(np.uint8), "wide": np.zeros((5000, 5000), np.float32), "gone": None,
        "strange": np.zeros(3, [("a", "f4"), ("b", "S3")]),
    }  # fmt: skip
    way = draw.choice([*odd, "claims", "many", "bomb", "names"])
    buffer = io.BytesIO()
    if way in odd:
        arrays[name] = odd[way]
        np.savez_compressed(buffer, **{key: value for key, value in arrays.items() if value is not None})
    else:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }"
            if way == "many":
                for number in range(20_000):
                    archive.writestr(f"{number}", b"")
            elif way == "names":
                archive.writestr("../../../x.npy", b"\x93NUMPY")
                archive.writestr("energy", b"no array")
            else:
                text = (head % ((10**9, 10**9) if way == "claims" else (100, 1000))).encode()
                content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
                archive.writestr(f"{name}.npy", content + bytes(0 if way == "claims" else 50_000_000))
    path.unlink(missing_ok=True)
    if not path.is_dir():
        path.write_bytes(buffer.getvalue())
    return f"{name} is {way}"
