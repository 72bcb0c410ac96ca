"""Small JSON documents that carry their own sha256, so that any damage to one is seen."""

from __future__ import annotations

import json
from typing import Any, cast

from stresscube.identity import digest

SEAL = "sha256"


def sealed(content: dict[str, Any]) -> bytes:
    """Return a document with its seal, as it is stored."""
    return _text({**content, SEAL: digest(content)})


def unsealed(data: bytes | None) -> dict[str, Any] | None:
    """Return the content of a document, or None if one byte of it is not as it was sealed."""
    try:
        found: Any = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    content = cast("dict[str, Any]", found)
    seal = content.pop(SEAL, None)
    try:
        whole = seal == digest(content) and _text({**content, SEAL: seal}) == data
    except ValueError:
        return None
    return content if whole else None


def _text(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
