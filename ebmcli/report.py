"""Tables of a sweep: one row a task x loss x sampler and whatever else was varied, means with intervals over seeds."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebmcli import stats, store
from ebmcli.registry import repeated, units
from ebmcli.validity import needs_negatives

Record = Mapping[str, Any]
CONFOUNDERS = ("energy", "head")  # follow the loss: where they differ, a table says which
HEADINGS = {
    "gap_q50": "gap",
    "kl_beta_star": "kl at β*",
    "nll_beta_star": "nll at β*",
    "spurious_mass": "spurious mass",
    "high_quality": "high quality",
    "bayes_error": "bayes error",
    "word_list_cer": "cer of the word list",
    "reject_at_1pct": "reject at 1 %",
}
NOTES = {
    "promised": "promised: the margin of the formula (m is its value; absolute: a level of F-, not a difference).",
    "gap": "gap: median of F(most offending answer) - F(right answer) on held-out examples; most offending: the lowest "
    "energy outside the data region on the plane, the best different answer on sequences.",
    "gap ≥ m": "gap ≥ m: share of held-out examples whose gap reaches the margin (of one letter, where it grows with "
    "the letters), or 0 where the loss has none.",
    "kl": "kl: KL(true || model), nats, at the β of training; at β*: at the inverse temperature best for new data.",
    "spurious mass": "spurious mass: the model's mass outside the region that holds 99.9 % of the true mass.",
    "nll at β*": "nll: of held-out data, nats an example, at the β of training; at β*: at the inverse temperature best "
    "for new data.",
    "modes": "modes: centres of the mixture with at least a tenth of their even share of the model's mass within 3 sd.",
    "high quality": "high quality: the model's mass within 3 sd of a centre; a perfect model has 0.99.",
    "bayes error": "bayes error: that of the true posterior on the same points, which is what can be reached.",
    "cer of the word list": "cer of the word list: what naive Bayes letters and the list of the training words reach; "
    "every figure on this task contains that much of the list. On held-out words it has no right answer to read.",
    "reject at 1 %": "reject at 1 %: the share of words to reject, those first whose second answer is nearest to what "
    "is read, so that wrong words are 1 % of all.",
}


@dataclass(frozen=True)
class Table:
    """A heading over columns of text."""

    heading: str
    columns: list[str]
    rows: list[list[str]]


def groups(records: Sequence[Record]) -> list[tuple[dict[str, Any], list[Record]]]:
    """The records of each row, with what tells it from the others: everything that varies, but for what
    repeats runs: the seed, and the fold of a cross-validation."""
    varied = _varied(records)
    found: dict[tuple, tuple[dict[str, Any], list[Record]]] = {}
    for record in records:
        key = {name: record["config"].get(name) for name in ("task", "loss", "sampler", *varied)}
        found.setdefault(tuple(map(str, key.values())), (key, []))[1].append(record)
    return list(found.values())


def _varied(records: Sequence[Record]) -> list[str]:
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
    repeats = frozenset().union(*(repeated(task) for task in _in_order(records, "task")))
    return [name for name in dict.fromkeys(order) if name in varied - repeats]


def tables(records: Sequence[Record]) -> list[Table]:
    """A table for each task; cells that did not finish count in n and are listed apart."""
    shown = [record for record in records if record["status"] != "refused"]
    return [_task_table(task, [r for r in shown if r["config"]["task"] == task]) for task in _in_order(shown, "task")]


def _in_order(records: Iterable[Record], name: str) -> list[str]:
    return list(dict.fromkeys(record["config"][name] for record in records))


def _task_table(task: str, records: Sequence[Record]) -> Table:
    varied = _varied(records)
    unit = units("task").get(task)
    measures = unit.measures if unit else ()
    heads = ["loss", "negatives", *varied, "n", "promised", "gap", "gap ≥ m", "verdict"]
    heads += [HEADINGS.get(name, name) for name in measures]
    rows = []
    for key, members in groups(records):
        done = [member["metrics"] for member in members if member["status"] == "done"]
        kept = [None if m.get("violation_rate") is None else 100 * (1 - m["violation_rate"]) for m in done]
        told = [key["loss"], _negatives(key), *(_setting(key[name]) for name in varied), _count(members)]
        margin = [promised(members[0]), _mean(done, "gap_q50"), _percent(stats.mean(kept))]
        rows.append([*told, *margin, _verdicts(members), *(_mean(done, name) for name in measures)])
    return Table(task, heads, rows)


def _negatives(key: Mapping[str, Any]) -> str:
    """The sampler, and whether the loss looks at what it draws."""
    unit = units("loss").get(key["loss"])
    ignored = unit is not None and not needs_negatives(unit) and key["sampler"] != "none"
    return f"{key['sampler']} (ignored)" if ignored else key["sampler"]


def _setting(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _mean(metrics: Sequence[Mapping[str, Any]], name: str) -> str:
    return stats.text(stats.mean([one.get(name) for one in metrics]))


def _percent(found: stats.Mean) -> str:
    return "–" if found.mean is None else f"{stats.text(found)} %"


def _count(members: Sequence[Record]) -> str:
    """How many runs the means are over, and what became of the others."""
    done = sum(member["status"] == "done" for member in members)
    others = _states([member for member in members if member["status"] != "done"])
    return f"{done} of {len(members)} ({others})" if others else str(done)


def _states(members: Sequence[Record]) -> str:
    """How many runs are in which state, the good ones first."""
    states = Counter(member["status"] for member in members)
    order = sorted(states, key=lambda status: (status != "done", status != "diverged", status))
    return ", ".join(f"{states[status]} {status}" for status in order)


def _verdicts(members: Sequence[Record]) -> str:
    found = Counter(m["metrics"]["verdict"] for m in members if m["metrics"].get("verdict"))
    if len(found) == 1 and sum(found.values()) == len(members):
        return next(iter(found))
    return ", ".join(f"{count} {verdict}" for verdict, count in found.most_common()) or "–"


def promised(record: Record) -> str:
    """The margin of the loss's formula, with the value that m has."""
    unit = units("loss").get(record["config"]["loss"])
    if unit is None:
        return "?"
    margin = f"{record['config'].get('margin', 'm'):g}" if "margin" in record["config"] else "m"
    unit_of = " a letter" if record["config"].get("margin_distance") == "hamming" else ""
    return unit.promised.replace("m", f"{margin}{unit_of}", 1) if unit.promised[:1] == "m" else unit.promised


