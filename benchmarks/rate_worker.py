"""One contestant of `feature_sets.py` in a process of its own, so that two versions can take turns.

Called with the folders to import from and what to measure as JSON. It prints what is measured, and
then, for every line that it reads, the seconds of one run on one thread.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any


def main(folders: list[str], asked: dict[str, Any]) -> None:
    """Serve until the input ends."""
    sys.path[:0] = folders
    from benchmarks import contestants
    from benchmarks.case import make_case
    from stresscube_kernels import compiled

    size = (asked["policies"], asked["paths"], asked["steps"], Path(asked["scenario"]))
    if asked["plain"]:
        from benchmarks.plain import plain

        case = make_case(*size, change=plain)
    else:
        case = make_case(*size)
    kernels = compiled.numba_kernels(case.shape, "float32")
    entered = contestants.compiled(case, kernels, "", 1)
    print(json.dumps(about(case)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(entered.measure()), flush=True)


def about(case: Any) -> dict[str, Any]:
    """The code of a case: features in use, lines of a step, and what a card would execute."""
    shape = case.shape._asdict()
    features = [name for name, on in shape.pop("features")._asdict().items() if on]
    found = {"shape": {**shape, "features": features}, "lines_per_policy_step": case.lines}
    return found | {"sm_90": instructions(case.shape)}


def instructions(shape: Any) -> dict[str, Any] | None:
    """What sm_90 executes in float32, one policy a thread; None without NVRTC.

    A kernel's loop holds the whole step and the idle one: what is counted is the whole step alone.
    """
    from benchmarks import nvrtc, sass
    from stresscube_kernels.print_cpp import cuda_source
    from stresscube_kernels.programs import programs

    if not nvrtc.available():
        return None
    traced = programs(shape)
    found = [sass.measure(cuda_source(traced, "float32", 128, 1), "sm_90")["policy_run"]]
    if getattr(traced, "policy_idle", None) is not None:
        alone = replace(traced, policy_idle=None)
        found.append(sass.measure(cuda_source(alone, "float32", 128, 1), "sm_90")["policy_run"])
    both, whole = found[0], found[-1]
    return {
        "registers": both.registers,
        "stack": both.stack,
        "instructions_per_policy_step": whole.instructions,
        "instructions_per_idle_step": both.instructions - whole.instructions,
    }


if __name__ == "__main__":
    main(sys.argv[1:-1], json.loads(sys.argv[-1]))
