"""Alerts: failed checks and failed runs, told once to every channel the user set."""
