"""Expectation suites, and audits of one snapshot with them."""
