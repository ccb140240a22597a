"""Reports: from the records of a sweep to tables, and from these to markdown, HTML, LaTeX, CSV and JSON."""
