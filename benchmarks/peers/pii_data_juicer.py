"""data-juicer's mappers for e-mail, IP and other personal data over a JSONL of texts.

`both` runs its mappers for e-mail and IP addresses, `all` its wider redaction without paths and
ids, which are not personal data here. Run with a Python that has py-data-juicer.
"""

import json
import sys
import time

from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.clean_ip_mapper import CleanIpMapper
from data_juicer.ops.mapper.pii_redaction_mapper import PiiRedactionMapper

with open(sys.argv[1]) as rows:
    texts = [json.loads(line)["text"] for line in rows]
started = time.process_time()
if sys.argv[3] == "both":
    for mapper in (CleanEmailMapper(repl="<EMAIL>"), CleanIpMapper(repl="<IP>")):
        texts = mapper.process_batched({"text": texts})["text"]
else:
    wide = PiiRedactionMapper(
        mask_paths=False, mask_ids=False, mask_channel_ids=False, mask_platform_open_ids=False
    )
    texts = [wide.process_single({"text": text})["text"] for text in texts]
used = time.process_time() - started
with open(sys.argv[2], "w") as out:
    for text in texts:
        out.write(json.dumps({"text": text}) + "\n")
print(json.dumps({"cpu": used}))
