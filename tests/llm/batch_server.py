"""A fault server that takes batches as well."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

from tests.llm.fault_server import Fault, FaultServer, Script


class BatchServer(FaultServer):
    """Answers the lines of batches as it answers requests, in another order.

    Args:
        script: what it does with each line.

    Attributes:
        batches: those that were made, by identifier.
        ended: how batches end; None while they do not.
        cut_once: cut the connection once after a batch was made.
    """

    def __init__(self, script: Script = lambda body, seen: Fault()) -> None:
        super().__init__(script)
        self.batches: dict[str, dict[str, Any]] = {}
        self.ended: str | None = "completed"
        self.cut_once = False
        self._files: dict[str, bytes] = {}

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Fault, bytes]:
        """What is done with a request, and the body that is sent."""
        path, _, _ = path.partition("?")
        if (method, path) == ("POST", "/files"):
            return Fault(), self._json({"id": self._file(self._uploaded(content))})
        if (method, path) == ("POST", "/batches"):
            return self._make(json.loads(content))
        if (method, path) == ("GET", "/batches"):
            return Fault(), self._json({"data": list(self.batches.values()), "has_more": False})
        if found := re.fullmatch("/batches/(.+)", path):
            return Fault(), self._json(self._look(self.batches[found[1]], headers))
        if found := re.fullmatch("/files/(.+)/content", path):
            return Fault(), self._files[found[1]]
        return super().respond(method, path, headers, content)

    def _make(self, asked: dict[str, Any]) -> tuple[Fault, bytes]:
        batch = {"id": f"batch_{len(self.batches)}", "status": "in_progress", "created_at": 100}
        self.batches[batch["id"]] = batch | asked
        cut, self.cut_once = self.cut_once, False
        return Fault(cut_after=5 if cut else None), self._json(batch)

    def _look(self, batch: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        if self.ended is None or batch["status"] != "in_progress":
            return batch
        batch |= {"status": self.ended, "completed_at": 160}
        if self.ended == "failed":
            said = {"code": "invalid_json_line", "message": "told to fail"}
            return batch | {"errors": {"data": [said]}}
        lines = self._files[batch["input_file_id"]].splitlines()
        random.Random(0).shuffle(lines)
        done, failed = [], []
        for line in map(json.loads, lines):
            path = line["url"].removeprefix("/v1")
            fault, said = super().respond("POST", path, headers, json.dumps(line["body"]).encode())
            if fault.status == 0:
                error = {"code": "batch_expired", "message": "not in time"}
                failed.append({"custom_id": line["custom_id"], "response": None, "error": error})
                continue
            response = {"status_code": fault.status, "body": json.loads(said)}
            into = done if fault.status == 200 else failed
            into.append({"custom_id": line["custom_id"], "response": response, "error": None})
        for name, listed in (("output_file_id", done), ("error_file_id", failed)):
            batch[name] = self._file(b"\n".join(map(self._json, listed))) if listed else None
        return batch

    def _file(self, content: bytes) -> str:
        self._files[name := f"file_{len(self._files)}"] = content
        return name

    @staticmethod
    def _uploaded(content: bytes) -> bytes:
        (part,) = (part for part in content.split(b"\r\n--") if b'name="file"' in part)
        return part.partition(b"\r\n\r\n")[2]

    @staticmethod
    def _json(value: Any) -> bytes:
        return json.dumps(value).encode()
