"""A report as comma-separated values: one line per row of the tables, with the bounds of every measure and its runs."""

from typing import Any

from ebmcli.report import rows
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format
from ebmcli.storage.spreadsheet import to_csv


@report_format()
def csv(report: Report, link: Link) -> str:
    """Write what tells a row apart, n, and mean, lower and upper bound of every measure; empty where there is none."""
    lines: list[dict[str, Any]] = []
    for row in rows.rows(report.records):
        done = row.done
        line = {**row.key.as_settings(), "runs": len(row.members), "n": len(done), "status": rows.states(row.members)}
        line["verdict"] = rows.verdicts(row.members).replace("–", "")
        for name in dict.fromkeys(name for one in done for name, value in one.items() if not isinstance(value, str)):
            found = report.wanted.average([one.get(name) for one in done])
            line |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_n": found.n}
        line["run_ids"] = " ".join(member.id for member in row.members)
        lines.append(line)
    heads = list(dict.fromkeys(name for line in lines for name in line if name != "run_ids"))
    return to_csv([*heads, "run_ids"] if lines else [], lines)
