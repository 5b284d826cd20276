"""distilabel's text generation over a file of prompts; run by an interpreter that has distilabel.
`python distilabel_answers.py PROMPTS FOLDER URL CONCURRENT`. It prints how many answers there are."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "DISTILABEL_LOG_LEVEL": "ERROR"}

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main(prompts: Path, folder: Path, url: str, concurrent: int) -> None:
    rows = [{"instruction": json.loads(line)["prompt"]} for line in prompts.open()]
    with Pipeline(name="answers", cache_dir=folder / "cache") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=concurrent)
        answer = TextGeneration(
            llm=OpenAILLM(
                model="stub",
                base_url=url,
                api_key="none",
                generation_kwargs={"max_new_tokens": 64},
            ),
            input_batch_size=concurrent,
        )
        load >> answer
    made = pipeline.run(use_cache=False)["default"]["train"]
    made.to_json(str(folder / "answers.jsonl"))
    print(json.dumps({"answers": sum(bool(each) for each in made["generation"])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
