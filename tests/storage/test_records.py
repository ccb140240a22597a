"""What is read is a record, a configuration or a manifest only if it has its form."""

import json

import pytest
from helpers.made_up import plane, record, written

from ebmcli.core.errors import UsageError
from ebmcli.storage import records, store
from ebmcli.storage.records import Manifest, Record

SOUND = record("hinge", "pcd", 0, config={"steps": 20, "beta": 1.0, "margin": 0.5}, **plane(0.1, 1.0)).to_json()


def changed(content, path, value):
    """The content with another value at a path of keys; `...` takes it out."""
    copy = json.loads(json.dumps(content))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (["id"], [..., None, 3, ["a"]]), (["status"], [..., "running", "pending", 3, ["done"], None]),
        (["schema_version"], ["1", [1]]), (["config"], [..., None, [], "x"]), (["metrics"], [..., [], 3]),
        (["config", "task"], [..., 3, None, ["moons"]]), (["config", "seed"], [..., "0", -1, 0.5, None, True]),
        (["config", "steps"], ["20", 0, 1.5, None, [20]]), (["config", "beta"], ["1", 0, -1.0, None, True]),
        (["config", "margin"], ["1", None, [1]]), (["config", "lr"], [0, "x"]), (["config", "x"], [[], {}, [1]]),
        (["metrics", "kl"], ["0.1", [0.1], {}]), (["metrics", "verdict"], [3, True, ["healthy"]]),
        (["seconds"], [..., [], 3]), (["seconds", "train"], ["1", [1.0]]),
        (["provenance"], [..., None, "x"]), (["provenance", "versions"], [3, "x", [], {"ebm": [1]}]),
        (["provenance", "x"], [[[1]], {"a": {}}]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else "",
)  # fmt: skip
def test_what_is_read_must_have_the_form_of_a_record(path, values):
    assert Record.from_json(SOUND) is not None
    for value in values:
        assert Record.from_json(changed(SOUND, path, value)) is None, value


@pytest.mark.parametrize(("path", "value"), [
    (["config", "x"], None), (["config", "x"], "all"), (["config", "x"], True), (["metrics", "new"], None),
    (["metrics", "verdict"], None), (["provenance", "versions"], ...), (["provenance", "jax"], {"x64": True, "n": 3}),
    (["provenance", "pinned"], ["a", 1]), (["schema_version"], 99), (["surprise"], {"a": [[]]}),
])  # fmt: skip
def test_what_another_version_may_say_is_read(path, value):
    assert Record.from_json(changed(SOUND, path, value)) is not None


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../../x", "/etc", "a/b", ".hidden", "a\0b", "x" * 256, "\ud800", 3, None]
)
def test_an_id_that_leads_out_of_the_folder_is_damage(tmp_path, run_id):
    folder = written(tmp_path / "x", [record("hinge", "pcd", 0, **plane(0.1, 1.0))])
    content = json.loads((folder / "sweep.json").read_text())
    del content["checksum"]
    old = {**content, "schema_version": 1}  # which had none
    (folder / "sweep.json").write_text(json.dumps(old))
    assert [one.status for one in store.records(folder)] == ["done"]
    (folder / "sweep.json").write_text(json.dumps(changed(old, ["cells", 0, "id"], run_id)))
    with pytest.raises(UsageError, match=r"sweep\.json is damaged"):
        store.records(folder)


@pytest.mark.parametrize("cell", [3, None, [], {}, {"id": "a"}, {"id": "a", "config": {}}, {"id": "a", "config": 3}])
def test_what_is_no_cell_is_damage(cell):
    sound = {"id": "a", "config": SOUND["config"], "origin": 0}
    content = {"schema_version": 2, "cells": [sound], "origins": [{"lr": "default"}]}
    assert Manifest.from_json(content).origins_of("a") == {"lr": "default"}
    assert Manifest.from_json({**content, "cells": [sound, cell]}) is None
    for origins in ([3], [[]], [{"lr": 3}], "x", {}, []):
        assert Manifest.from_json({**content, "origins": origins}).origins_of("a") == {}


def test_curves_end_where_a_line_is_none(tmp_path):
    lines = [{"step": 0, "kl": 0.5}, {"step": 5, "kl": None}]
    for wrong in (
        '{"step": "9"}',
        '{"kl": 1}',
        '{"step": 9, "kl": "x"}',
        '{"step": 9, "kl": [1]}',
        "[]",
        "[" * 9999,
        "NaN",
        "",
    ):
        text = "\n".join([*map(json.dumps, lines), wrong, json.dumps({"step": 10})])
        (tmp_path / "curves.jsonl").write_text(text)
        assert store.curves(tmp_path) == lines, wrong


@pytest.mark.parametrize(("content", "status"), [
    ({"kind": "oom"}, "oom"), ({"kind": "done"}, "failed"), ({"kind": ["x"]}, "killed"), ({"message": "x"}, "failed"),
    ({"kind": 3, "message": 4}, "killed"), ([], "killed"), ("[" * 9999, "killed"),
])  # fmt: skip
def test_a_failure_has_a_known_kind_and_words(tmp_path, content, status):
    (tmp_path / "failure.json").write_text(content if isinstance(content, str) else json.dumps(content))
    assert store.status(tmp_path) == status
    assert all(isinstance(store.failure(tmp_path).get(name, ""), str) for name in ("kind", "message", "traceback"))
    store.save_failure(tmp_path, {"kind": "failed", "message": "x" * 2_000_000, "traceback": ""})
    assert store.status(tmp_path) == "failed", "a message of any length is kept, its end at least"
    assert set(records.FAILURE) >= set(store.failure(tmp_path))
