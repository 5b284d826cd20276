"""A process that asks: `python asker.py STORE URL DOLLARS FIRST LAST CONCURRENT`.

It asks questions of these numbers at once, and prints what became of them and what was spent.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dagster_project.recipe.models import Budget
from tests.llm.asking import ask_each, chat, model


def main() -> None:
    """Ask."""
    store, url, dollars, first, last, concurrent = sys.argv[1:]
    questions = [chat(f"question {number}") for number in range(int(first), int(last))]
    declared = model(url, concurrent=int(concurrent))
    found, spend = ask_each(Path(store), declared, questions, Budget(dollars=float(dollars)))
    became = [getattr(one, "text", type(one).__name__) for one in found]
    print(json.dumps({"became": became, "dollars": spend.run.dollars, "calls": spend.run.calls}))


if __name__ == "__main__":
    main()
