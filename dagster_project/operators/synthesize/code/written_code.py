"""Code in a model's answer: where it is, and whether it is Python."""

from __future__ import annotations

import ast
import re
import warnings

from dagster_project.operators.calls import Answer
from dagster_project.operators.generator import Rejection

NOT_FINISHED, NO_CODE, SYNTAX_ERROR = "not_finished", "no_code", "syntax_error"
CODE_RULES = (NOT_FINISHED, NO_CODE, SYNTAX_ERROR)

MOST_CHARACTERS = 200_000
"""Longer code is not parsed; no answer is as long."""

FENCED = re.compile(
    r"(?ms)^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n`]*\n"
    r"(?:[ \t]*(?P=fence)[ \t]*[A-Za-z][^\n`]*\n)*"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)"
)
"""A fenced block; one that is never closed runs to the end. Small models open some twice."""

NAMES = {
    "python": {"python", "py", "python3", ""},
    "javascript": {"javascript", "js", "node", ""},
    "typescript": {"typescript", "ts", ""},
    "c++": {"c++", "cpp", "cc", "cxx", ""},
    "c#": {"c#", "csharp", "cs", ""},
    "shell": {"shell", "sh", "bash", ""},
}
"""What fences call languages."""


def code_in(text: str, language: str = "python") -> str | None:
    """The code of an answer: its longest block of that language, or all of it where there is no block
    and it parses as Python. None where there is no code.

    Args:
        text: the answer.
        language: blocks of others do not count; those without a language do.
    """
    names = NAMES.get(language.lower(), {language.lower(), ""})
    blocks = [
        found["code"] for found in FENCED.finditer(text) if found["language"].lower() in names
    ]
    if blocks:
        code = max(blocks, key=len).strip("\n")
        return code + "\n" if code.strip() else None
    if "```" in text or "~~~" in text or language.lower() != "python":
        return None
    return text.strip("\n") + "\n" if text.strip() and defines(text) else None


def syntax_error(code: str) -> str | None:
    """What is wrong with Python code, with the line; None where it parses."""
    if len(code) > MOST_CHARACTERS:
        return f"{len(code):,} characters, more than {MOST_CHARACTERS:,}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


def defines(code: str) -> bool:
    """Whether code is Python with a definition in it; prose of one word parses too."""
    if syntax_error(code) is not None:
        return False
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse(code)))


def unusable(answer: Answer, language: str = "python") -> tuple[str, Rejection | None]:
    """The code of an answer, or all of its text, and why it cannot be used.

    Args:
        answer: what was said.
        language: that the code is to be in; only Python is parsed.
    """
    code = code_in(answer.text, language)
    if answer.finish_reason == "length":
        return code or answer.text, Rejection(NOT_FINISHED, "length", "finish_reason = stop")
    if code is None:
        return answer.text, Rejection(NO_CODE, None, f"a block of {language}")
    if language.lower() == "python" and (error := syntax_error(code)) is not None:
        return code, Rejection(SYNTAX_ERROR, error, "parses")
    return code, None
