"""A report as comma-separated values: one line per row of the tables, with the bounds of every measure and its runs."""

from typing import Any

from ebmcli.report import rows
from ebmcli.report.blocks import Table
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format
from ebmcli.storage.spreadsheet import to_csv


def alone(table: Table) -> str:
    """Write one table, its cells as they are shown."""
    lines = [dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows]
    return to_csv(table.columns, lines)


@report_format(table=alone)
def csv(report: Report, link: Link) -> str:
    """Write what tells a row apart, n, and mean, lower and upper bound of every measure; empty where there is none."""
    lines: list[dict[str, Any]] = []
    for row in rows.rows(report.records):
        done = row.done
        line = {**row.key.as_settings(), "runs": len(row.members), "n": len(done), "status": rows.states(row.members)}
        line["verdict"] = rows.verdicts(row.members).replace("–", "")
        for name in dict.fromkeys(
            name for metrics in done for name, value in metrics.items() if not isinstance(value, str)
        ):
            estimate = report.wanted.average([metrics.get(name) for metrics in done])
            line |= {
                name: estimate.mean,
                f"{name}_low": estimate.low,
                f"{name}_high": estimate.high,
                f"{name}_n": estimate.n,
            }
        line["run_ids"] = " ".join(member.id for member in row.members)
        lines.append(line)
    heads = list(dict.fromkeys(name for line in lines for name in line if name != "run_ids"))
    return to_csv([*heads, "run_ids"] if lines else [], lines)
