"""A report as JSON: the records of its sweeps, each run once."""

from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format
from ebmcli.storage.atomic import dumps


@report_format()
def json(report: Report, link: Link) -> str:
    """Write the records."""
    return dumps([record.to_json() for record in report.records]) + "\n"
