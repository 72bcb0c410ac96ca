"""Numbers of a cube as text in a page, exact to float32."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import numpy.typing as npt

CHARACTERS = 4 / 3 * 4
"""What a number takes."""

_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def pack(values: npt.ArrayLike) -> dict[str, Any]:
    """Return an array as its shape and base64 of little-endian float32, in C order."""
    array = np.asarray(values, dtype=np.float64)
    # A number beyond float32 reads as infinite, which is how the page shows it.
    with np.errstate(over="ignore"):
        data = array.astype("<f4").tobytes()
    return {"shape": list(array.shape), "f4": base64.b64encode(data).decode("ascii")}


def pack_bits(values: npt.ArrayLike) -> dict[str, Any]:
    """Return an array of booleans as its shape and base64 of bits, the lowest bit first."""
    array = np.asarray(values, dtype=bool)
    data = np.packbits(array.reshape(-1), bitorder="little").tobytes()
    return {"shape": list(array.shape), "bits": base64.b64encode(data).decode("ascii")}


def script_json(content: Any) -> str:
    """Return JSON that may stand inside a script element, whatever text it holds."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.translate(_UNSAFE)
