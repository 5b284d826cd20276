"""Finetunes a language model by low-rank adapters (Hu et al. 2021, arXiv 2106.09685), and tells how well
it then foresees held-out answers. Run as a program of its own, so that its memory is free again then:

    python -m dagster_project.arena.lora_training data.jsonl held_out.jsonl seed out '{"steps": 16, …}'

The same seed gives the same numbers on the same machine with the same number of threads. On another one
their last digits differ, and more so the more steps there are; scores are rounded to 4 digits.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.arena.lora_model import (
    ModelRefused,
    PublishedModel,
    ReadRow,
    from_folder,
    smollm2,
)
from dagster_project.errors import SeedbedError

DIGITS = 4
"""Of scores, after the point."""
STEEPEST = 1.0
"""To which the length of gradients is cut."""


def train(
    model: PublishedModel,
    rows: Sequence[ReadRow],
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[Any, list[float]]:
    """The model with adapters trained on rows, and the loss of each step.

    Args:
        model: to finetune; its own weights stay.
        rows: what it is trained on, in an order drawn by the seed, as often as the steps need.
        settings: `steps`, `step_tokens`, `rank` and `learning_rate`.
        seed: of the order and of the adapters.
    """
    import torch  # pyright: ignore[reportMissingImports]
    from peft import LoraConfig, get_peft_model  # pyright: ignore[reportMissingImports]

    torch.manual_seed(seed)
    rank, steps = settings["rank"], settings["steps"]
    adapters = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    network = get_peft_model(model.network, adapters)
    network.train()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings["learning_rate"], weight_decay=0.0)
    losses = []
    for step, batch in zip(range(steps), _batches(rows, settings["step_tokens"], seed)):  # noqa: B905
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * (1 - step / steps)
        optimizer.zero_grad()
        answers, lost = sum(row.answer for row in batch), 0.0
        for row in batch:  # one at a time takes the least memory, and no tokens are filled up
            part = _lost(network, row).sum() / answers
            part.backward()
            lost += float(part.detach())
        torch.nn.utils.clip_grad_norm_(weights, STEEPEST)
        optimizer.step()
        losses.append(lost)
        print(f"step {step + 1}: {len(batch)} rows, loss {losses[-1]:.4f}", flush=True)
    return network, losses


def evaluate(network: Any, rows: Sequence[ReadRow]) -> list[float]:
    """Mean log-probability (nats) of the tokens of each row's answer."""
    import torch  # pyright: ignore[reportMissingImports]

    network.eval()
    with torch.inference_mode():
        return [-float(_lost(network, row).double().mean()) for row in rows]


def _batches(rows: Sequence[ReadRow], most: int, seed: int) -> Iterator[list[ReadRow]]:
    """Rows of at most so many tokens in all, again and again, each time in another order."""
    draw = np.random.Generator(np.random.PCG64(seed))
    batch: list[ReadRow] = []
    tokens = 0
    while True:
        for at in draw.permutation(len(rows)):
            row = rows[at]
            if batch and tokens + len(row.tokens) > most:
                yield batch
                batch, tokens = [], 0
            batch.append(row)
            tokens += len(row.tokens)


def _lost(network: Any, row: ReadRow) -> Any:
    """What is lost on each token of a row's answer."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn.functional import cross_entropy  # pyright: ignore[reportMissingImports]

    device = next(network.parameters()).device
    tokens = torch.tensor([row.tokens], device=device)
    with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
        told = network(input_ids=tokens, use_cache=False, logits_to_keep=row.answer + 1)
    return cross_entropy(told.logits[0, :-1].float(), tokens[0, -row.answer :], reduction="none")


def _read(path: str, model: PublishedModel, most: int) -> list[ReadRow]:
    found = []
    with open(path, encoding="utf-8") as rows:
        for number, line in enumerate(rows, 1):
            try:
                read = model.read(json.loads(line), most)
            except ModelRefused as error:
                raise ModelRefused(f"row {number}: {error}: {line[:200]}") from error
            if read is None:
                raise ModelRefused(f"row {number} has an answer without tokens: {line[:200]}")
            found.append(read)
    return found


def repeatable(threads: int) -> str:
    """Make torch compute the same again, and tell on what."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # all that is read is written first
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    return "cuda" if torch.cuda.is_available() else "cpu"


def main(data: str, held_out: str, seed: str, out: str, given: str) -> None:
    """Train, evaluate, and write scores."""
    settings = json.loads(given)
    begun = time.monotonic()
    device = repeatable(settings["threads"])
    model = from_folder(Path(settings["model"])) if settings["model"] else smollm2()
    model.network.to(device)
    rows = _read(data, model, settings["max_tokens"])
    asked = _read(held_out, model, settings["max_tokens"])
    print(f"{len(rows)} rows on {device}; ready after {time.monotonic() - begun:.1f} s", flush=True)
    network, losses = train(model, rows, settings, int(seed))
    scores = evaluate(network, asked)
    told = {
        "log_probability": {"rows": [round(score, DIGITS) for score in scores]},
        "trained_loss": losses[-1],
    }
    Path(out, "scores.json").write_text(json.dumps(told))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"mean {np.mean(scores):.4f} nats; {time.monotonic() - begun:.1f} s, "
        f"{used.ru_utime + used.ru_stime:.1f} s of the processor, {used.ru_maxrss >> 10:,} MiB at most",
        flush=True,
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (SeedbedError, MemoryError) as error:
        sys.exit(str(error) or "out of memory")
