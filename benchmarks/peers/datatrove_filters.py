"""Run by an interpreter that has datatrove: `python datatrove_filters.py CORPUS RULES OUT`.

RULES is JSON: by filter, by rule, the arguments of a datatrove filter in which only that rule is on, and
`all`, first, for its defaults. Writes to OUT, as JSON, what each keeps by line number, and prints the CPU
seconds of each filter with its defaults.
Where all rules are on, words are cut anew, as datatrove does; after that they are remembered, to save
time. A text on which a filter raises is not kept.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache

from datatrove.data import Document  # pyright: ignore
from datatrove.pipeline.filters import (  # pyright: ignore
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words  # pyright: ignore

FILTERS = {
    "filter_gopher_quality": GopherQualityFilter,
    "filter_gopher_repetition": GopherRepetitionFilter,
    "filter_fineweb": FineWebQualityFilter,
    "filter_c4": C4QualityFilter,
}


def kept(texts: list[str], make, arguments: dict) -> tuple[list[int], list[str], int]:
    """Line numbers that a filter keeps, their texts then, and how many texts it raised on."""
    filtering, numbers, left, raised = make(**arguments), [], [], 0
    for number, text in enumerate(texts):
        document = Document(text=text, id=str(number))
        try:
            verdict = filtering.filter(document)
        except (ZeroDivisionError, ValueError):
            raised += 1
            continue
        if verdict is True:
            numbers.append(number)
            left.append(document.text)
    return numbers, left, raised


def main(corpus: str, rules: str, out: str) -> None:
    with open(corpus) as stream:
        texts = [json.loads(line)["text"] for line in stream]
    found: dict[str, dict] = {}
    taken: dict[str, float] = {}
    remembered = cache(split_into_words)
    for name, asked in json.loads(rules).items():
        kept(texts[:1], FILTERS[name], {})  # loads the tokenizer
        found[name] = {}
        for rule, arguments in asked.items():
            module = sys.modules[FILTERS[name].__module__]
            if hasattr(module, "split_into_words"):
                words = split_into_words if rule == "all" else remembered
                module.split_into_words = words  # pyright: ignore
            started = time.process_time()
            numbers, left, raised = kept(texts, FILTERS[name], arguments)
            seconds = time.process_time() - started
            if rule == "all":
                taken[name] = seconds
            found[name][rule] = {
                "kept": numbers,
                "raised": raised,
                "texts": left if name == "filter_c4" and rule == "all" else None,
            }
    with open(out, "w") as stream:
        json.dump(found, stream)
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
