"""Grafana's dashboards and alert rules: described here in Python, written as the files that Grafana reads.

`python -m ops.grafana` writes them; a test makes them anew and compares.
"""
