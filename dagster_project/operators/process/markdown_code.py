"""Where code stands in Markdown, as Rust regular expressions."""

from __future__ import annotations

FENCED = (
    r"(?:(?m:^)[ \t]*```(?s:.*?)(?:\n[ \t]*```[ \t]*(?m:$)|\z)"
    r"|(?m:^)[ \t]*~~~(?s:.*?)(?:\n[ \t]*~~~[ \t]*(?m:$)|\z))"
)
"""A fenced block with its fences; one that is never closed runs to the end, as in CommonMark."""

INLINE = r"(?:``[^\n]+?``|`[^`\n]+`)"
"""A code span within a line."""

INDENTED = r"(?:\A|\n[ \t]*\n)(?:(?: {4}|\t)[^\n]*(?:\n|\z))+"
"""Lines indented by four spaces or a tab after a blank line."""

DOCTEST = r"(?m:^)[ \t]*(?:>>>|\.\.\.)(?: [^\n]*)?(?m:$)"
"""A line of an interactive Python session."""
