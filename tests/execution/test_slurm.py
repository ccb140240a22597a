"""Jobs of SLURM, which a few scripts stand in for: what is handed to it, in which arrays, with which settings."""

import json

import pytest
from helpers.cells import plan_of
from helpers.sweeps import Told

from ebmcli.core.errors import UsageError
from ebmcli.execution.events import Interrupted, StopFlag
from ebmcli.execution.executors import Work
from ebmcli.execution.executors.slurm import LARGEST, _largest_array, slurm
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import prepare

SBATCH = """#!/bin/sh
grep -e --array -e --account -e --mail "$1" >> {here}/log
echo sbatch >> {here}/log
test $(grep -c sbatch {here}/log) -lt {refused} || {{ echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; }}
echo "Submitted batch job $(grep -c sbatch {here}/log)00"
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Scripts in place of SLURM: what they were told so far, as lines; `refused`: the call of sbatch that fails."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def script(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def cluster(limit="MaxArraySize = 5", refused=99):
        script("sbatch", SBATCH.format(here=tmp_path, refused=refused))
        script("scontrol", f"#!/bin/sh\necho '{limit}'")
        script("scancel", f"#!/bin/sh\necho scancel $* >> {tmp_path}/log")
        for name in ("srun", "sacct"):
            script(name, "#!/bin/sh\n")
        return lambda: (tmp_path / "log").read_text().splitlines()

    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    cluster()
    return cluster


def work(folder, seeds):
    """Launches of one run each, of a sweep that is stopped when they are handed on."""
    folder.mkdir()
    cells = prepare(plan_of(loss="log", sampler="uniform", seed=f"0..{seeds - 1}"), folder, "ebm test")
    stop = StopFlag()
    stop.set("signal")
    return Work(cells, folder, RunOptions(devices=1), Told(), stop)


def test_more_launches_than_an_array_holds_are_several_arrays_and_cancelled_in_one_call(cluster, tmp_path):
    told = cluster()
    with pytest.raises(Interrupted):
        slurm()(work(tmp_path / "x", 12))
    arrays = [line for line in told() if "--array" in line]
    assert [line.partition("--array=")[2] for line in arrays] == ["0-4%5", "0-4%5", "0-1%2"]
    (cancelled,) = [line.split()[1:] for line in told() if line.startswith("scancel")]
    assert len(cancelled) == len({*cancelled}) == 12


def test_where_a_later_array_is_refused_the_others_are_cancelled(cluster, tmp_path):
    told = cluster(refused=2)
    with pytest.raises(UsageError, match="--executor slurm: sbatch: error: QOSMaxSubmitJobPerUserLimit"):
        slurm()(work(tmp_path / "x", 7))
    assert told()[-1] == "scancel " + " ".join(f"100_{number}" for number in range(5))


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("MaxArraySize            = 5\nMaxJobCount = 9", 5), ("x\n  MaxArraySize=40000", 40_000),
        ("MaxArraySize = 0", 1), ("", LARGEST), ("MaxArraySize = (null)", LARGEST),
    ],
)  # fmt: skip
def test_the_size_of_an_array_is_what_the_cluster_says(cluster, said, size):
    cluster(limit=said)
    assert _largest_array() == size


def test_the_size_of_an_array_is_the_usual_one_where_nobody_says(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert _largest_array() == LARGEST == 1001


def settings(*job):
    """The settings of jobs that these texts say."""
    return slurm([*job]).args[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0123", "0123"), ("12", 12), ("-3", -3), ("1.5", 1.5), ("1.50", "1.50"), ("1e5", "1e5"), ("+1", "+1"),
        ("nan", "nan"), ("inf", "inf"), ("1_000", "1_000"), ("cpu", "cpu"), ("a,b", "a,b"), ("a=b", "a=b"),
        ("true", True), ("False", False), ("01:00:00", "01:00:00"), ("2026-11-26", "2026-11-26"),
        ("'12'", "12"), ('"0"', "0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("cluster")
def test_a_number_is_one_only_where_it_prints_as_it_is_written(text, value):
    (said,) = settings(f"slurm_comment={text}").values()
    assert (type(said), said) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{mail-type = "END", nice = 3}', {"mail-type": "END", "nice": 3}),
        ('{"mail-type": "END", "nice": 3}', {"mail-type": "END", "nice": 3}),
        ("{a.b = 1}", {"a": {"b": 1}}),
        ("{}", {}),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_a_table_is_said_as_in_toml_or_json(text, value):
    assert settings(f"slurm_additional_parameters={text}") == {"slurm_additional_parameters": value}


@pytest.mark.usefixtures("cluster")
def test_a_list_is_said_as_in_toml_or_json():
    lines = ["module load cuda", "true"]
    assert settings(f"slurm_setup={json.dumps(lines)}") == {"slurm_setup": lines}


def test_what_is_said_stands_in_the_script(cluster, tmp_path):
    told = cluster()
    with pytest.raises(Interrupted):
        slurm(["slurm_account=0123", 'slurm_additional_parameters={mail-type = "END"}'])(work(tmp_path / "x", 2))
    assert "#SBATCH --account=0123" in told()
    assert "#SBATCH --mail-type=END" in told()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (["a"], "'a': write it as NAME=VALUE"),
        (["=1"], "write it as NAME=VALUE"),
        (["timeout_min=1", "timeout_min=2"], "timeout_min is said twice: say it once"),
        (["slurm_foo=1"], "--job slurm_foo=1: Unknown argument 'foo'.*known: account, "),
        (["foo=1"], "--job foo=1: Parameter 'foo' need to be prefixed"),
        (["slurm_comment=a", "timeout_min=x"], "--job timeout_min='x': Parameter .timeout_min. expected type"),
        (["slurm_setup=ls"], "--job slurm_setup='ls': .*a list is written as"),
        (["slurm_additional_parameters=x"], "--job slurm_additional_parameters='x': .*a table as"),
        (["slurm_additional_parameters={a"], "'{a' is no list as .* and no table as"),
        (["slurm_additional_parameters=" + "[" * 9999], "is no list as"),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_a_setting_that_is_none_is_a_sentence_before_anything_is_made(tmp_path, monkeypatch, job, words):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=words) as error:
        slurm(job)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.iterdir()) == before
