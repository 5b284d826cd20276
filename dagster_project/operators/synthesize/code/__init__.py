"""What generators of code share: reading it, changing it, testing it."""
