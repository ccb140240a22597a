"""A report as comma-separated values: a line a row of the tables, with the bounds of every measure and its runs."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from ebmcli.report import rows
from ebmcli.report.rows import Average, Record


def comma_separated(records: Sequence[Record], average: Average) -> str:
    """What tells a row apart, n, and mean, lower and upper bound of every measure; empty where there is none."""
    lines: list[dict[str, Any]] = []
    for key, members in rows.groups(records):
        done = rows.metrics(members)
        line = {**key, "runs": len(members), "n": len(done), "status": rows.states(members)}
        line["verdict"] = rows.verdicts(members).replace("–", "")
        for name in dict.fromkeys(name for one in done for name, value in one.items() if not isinstance(value, str)):
            found = average([one.get(name) for one in done])
            line |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_n": found.n}
        line["run_ids"] = " ".join(member["id"] for member in members)
        lines.append(line)
    heads = list(dict.fromkeys(name for line in lines for name in line if name != "run_ids")) + ["run_ids"] * bool(
        lines
    )
    return written(heads, lines)


def written(heads: Sequence[str], lines: Sequence[dict[str, Any]]) -> str:
    """CSV text in which nothing is a formula to a spreadsheet, and None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(harmless, heads))
    writer.writerows([harmless(line.get(name)) for name in heads] for line in lines)
    return buffer.getvalue()


def harmless(value: Any) -> Any:
    """Text that a spreadsheet will not run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
