"""Secrets of a command line: in no manifest, no record, no message and no report."""

import json

import pytest
from helpers.made_up import seeds, written
from helpers.shell import run_here

from ebmcli.core.errors import MachineError, UsageError
from ebmcli.execution.executors import executor
from ebmcli.storage import store
from ebmcli.storage.atomic import checksum

SECRET = "s3cr3t"
ADDRESS = f"tls://user:{SECRET}@host:8786"


@executor
def secretive():
    """Fail with the words that a scheduler might have."""

    def train(work):
        for cell in work.cells[:1]:
            store.claim(work.folder, cell.id, cell.config)
            run = work.folder / "runs" / cell.id
            store.save_failure(run, {"kind": "failed", "message": f"lost {ADDRESS}", "traceback": f"token={SECRET}"})
            work.watcher.note(f"gone: {ADDRESS}")
            work.watcher.end(cell, "failed", f"lost {ADDRESS}")

    return train


@pytest.fixture(autouse=True)
def command_line(monkeypatch):
    """As if --scheduler had been said, too: the command is read off the arguments of the process."""
    from ebmcli.cli import options

    monkeypatch.setattr(options, "sys", Arguments)


class Arguments:
    argv = ("ebm", "sweep", "--scheduler", ADDRESS, "--job", f"slurm_token={SECRET}")


def test_nothing_that_is_written_or_printed_has_them(tmp_path):
    out, err = run_here(
        tmp_path, "sweep", "--loss", "hinge", "--name", "x", "--steps", "7", "--executor", "secretive", code=3
    )
    report = run_here(tmp_path, "report", "x", "--format", "html")[0]
    shown = run_here(tmp_path, "show", "hinge")[0]
    files = [path.read_text() for path in (tmp_path / "results").rglob("*") if path.is_file()]
    for text in (out, err, report, shown, *files):
        assert SECRET not in text
    assert "tls://***@host:8786" in report
    assert "slurm_token=***" in json.loads((tmp_path / "results" / "x" / "sweep.json").read_text())["command"]
    assert "gone: tls://***@host:8786" in err


def test_a_manifest_that_has_one_shows_it_to_nobody(tmp_path):
    folder = written(tmp_path / "x", seeds("hinge", "pcd", [0.1]))
    content = json.loads((folder / "sweep.json").read_text()) | {"command": f"ebm sweep --scheduler {ADDRESS}"}
    content["checksum"] = checksum({name: value for name, value in content.items() if name != "checksum"})
    (folder / "sweep.json").write_text(json.dumps(content))
    for arguments in (["report", "x"], ["show", "x/runs/hinge-pcd-moons-s0"]):
        out, _ = run_here(tmp_path, *arguments)
        assert "--scheduler tls://***@host:8786" in out.replace("'", "")


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize("error", [UsageError, MachineError])
def test_an_error_is_printed_without_them(error, debug, tmp_path, monkeypatch):
    def fail(*_):
        raise error(f"--scheduler {ADDRESS}: no answer\n\x1b[31m")

    monkeypatch.setenv("EBM_DEBUG", debug)
    monkeypatch.setattr(store, "sweeps", fail)
    _, err = run_here(tmp_path, "report", code=2 if error is UsageError else 1)
    assert SECRET not in err
    assert err.endswith("ebm: --scheduler tls://***@host:8786: no answer\\n\\x1b[31m\n")
    assert ("Traceback" in err) == bool(debug)
