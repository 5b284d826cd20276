"""The loop closed: from an arena's scores to the slice where a version is weakest, to a job that makes
rows for it, to what the last round bought, and whether another is worth it."""
