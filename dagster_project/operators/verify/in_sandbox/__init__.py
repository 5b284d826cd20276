"""Programs that run in the sandbox: an examiner, which is trusted, and a subject, which is not."""
