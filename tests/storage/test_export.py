"""Runs as flat rows, and as files for other programs."""

import csv
import io
import sys

import pytest
from helpers.made_up import record, seeds, written

from ebmcli.core.errors import UsageError
from ebmcli.storage import export, frames, store


def test_csv_has_a_row_a_run_or_a_chunk_end(tmp_path):
    records = [*seeds("hinge", "pcd", [0.1, 0.2]), record("=1+1", "pcd", 0, status="killed")]
    folder = written(tmp_path / "x", records)
    store.append_curve(folder / "runs" / "hinge-pcd-moons-s1", {"step": 5, "kl": 0.7})
    export.export(folder, "csv", tmp_path / "x.csv", False)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert [line["status"] for line in lines] == ["done", "done", "killed"]
    assert [line["kl"] for line in lines] == ["0.1", "0.2", ""]
    assert (lines[0]["code"], lines[0]["seconds_train"], lines[2]["loss"]) == ("abc", "1.0", "'=1+1")
    export.export(folder, "csv", tmp_path / "c.csv", True)
    (line,) = csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text()))
    assert (line["id"], line["seed"], line["step"], line["kl"]) == ("hinge-pcd-moons-s1", "1", "5", "0.7")


def test_parquet_and_tensorboard_hold_the_same(tmp_path):
    """The extras that they need are among the test requirements."""
    import pandas
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401

    folder = written(tmp_path / "x", seeds("hinge", "pcd", [0.1, 0.2]))
    for step in (0, 5):
        store.append_curve(folder / "runs" / "hinge-pcd-moons-s0", {"step": step, "kl": 0.5, "tv": None})
    export.export(folder, "parquet", tmp_path / "x.parquet", False)
    found = pandas.read_parquet(tmp_path / "x.parquet")
    assert list(found["kl"]) == [0.1, 0.2]
    export.export(folder, "tensorboard", tmp_path / "events", False)
    (run,) = (tmp_path / "events").iterdir()
    assert run.name == "hinge-pcd-moons-s0"
    (file,) = run.iterdir()
    raw, scalars, place = file.read_bytes(), [], 0
    while place < len(raw):  # length, its checksum, the event, its checksum
        size = int.from_bytes(raw[place : place + 8], "little")
        event = Event.FromString(raw[place + 12 : place + 12 + size])
        scalars += [(value.tag, event.step, value.simple_value) for value in event.summary.value if value.tag == "kl"]
        place += size + 16
    assert scalars == [("kl", 0, 0.5), ("kl", 5, 0.5)]


def test_an_extra_that_is_not_installed_is_named(tmp_path, monkeypatch):
    folder = written(tmp_path / "x", seeds("hinge", "pcd", [0.1]))
    for module in ("pyarrow", "tensorboardX"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"pip install 'ebmcli\[parquet\]'"):
        export.export(folder, "parquet", tmp_path / "out", False)
    with pytest.raises(UsageError, match=r"pip install 'ebmcli\[tensorboard\]'"):
        export.export(folder, "tensorboard", tmp_path / "out", False)
    with pytest.raises(UsageError, match="did you mean csv"):
        export.export(folder, "cvs", tmp_path / "out", False)


def test_a_measure_named_like_a_hyperparameter_is_kept_apart(tmp_path):
    (row,) = frames.rows(written(tmp_path / "x", [record("hinge", "pcd", 0, lr=7.0)]))
    assert (row["lr"], row["measured_lr"]) == (0.1, 7.0)
