"""Commands that read results: status, show, compare, export, frames, completion; on made-up sweeps."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from helpers.made_up import PROVENANCE, plane, record, seeds, written

import ebmcli
from ebmcli.cli import reading
from ebmcli.core.errors import UsageError
from ebmcli.planning import config, origins, plan
from ebmcli.report import compare as comparing
from ebmcli.report import run as one_run
from ebmcli.report import status as standing
from ebmcli.storage import find, frames, store

NOISE = [0.010, -0.012, 0.004, -0.002]


def ebm(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ebmcli", *arguments],
        cwd=cwd, capture_output=True, text=True, env=os.environ | environment, timeout=120,
    )  # fmt: skip


@pytest.fixture
def results(tmp_path):
    (tmp_path / "results").mkdir()
    return lambda name, records, *more: written(tmp_path / "results" / name, records, *more)


# --- pictures of a report --------------------------------------------------------------------------------------------


def test_a_page_that_is_older_than_a_result_is_not_shown(results, monkeypatch):
    folder = results("x", seeds("hinge", "pcd", [0.1, 0.2]))
    page = folder / "grid-moons.png"
    assert reading._pictures([folder], draw=False) == {}
    page.write_bytes(b"drawn")
    assert reading._pictures([folder], draw=False) == {"moons": [page]}
    result = folder / "runs" / "hinge-pcd-moons-s1" / "result.json"
    os.utime(result, ns=(0, page.stat().st_mtime_ns + 1))
    assert reading._pictures([folder], draw=False) == {}
    monkeypatch.setattr(reading.page, "write", lambda *_: ([], os.utime(page, ns=(0, 2**62)) or []))
    assert reading._pictures([folder], draw=True) == {"moons": [page]}


def test_pages_that_cannot_be_drawn_are_a_note(results, tmp_path):
    results("x", seeds("hinge", "pcd", [0.1, 0.2]))  # made up: they have left no arrays
    done = ebm("report", "--output", "r.md", cwd=tmp_path)
    assert done.returncode == 0
    assert "no pictures of x: " in done.stderr
    assert "arrays.npz" in done.stderr
    assert "![" not in (tmp_path / "r.md").read_text()
    refused = ebm("report", "--output", "nowhere/r.md", cwd=tmp_path)
    assert (refused.returncode, "there is no folder nowhere" in refused.stderr) == (2, True)


# --- status ----------------------------------------------------------------------------------------------------------


def timed(one, train, steps=100):
    one["seconds"] = {"compile": 9.0, "train": train, "evaluate": 1.0}
    one["config"]["steps"] = steps
    return one


def test_time_to_go_is_that_of_the_most_alike_runs_shared_by_the_devices():
    done = [
        timed(record("hinge", "pcd", 0, **plane(0.1, 1.0)), 9.0),
        timed(record("log", "pcd", 0, **plane(0.1, 1.0)), 19.0),
    ]
    rest = [
        timed(record("hinge", "pcd", 1, status="killed"), 0.0, 200),
        timed(record("nce", "pcd", 1, status="pending"), 0.0),
    ]
    # 200 steps of a hinge that took 10 s for 100, and one like the median of (10, 20); two devices
    assert standing.seconds_left([*done, *rest]) == pytest.approx((20 + 15) / 2)
    assert standing.seconds_left(rest) is None
    assert standing.seconds_left(done) == 0.0


def test_status_counts_and_names_the_last_error(results, tmp_path):
    refused = [({"task": "moons", "loss": "nll", "sampler": "pcd", "energy": "mlp", "seed": 0}, "no sum")]
    results("x", [*seeds("hinge", "pcd", [0.1, 0.2]), record("log", "pcd", 0, status="failed")], refused)
    done = ebm("status", cwd=tmp_path)
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["task", "done", "refused", "failed"] in lines
    assert ["moons", "2", "1", "1"] in lines
    for words in ("1 runs to go, roughly", "goes on with it", "log-pcd-moons-s0: ValueError: a | b"):
        assert words in done.stdout
    found = json.loads(ebm("status", "x", "--json", cwd=tmp_path).stdout)
    assert found["tasks"] == {"moons": {"done": 2, "failed": 1, "refused": 1}}
    assert (found["left"], found["working"]) == (1, False)


# --- show ------------------------------------------------------------------------------------------------------------


def test_origins_are_flag_file_table_unit_and_choice(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(
        'losses = ["hinge"]\nsamplers = ["default"]\nlr = 0.01\nsteps = 7\nseeds = "0..1"\n'
        "[loss.hinge]\nmargin = 2\n[task.letters]\nsteps = 9\n"
    )
    from ebmcli.planning import experiment_file

    file = experiment_file.load(path)
    flags = config.grid({"task": "moons,letters"}, {"lr": "0.02"})
    said = json.loads(store.dumps(origins.said(flags, file, path)))
    cells = {cell.config["task"]: cell.config for cell in plan.plan(flags.over(file)).runs}
    found = {task: origins.origins(one, said) for task, one in cells.items()}
    name = str(path)
    names = ("task", "loss", "sampler", "energy", "seed", "lr", "steps", "margin")
    assert {key: found["moons"][key] for key in names} == {
        "task": "command line", "loss": name, "sampler": "chosen for the loss and the task",
        "energy": "chosen for the task and the loss", "seed": name, "lr": "command line", "steps": name,
        "margin": f"{name}, [loss.hinge]",
    }  # fmt: skip
    assert found["letters"]["steps"] == f"{name}, [task.letters]"
    assert found["moons"]["batch_size"] == "default of task moons"
    assert found["moons"]["chain_steps"] == "default of sampler langevin"
    assert found["moons"]["beta"] == "default"
    assert found["letters"]["margin_distance"] == "follows the negatives"
    assert not [told for one in found.values() for told in one.values() if told in ("", "unknown", "given")]


def test_origins_of_an_older_manifest_and_of_other_defaults_say_what_they_are():
    (cell,) = plan.plan(config.grid({"loss": "min-hinge"}, {})).runs
    assert origins.origins(cell.config, None)["lr"] == "default of task moons"
    assert origins.origins(cell.config, None)["task"] == "given"
    assert origins.origins(cell.config | {"lr": 0.5}, None)["lr"] == "given"
    said = origins.said(config.grid({"loss": "min-hinge"}, {}))
    assert origins.origins(cell.config | {"lr": 0.5}, said)["lr"] == "default of task moons when it ran (today 0.005)"
    assert origins.origins(cell.config, said)["head"] == "follows the loss"
    assert origins.origins(cell.config, said)["loss"] == "command line"


def test_show_names_everything_of_a_run(results, tmp_path):
    folder = results("x", seeds("hinge", "pcd", [0.1, 0.2]))
    for step in range(10):
        store.append_curve(folder / "runs" / "hinge-pcd-moons-s0", {"step": step, "gap_q50": step / 10})
    done = ebm("show", "hinge-pcd-moons-s0", cwd=tmp_path)
    for words in (
        "done, of the sweep x",
        "healthy: fine",
        "kl at β*",
        "6 of 10 chunk ends",
        "result.json",
        "commit",
        "ebm sweep x.toml",
    ):
        assert words in done.stdout
    found = json.loads(ebm("show", "hinge-pcd-moons-s0", "--json", cwd=tmp_path).stdout)
    assert len(found["curves"]) == 10
    assert found["origins"].keys() == found["config"].keys()


def test_show_of_a_failed_run_has_its_traceback(results):
    folder = results("x", [record("log", "pcd", 0, status="failed")])
    run = folder / "runs" / "log-pcd-moons-s0"
    store.save_failure(run, {"kind": "failed", "message": "ValueError: x", "traceback": "Traceback: there"})
    told = one_run.told(run)
    assert "attempt 2: ValueError: x" in told
    assert "Traceback: there" in told


def test_a_run_is_found_by_its_beginning_and_an_unclear_one_is_refused(results, tmp_path):
    folder = results("x", seeds("hinge", "pcd", [0.1, 0.2]))
    root = tmp_path / "results"
    assert find.run("hinge-pcd-moons-s1", root) == folder / "runs" / "hinge-pcd-moons-s1"
    assert find.run(str(folder / "runs" / "hinge-pcd-moons-s0"), root).name == "hinge-pcd-moons-s0"
    with pytest.raises(UsageError, match="2 runs: say more"):
        find.run("hinge", root)
    with pytest.raises(UsageError, match="did you mean hinge-pcd-moons-s"):
        find.run("hing-pcd-moons", root)
    with pytest.raises(UsageError, match="no runs in"):
        find.run("hinge", tmp_path / "nothing")


# --- compare ---------------------------------------------------------------------------------------------------------

BASE = [*seeds("hinge", "pcd", [0.3 + n for n in NOISE]), *seeds("log", "pcd", [0.3 + n for n in NOISE])]


def compared(*second):
    return comparing.compare(BASE, [one for group in second for one in group])


def test_the_same_sweep_twice_has_no_changes():
    found = comparing.compare(BASE, BASE)
    assert {change.finding for change in found.changes} == {"equal"}
    assert not found.worse
    assert comparing.table(found, ("a", "b")).rows == []
    assert found.counts() == f"{len(found.changes)} equal"
    collapsed = [*BASE, record("mce", "pcd", 0, **plane(3.0, 1.0, verdict="flat"))]
    assert not comparing.compare(collapsed, collapsed).worse, "it was not healthy before"


def test_what_became_worse_is_told_from_noise():
    noise = seeds("hinge", "pcd", [0.3 - n for n in NOISE])
    found = compared(noise, seeds("log", "pcd", [0.9 - n for n in NOISE]))
    told = {(change.row, change.measure): change.finding for change in found.changes}
    assert told["hinge with pcd", "kl"] == "not significant"
    assert told["log with pcd", "kl"] == "worse"
    assert told["log with pcd", "auroc"] == "equal"
    assert found.worse
    row = next(row for row in comparing.table(found, ("a", "b")).rows if row[1] == "log with pcd")
    assert [str(cell) for cell in row[2:6]] == ["kl ↓", "0.300 ± 0.015", "0.900 ± 0.015", "0.600 ± 0.030"]
    better = compared(noise, seeds("log", "pcd", [0.1 - n / 2 for n in NOISE]))
    assert "better" in {change.finding for change in better.changes}
    assert not better.worse


def test_a_run_that_is_no_longer_healthy_and_a_row_that_is_missing_are_worse():
    second = [*BASE[:7], record("log", "pcd", 3, **plane(0.3, 1.0, verdict="flat"))]
    assert comparing.compare(BASE, second).lost == ["moons: log with pcd, seed 3: flat"]
    assert comparing.compare(BASE, second).worse
    missing = comparing.compare(BASE, BASE[:4])
    assert missing.only == (["log with pcd"], [])
    assert missing.worse
    assert not comparing.compare(BASE[:4], BASE).worse


def test_other_settings_are_named_and_do_not_keep_rows_apart():
    second = [one | {"config": one["config"] | {"lr": 0.2}, "provenance": PROVENANCE | {"code": "def"}} for one in BASE]
    found = comparing.compare(BASE, second)
    assert found.settings == ["lr 0.1 → 0.2", "code abc → def"]
    assert found.only == ([], [])


def test_compare_ends_with_3_only_where_asked(results, tmp_path):
    results("a", BASE)
    results("b", seeds("hinge", "pcd", [0.9 - n for n in NOISE]))
    plain, failing = ebm("compare", "a", "b", cwd=tmp_path), ebm("compare", "a", "b", "--fail-on-worse", cwd=tmp_path)
    assert (plain.returncode, failing.returncode) == (0, 3)
    assert "Only in the first: log with pcd." in plain.stdout
    assert json.loads(ebm("compare", "a", "b", "--json", cwd=tmp_path).stdout)["worse"] is True
    assert ebm("compare", "a", "a", "--fail-on-worse", cwd=tmp_path).returncode == 0


# --- export and frames -----------------------------------------------------------------------------------------------


def test_csv_has_a_row_a_run_or_a_chunk_end(results, tmp_path):
    folder = results("x", [*seeds("hinge", "pcd", [0.1, 0.2]), record("=1+1", "pcd", 0, status="killed")])
    store.append_curve(folder / "runs" / "hinge-pcd-moons-s1", {"step": 5, "kl": 0.7})
    assert ebm("export", cwd=tmp_path).stdout == "x.csv\n"
    lines = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert [line["status"] for line in lines] == ["done", "done", "killed"]
    assert [line["kl"] for line in lines] == ["0.1", "0.2", ""]
    assert (lines[0]["code"], lines[0]["seconds_train"], lines[2]["loss"]) == ("abc", "1.0", "'=1+1")
    assert ebm("export", "x", "--curves", "--output", "c.csv", cwd=tmp_path).returncode == 0
    (line,) = csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text()))
    assert (line["id"], line["seed"], line["step"], line["kl"]) == ("hinge-pcd-moons-s1", "1", "5", "0.7")


def test_parquet_and_tensorboard_hold_the_same(results, tmp_path):
    """The extras that they need are among the test requirements."""
    import pandas
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401

    folder = results("x", seeds("hinge", "pcd", [0.1, 0.2]))
    for step in (0, 5):
        store.append_curve(folder / "runs" / "hinge-pcd-moons-s0", {"step": step, "kl": 0.5, "tv": None})
    assert frames.export(folder, "parquet", tmp_path / "x.parquet", False) is None
    found = pandas.read_parquet(tmp_path / "x.parquet")
    assert list(found["kl"]) == [0.1, 0.2]
    frames.export(folder, "tensorboard", tmp_path / "events", False)
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


def test_an_extra_that_is_not_installed_is_named(results, tmp_path, monkeypatch):
    folder = results("x", BASE[:1])
    for module in ("pyarrow", "tensorboardX"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"pip install 'ebmcli\[parquet\]'"):
        frames.export(folder, "parquet", tmp_path / "x", False)
    with pytest.raises(UsageError, match=r"pip install 'ebmcli\[tensorboard\]'"):
        frames.export(folder, "tensorboard", tmp_path / "x", False)
    with pytest.raises(UsageError, match="did you mean csv"):
        frames.export(folder, "cvs", tmp_path / "x", False)


def test_a_measure_named_like_a_hyperparameter_is_kept_apart(results):
    folder = results("x", [record("hinge", "pcd", 0, lr=7.0)])
    (row,) = frames.rows(folder)
    assert (row["lr"], row["measured_lr"]) == (0.1, 7.0)


def test_load_gives_a_tidy_frame(results):
    folder = results("x", [*BASE, record("mce", "pcd", 0, status="failed")])
    store.append_curve(folder / "runs" / "log-pcd-moons-s1", {"step": 5, "kl": 0.7})
    frame = ebmcli.load(folder)
    assert len(frame) == 9
    assert frame[frame.status == "done"].groupby("loss").kl.mean().to_dict() == pytest.approx(
        {"hinge": 0.3, "log": 0.3}
    )
    assert list(ebmcli.load(str(folder), curves=True)[["loss", "seed", "step", "kl"]].iloc[0]) == ["log", 1, 5, 0.7]
    with pytest.raises(UsageError, match="name the folder of a sweep"):
        ebmcli.load("nowhere")
    with pytest.raises(UsageError, match="it is failed"):
        ebmcli.load_run("mce-pcd-moons-s0", folder.parent)
    with pytest.raises(AttributeError):
        _ = ebmcli.lod


# --- completion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run --loss hin", ["hinge"]),
        ("run --loss hinge,lo", ["hinge,log"]),
        ("run --loss hinge,hin", []),
        ("sweep --sampler lang", ["langevin"]),
        ("sweep --energy def", ["default"]),
        ("run --task moo", ["moons"]),
        ("report sec", ["second"]),
        ("compare first se", ["second"]),
        ("show hinge-pcd-moons-s1", ["hinge-pcd-moons-s1"]),
        ("report --format h", ["html"]),
        ("export --to t", ["tensorboard"]),
        ("check square-e", ["square-exp"]),
    ],
)
def test_names_are_completed_without_jax(results, tmp_path, words, offered):
    results("first", seeds("hinge", "pcd", [0.1, 0.2]))
    results("second", seeds("log", "pcd", [0.1]))
    code = (
        "import sys; from ebmcli import cli\ntry: cli.app(prog_name='ebm')\n"
        "finally: print([m for m in ('jax', 'pandas', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    environment = {
        "_EBM_COMPLETE": "complete_bash",
        "COMP_WORDS": f"ebm {words}",
        "COMP_CWORD": str(words.count(" ") + 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=os.environ | environment
    )
    assert done.stdout.split() == offered, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
