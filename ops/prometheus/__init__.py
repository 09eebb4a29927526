"""Prometheus' rules, one per fault of the table, with their tests; and the configurations beside them."""
