"""A report as JSON: the records of its sweeps, each run once."""

from ebmcli.report.blocks import Table
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format
from ebmcli.storage.atomic import dumps


def alone(table: Table) -> str:
    """Write one table: a list of rows, each its cells by heading, as they are shown."""
    return dumps([dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows]) + "\n"


@report_format(table=alone)
def json(report: Report, link: Link) -> str:
    """Write the records."""
    return dumps([record.to_json() for record in report.records]) + "\n"
