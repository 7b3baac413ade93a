"""The page about a run: report.html and `launch view` are the same page with other data."""
