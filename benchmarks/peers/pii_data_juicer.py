"""Data-Juicer's mappers for personal data alone over the texts of a JSONL file; prints their CPU seconds.
Run with a Python that has py-data-juicer: `python pii_data_juicer.py CORPUS both|all`.

`both` runs its mappers for e-mail and IP addresses, `all` its wider redaction without paths and ids,
which are not personal data here.
"""

from __future__ import annotations

import json
import sys
import time

import refusing  # noqa: F401  before Data-Juicer
from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.clean_ip_mapper import CleanIpMapper
from data_juicer.ops.mapper.pii_redaction_mapper import PiiRedactionMapper

with open(sys.argv[1]) as rows:
    texts = [json.loads(line)["text"] for line in rows]
started = time.process_time()
if sys.argv[2] == "both":
    for mapper in (CleanEmailMapper(repl="<EMAIL>"), CleanIpMapper(repl="<IP>")):
        texts = mapper.process_batched({"text": texts})["text"]
else:
    wide = PiiRedactionMapper(
        mask_paths=False, mask_ids=False, mask_channel_ids=False, mask_platform_open_ids=False
    )
    texts = [wide.process_single({"text": text})["text"] for text in texts]
print(json.dumps({"cpu": time.process_time() - started}))
