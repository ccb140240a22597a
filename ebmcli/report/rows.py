"""The rows that all tables share, and the compact tables: one row a task x loss x sampler and whatever else was varied,
means with intervals over seeds."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ebmcli.core.registry import known, repeated
from ebmcli.planning.compatibility import needs_negatives
from ebmcli.report import formatting, statistics
from ebmcli.report.blocks import Cell, Table, Value
from ebmcli.report.columns import heading
from ebmcli.report.statistics import Mean
from ebmcli.storage import store

Record = Mapping[str, Any]
Average = Callable[[statistics.Values], Mean]
CONFOUNDERS = ("energy", "head", "steps")  # follow the loss or a budget: where they differ, a table says which


def groups(records: Sequence[Record]) -> list[tuple[dict[str, Any], list[Record]]]:
    """The records of each row, with what tells it from the others: everything that varies, but for what repeats runs:
    the seed, and the fold of a cross-validation."""
    varied = varying(records)
    found: dict[tuple, tuple[dict[str, Any], list[Record]]] = {}
    for record in records:
        key = {name: record["config"].get(name) for name in ("task", "loss", "sampler", *varied)}
        found.setdefault(tuple(map(str, key.values())), (key, []))[1].append(record)
    return list(found.values())


def varying(records: Sequence[Record]) -> list[str]:
    """Settings beyond task, loss and sampler that take several values where these three are the same; and those of
    CONFOUNDERS that take several at all."""
    seen: dict[tuple, dict[str, set[str]]] = {}
    for record in records:
        config = record["config"]
        place = seen.setdefault((config["task"], config["loss"], config["sampler"]), {})
        for name, value in config.items():
            place.setdefault(name, set()).add(str(value))
    varied = {name for place in seen.values() for name, values in place.items() if len(values) > 1}
    varied |= {name for name in CONFOUNDERS if len({str(r["config"].get(name)) for r in records}) > 1}
    order = [name for record in records for name in record["config"]]
    repeats = frozenset().union(*(repeated(task) for task in in_order(records, "task")))
    return [name for name in dict.fromkeys(order) if name in varied - repeats]


def repeat(record: Record) -> tuple:
    """Which of the repeated runs of a row it is: what is the same in two rows is compared."""
    config = record["config"]
    return tuple(config.get(name) for name in sorted(repeated(config["task"])))


def told_repeat(record: Record) -> str:
    """The same in words: seed 0, or fold 3, seed 0 where the fold is not the first."""
    config = record["config"]
    return ", ".join(
        f"{name} {config[name]}" for name in sorted(repeated(config["task"])) if name == "seed" or config.get(name)
    )


def tables(records: Sequence[Record], average: Average = statistics.mean) -> list[Table]:
    """A table for each task; cells that did not finish count in n and are listed apart."""
    shown = [record for record in records if record["status"] != "refused"]
    by_task = {task: [r for r in shown if r["config"]["task"] == task] for task in in_order(shown, "task")}
    return [summary(task, members, average) for task, members in by_task.items()]


def in_order(records: Iterable[Record], name: str) -> list[str]:
    """The values of a setting in the order of the manifest."""
    return list(dict.fromkeys(record["config"][name] for record in records))


def summary(task: str, records: Sequence[Record], average: Average) -> Table:
    """Margin, verdict and the measures that the task names, in one line a row."""
    unit = known("task", task)
    measures = unit.measures if unit else ()
    heads = ["loss", "negatives", *varying(records), "n", "promised", "gap", "gap ≥ m", "verdict"]
    lines: list[list[Cell]] = []
    for key, members in groups(records):
        done = metrics(members)
        kept = [None if m.get("violation_rate") is None else 100 * (1 - m["violation_rate"]) for m in done]
        margin: list[Cell] = [promised(members[0]), figure(done, "gap_q50", average), percent(average(kept), len(done))]
        told: list[Cell] = [*names(key), count(members), *margin, verdicts(members)]
        lines.append([*told, *(figure(done, name, average) for name in measures)])
    return Table(task, heads + [heading(name) for name in measures], lines)


# --- cells -----------------------------------------------------------------------------------------------------------


def metrics(members: Sequence[Record]) -> list[Mapping[str, Any]]:
    """The measures of the runs that a mean is over: those that are done."""
    return [member["metrics"] for member in members if member["status"] == "done"]


def names(key: Mapping[str, Any]) -> list[str]:
    """Loss, negatives and varied settings of a row."""
    return [key["loss"], negatives(key), *(setting(value) for value in list(key.values())[3:])]


def described(key: Mapping[str, Any]) -> str:
    """A row in words."""
    told = [f"{name} {setting(value)}" for name, value in list(key.items())[3:]]
    return ", ".join([f"{key['loss']} with {key['sampler']}", *told])


def negatives(key: Mapping[str, Any]) -> str:
    """The sampler, and whether the loss looks at what it draws."""
    unit = known("loss", key["loss"])
    ignored = unit is not None and not needs_negatives(unit) and key["sampler"] != "none"
    return f"{key['sampler']} (ignored)" if ignored else key["sampler"]


def setting(value: Any) -> str:
    """A hyperparameter's value."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def figure(done: Sequence[Mapping[str, Any]], name: str, average: Average, best: bool = False) -> Value:
    """The average of a measure; with its own n where some of the runs lack it."""
    found = average([one.get(name) for one in done])
    return Value(formatting.text(found) + _fewer(found, len(done)), found.mean, best)


