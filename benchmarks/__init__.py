"""Rerunnable measurements, side by side in one run. `make benchmark` runs them all."""
