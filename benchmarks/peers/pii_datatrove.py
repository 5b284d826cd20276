"""datatrove's PII formatter over a JSONL of texts. Run with a Python that has datatrove."""

import json
import sys
import time

from datatrove.pipeline.formatters.pii import PIIFormatter

formatter = PIIFormatter(email_replacement="<EMAIL>", ip_replacement="<IP>")
with open(sys.argv[1]) as rows:
    texts = [json.loads(line)["text"] for line in rows]
started = time.process_time()
texts = [formatter.format(text) for text in texts]
used = time.process_time() - started
with open(sys.argv[2], "w") as out:
    for text in texts:
        out.write(json.dumps({"text": text}) + "\n")
print(json.dumps({"cpu": used}))