def percent(found: Mean, runs: int) -> Value:
    """An average of percentages."""
    return Value("–" if found.mean is None else f"{formatting.text(found)} %{_fewer(found, runs)}", found.mean)


def _fewer(found: Mean, runs: int) -> str:
    return f" (n = {found.n})" if 0 < found.n < runs else ""


def count(members: Sequence[Record]) -> Value:
    """How many runs the means are over, and what became of the others."""
    done = sum(member["status"] == "done" for member in members)
    others = states([member for member in members if member["status"] != "done"])
    return Value(f"{done} of {len(members)} ({others})" if others else str(done), done)


def states(members: Sequence[Record]) -> str:
    """How many runs are in which state, the good ones first."""
    found = Counter(member["status"] for member in members)
    order = sorted(found, key=lambda status: (status != "done", status != "diverged", status))
    return ", ".join(f"{found[status]} {status}" for status in order)


def verdicts(members: Sequence[Record]) -> str:
    """The verdict that all runs have, or how many have which."""
    found = Counter(m["metrics"]["verdict"] for m in members if m["metrics"].get("verdict"))
    if len(found) == 1 and sum(found.values()) == len(members):
        return next(iter(found))
    return ", ".join(f"{number} {verdict}" for verdict, number in found.most_common()) or "–"


def promised(record: Record) -> str:
    """The margin of the loss's formula, with the value that m has."""
    unit = known("loss", record["config"]["loss"])
    if unit is None:
        return "?"
    margin = f"{record['config'].get('margin', 'm'):g}" if "margin" in record["config"] else "m"
    unit_of = {"hamming": " a letter", "edit": " an edit"}.get(record["config"].get("margin_distance", ""), "")
    return unit.promised.replace("m", f"{margin}{unit_of}", 1) if unit.promised[:1] == "m" else unit.promised


# --- what went wrong -------------------------------------------------------------------------------------------------


def reasons(records: Sequence[Record], task: str) -> list[str]:
    """Why runs of a task were not called healthy: a line a row of its table and verdict."""
    found: dict[str, str] = {}
    for key, members in groups([record for record in records if record["config"]["task"] == task]):
        for measured, which in ((member["metrics"], told_repeat(member)) for member in members):
            if measured.get("verdict") not in (None, "healthy"):
                name = f"{described(key)}: {measured['verdict']}"
                found.setdefault(name, f"{name}, {measured.get('verdict_reason')} ({which}).")
    return list(found.values())


def unfinished(records: Sequence[Record]) -> list[Table]:
    """Tables of what was refused, and of what did not finish."""
    refused: dict[tuple[str, str], list[Record]] = {}
    missing: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record["status"] == "refused":
            refused.setdefault((record["config"]["task"], record["reason"]), []).append(record)
        elif record["status"] not in store.FINISHED:
            missing.setdefault((record["status"], record.get("reason") or "–"), []).append(record)
    found = []
    if refused:
        rows = [
            [task, ", ".join(in_order(same, "loss")), ", ".join(in_order(same, "sampler")), reason, str(len(same))]
            for (task, reason), same in refused.items()
        ]
        found.append(Table("Refused", ["task", "losses", "negatives", "reason", "runs"], rows))
    if missing:
        rows = [[status, reason, str(len(same)), same[0]["id"]] for (status, reason), same in missing.items()]
        found.append(Table("Not finished", ["status", "reason", "runs", "the first"], rows))
    return found