# --- formats ---------------------------------------------------------------------------------------------------------


def markdown(sweep: Path) -> str:
    """The whole report as markdown."""
    records = store.records(sweep)
    parts = [f"# {_escape(sweep.name)}", *_head(sweep, records)]
    shown = tables(records)
    for table in shown:
        parts += [f"## {_escape(table.heading)}", _markdown(table)]
        parts += ["\n".join(f"- {_escape(line)}" for line in reasons(records, table.heading))]
    columns = {column for table in shown for column in table.columns}
    notes = [text for column, text in NOTES.items() if column in columns]
    parts += [
        "Means over n runs, of several seeds or folds, with 95 % Student intervals (too narrow over folds, which "
        "share data). " + " ".join(notes)
        if shown
        else ""
    ]
    for table in unfinished(records):
        parts += [f"## {table.heading}", _markdown(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(sweep: Path, records: Sequence[Record]) -> list[str]:
    """What was run, on what, and a warning where that is not one thing."""
    manifest = store.manifest(sweep) or {}
    lines = [f"{len(records)} runs: {_states(records)}." if records else "No runs."]
    finished = [record["provenance"] for record in records if record["provenance"]]
    where = [_machine(one) for one in finished]
    lines[0] += f" Begun {manifest['created']}" if manifest.get("created") else ""
    lines[0] += f" on {where[0]}." if where else ""
    if manifest.get("command"):
        lines.append(f"Reproduce with `{manifest['command']}`.")
    codes = {str(one.get("code")) for one in finished}
    if len(codes) > 1 or len(set(where)) > 1:
        lines.append(
            f"**Warning: mixed provenance.** {len(codes)} versions of the code and {len(set(where))} machines or sets "
            "of versions stand in these tables: compare rows with care, or run the sweep again under another --name."
        )
    return lines


def _machine(provenance: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    return f"{provenance.get('machine')} ({provenance.get('devices')}), python {provenance.get('python')}, {versions}"


def reasons(records: Sequence[Record], task: str) -> list[str]:
    """Why runs of a task were not called healthy: a line a row of its table and verdict."""
    found: dict[str, str] = {}
    for key, members in groups([record for record in records if record["config"]["task"] == task]):
        told = [f"{name} {_setting(value)}" for name, value in list(key.items())[3:]]
        row = ", ".join([f"{key['loss']} with {key['sampler']}", *told])
        for metrics, seed in ((member["metrics"], member["config"]["seed"]) for member in members):
            if metrics.get("verdict") not in (None, "healthy"):
                name = f"{row}: {metrics['verdict']}"
                found.setdefault(name, f"{name}, {metrics.get('verdict_reason')} (seed {seed}).")
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
            [task, ", ".join(_in_order(same, "loss")), ", ".join(_in_order(same, "sampler")), reason, str(len(same))]
            for (task, reason), same in refused.items()
        ]
        found.append(Table("Refused", ["task", "losses", "negatives", "reason", "runs"], rows))
    if missing:
        rows = [[status, reason, str(len(same)), same[0]["id"]] for (status, reason), same in missing.items()]
        found.append(Table("Not finished", ["status", "reason", "runs", "the first"], rows))
    return found


def _escape(text: str) -> str:
    """Text that cannot break a markdown table or start a tag."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def comma_separated(records: Sequence[Record]) -> str:
    """One line a row of the tables: what tells it apart, n, and mean, lower and upper bound of every measure."""
    import pandas

    lines = []
    for key, members in groups(records):
        line = {name: _harmless(value) for name, value in key.items()} | {"runs": len(members)}
        done = [member["metrics"] for member in members if member["status"] == "done"]
        line |= {"n": len(done), "status": _states(members), "verdict": _verdicts(members).replace("–", "")}
        for name in dict.fromkeys(name for one in done for name, value in one.items() if not isinstance(value, str)):
            found = stats.mean([one.get(name) for one in done])
            low, high = (None, None) if found.half is None else (found.mean - found.half, found.mean + found.half)  # type: ignore[operator]
            line |= {name: found.mean, f"{name}_low": low, f"{name}_high": high}
        lines.append(line)
    buffer = io.StringIO()
    pandas.DataFrame(lines).to_csv(buffer, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    return buffer.getvalue()


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet will not run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value
