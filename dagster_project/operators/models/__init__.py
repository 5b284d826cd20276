"""Models that run offline, on the CPU. Each is imported only where it is used."""
