"""Bespoke Curator's LLM over a file of prompts; run by an interpreter that has bespokelabs-curator.
`python curator_answers.py PROMPTS FOLDER URL CONCURRENT`. It prints how many answers there are."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

TOKENIZERS = Path(str(find_spec("litellm").origin)).parent / "litellm_core_utils" / "tokenizers"
"""Where the vocabulary is that it would fetch."""

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "OPENAI_API_KEY": "none",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "TIKTOKEN_CACHE_DIR": str(TOKENIZERS),
}

from bespokelabs import curator  # noqa: E402
from datasets import Dataset  # noqa: E402


class Answer(curator.LLM):
    """A prompt's answer."""

    def prompt(self, input: dict) -> str:
        return input["prompt"]

    def parse(self, input: dict, response: str) -> dict:
        return {**input, "answer": response}


def main(prompts: Path, folder: Path, url: str, concurrent: int) -> None:
    rows = Dataset.from_list([json.loads(line) for line in prompts.open()])
    answer = Answer(
        model_name="stub",
        backend="openai",
        generation_params={"max_tokens": 64},
        backend_params={
            "base_url": url,
            "max_concurrent_requests": concurrent,
            "max_requests_per_minute": 1_000_000,
            "max_tokens_per_minute": 1_000_000_000,
            "require_all_responses": True,
        },
    )
    made = answer(rows, working_dir=str(folder / "cache"))
    made = getattr(made, "dataset", made)
    made.to_json(str(folder / "answers.jsonl"))
    print(json.dumps({"answers": sum(bool(each) for each in made["answer"])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
