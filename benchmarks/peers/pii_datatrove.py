"""datatrove's PII formatter alone over the texts of a JSONL file; prints its CPU seconds. Run with a
Python that has datatrove: `python pii_datatrove.py CORPUS`."""

from __future__ import annotations

import json
import sys
import time

from datatrove.pipeline.formatters.pii import PIIFormatter

formatter = PIIFormatter(email_replacement="<EMAIL>", ip_replacement="<IP>")
with open(sys.argv[1]) as rows:
    texts = [json.loads(line)["text"] for line in rows]
started = time.process_time()
texts = [formatter.format(text) for text in texts]
print(json.dumps({"cpu": time.process_time() - started}))
