"""Process: inspect, deduplicate, clean, filter, format."""
