"""The hash chain: how one event becomes one line that nobody can change unseen.

A line is one JSON object that ends with the SHA-256 of its own bytes before that last field; it carries
the hash of the line before it as `previous`. The bytes themselves are hashed, so even a changed blank is
found.

What a chain cannot tell: that whole lines were removed from the END (compare `head` with a hash noted
elsewhere, as
`refine.json` does), and that somebody rewrote the entire file with fresh hashes (there is no secret in it).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""`previous` of the first line."""

_FIELD = b',"sha256":"'
_TAIL = len(_FIELD) + 64 + len(b'"}')


@dataclass(frozen=True)
class Record:
    """One event of a journal. `time`: UTC, ISO 8601; it never influences the mask. `data`: see `session`."""

    number: int
    time: str
    event: str
    data: dict[str, Any]
    previous: str
    sha256: str


def seal(number: int, time: str, event: str, data: dict[str, Any], previous: str) -> tuple[Record, bytes]:
    """The record and its line (newline included)."""
    content = {"n": number, "time": time, "event": event, "data": data, "previous": previous}
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")
    digest = hashlib.sha256(body).hexdigest()
    line = body[:-1] + _FIELD + digest.encode("ascii") + b'"}\n'
    return Record(number, time, event, data, previous, digest), line


def unseal(line: bytes, number: int, previous: str) -> Record:
    """Check one line (without newline) against its place in the chain; ValueError says what is wrong with
    it.
    """
    if line[-_TAIL : -_TAIL + len(_FIELD)] != _FIELD or not line.endswith(b'"}'):
        raise ValueError("it is not a journal line")
    digest = line[-66:-2].decode("ascii", "replace")
    body = line[:-_TAIL] + b"}"
    if hashlib.sha256(body).hexdigest() != digest:
        raise ValueError("its content was changed: the hash does not fit")
    try:
        content = json.loads(body)
        record = Record(
            content["n"], content["time"], content["event"], content["data"], content["previous"], digest
        )
    except (ValueError, KeyError, TypeError) as reason:
        raise ValueError(f"it is not a journal line ({reason})") from reason
    if record.previous != previous or record.number != number:
        raise ValueError(
            "lines before it were removed, added or reordered: it does not follow the line before"
        )
    if not isinstance(record.data, dict):
        raise ValueError("it is not a journal line (no data)")
    return record
