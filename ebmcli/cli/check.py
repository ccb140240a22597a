"""`ebm check`: the margins of losses, found from their formulas."""

from collections.abc import Sequence
from typing import Any

from ebmcli.checks.margins import TOP, Finding, judge
from ebmcli.cli.console import console, print_table
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.core.registry import find, units
from ebmcli.report.blocks import Table
from ebmcli.storage.atomic import dumps

HEADING = f"margins, on energies in [-{TOP:g}, {TOP:g}], or [0, {TOP:g}] where F >= 0"
COLUMNS = {
    "loss": "loss",
    "promised": "promised",
    "found": "found",
    "condition_3": "condition 3",
    "gradient_test": "gradient test",
    "push_up": "push-up",
    "flat": "flat energy",
}


def check(names: Sequence[str], as_json: bool) -> ExitCode:
    """Judge the named losses, or all; print their findings, and a sentence for each that breaks its promise."""
    chosen = [find("loss", name) for name in dict.fromkeys(names)] or list(units("loss").values())
    findings = [judge(unit) for unit in chosen]
    if as_json:
        print(dumps([finding.to_json() for finding in findings]))
    for table in [] if as_json else tables(findings):
        print_table(table, console())
    broken = [finding for finding in findings if finding.agrees is False]
    for finding in broken:
        console(stderr=True).print(f"ebm: {finding.sentence()}", markup=False, soft_wrap=True)
    return ExitCode.UNFINISHED if broken else ExitCode.OK


def tables(findings: Sequence[Finding]) -> list[Table]:
    """The judged losses, and those to which margins do not apply."""
    judged = [[_cell(getattr(finding, name)) for name in COLUMNS] for finding in findings if finding.agrees is not None]
    others = [[finding.loss, "-", finding.reason or ""] for finding in findings if finding.agrees is None]
    candidates = [
        Table(HEADING, list(COLUMNS.values()), judged),
        Table("no margin to judge", ["loss", "promised", "reason"], others),
    ]
    return [table for table in candidates if table.rows]


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value + 0:.3g}" if isinstance(value, float) else str(value)
