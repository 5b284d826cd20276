"""Compiled code over Arrow buffers. Imported only when an operator that needs it runs."""
