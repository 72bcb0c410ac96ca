"""What the card executes: registers, memory and SASS instructions of the kernels of the scenarios.

`python -m benchmarks.sass` compiles them for every card generation below and rewrites
results/sass.jsonl; no card is needed. Tests hold the kernels to what is written there, so that a
change that costs instructions shows.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stresscube.plan import make_plan
from stresscube.scenario import load
from stresscube_kernels.contract import Shape
from stresscube_kernels.cuda_code import OPTIONS, PER_THREAD, THREADS
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.programs import programs

from . import nvrtc
from .record import RESULTS, ROOT

FILE = RESULTS.with_name("sass.jsonl")
SCENARIOS = ("quickstart", "btc_eth_hourly", "cross_exchange", "flash_crash")
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
PRECISIONS = ("float32", "float64")
REGISTERS = 65536
"""Of a multiprocessor, on every card since 2012."""
UNIT = 8
"""Registers of a thread are handed out eight at a time."""
MOST_WARPS = 64


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one kernel takes.

    registers: of a thread. stack, spills: a thread's bytes in local memory, and the instructions
    that go there. shared: bytes of a block. instructions: of its longest innermost loop.
    opcodes: how many of each those are.
    """

    registers: int
    stack: int
    spills: int
    shared: int
    instructions: int
    opcodes: dict[str, int]

    def warps(self, threads: int) -> int:
        """Warps of a multiprocessor that its registers let run, in blocks of so many threads."""
        each = -(-self.registers // UNIT) * UNIT * threads
        return min(REGISTERS // each * threads // 32, MOST_WARPS)


def measure(source: str, architecture: str) -> dict[str, Kernel]:
    """Every kernel of a CUDA source, by name."""
    options = (*OPTIONS, "-ftz=true", "--device-as-default-execution-space")  # as CuPy does it
    return kernels(nvrtc.disassemble(nvrtc.compile_cubin(source, architecture, options)))


def kernels(listing: str) -> dict[str, Kernel]:
    """Read the disassembler's listing."""
    found: dict[str, Kernel] = {}
    sizes = dict(re.findall(r"\.nv\.shared\.(\w+):\s+\.zero\s+(\d+)", listing))
    for name, code in sections(listing):
        loop = longest_inner_loop(code)
        found[name] = Kernel(
            registers=attribute(listing, "EIATTR_REGCOUNT", name),
            stack=attribute(listing, "EIATTR_MIN_STACK_SIZE", name),
            spills=len(re.findall(r"\b(?:LDL|STL)\b", "\n".join(code))),
            shared=int(sizes.get(name, 0)),
            instructions=len(loop),
            opcodes=dict(Counter(sorted(loop)).most_common()),
        )
    return found


def sections(listing: str) -> Iterator[tuple[str, list[str]]]:
    """(kernel, its lines of code) of a listing."""
    for part in listing.split("//--------------------- .text.")[1:]:
        name = part.split(None, 1)[0]
        yield name, part.split("//-------")[0].splitlines()


def attribute(listing: str, name: str, kernel: str) -> int:
    """A number that the compiler wrote down about a kernel."""
    words = rf"{name}\n.*?index@\((\S+)\)\n\s*/\*\w+\*/\s+\.word\s+(0x\w+)"
    values = dict(re.findall(words, listing, re.DOTALL))
    return int(values[kernel], 16)


def longest_inner_loop(code: list[str]) -> list[str]:
    """Opcodes from a label to the branch back to it, of loops that hold no other loop."""
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    opcodes: list[str] = []
    for line in code:
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = len(opcodes)
        elif found := re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@\S+\s+)?([A-Z][A-Z0-9_]*)", line):
            jump = re.search(r"\bBRA\b.*`\((\.L\w+)\)", line)
            if jump and labels.get(jump[1], len(opcodes)) < len(opcodes):
                loops.append((labels[jump[1]], len(opcodes) + 1))
            opcodes.append(found[1])
    inner = [
        (start, end)
        for start, end in loops
        if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in loops)
    ]
    return max((opcodes[start:end] for start, end in inner), key=len, default=[])


def scenario_shape(name: str) -> Shape:
    """The code that a shipped scenario needs."""
    plan = make_plan(load(ROOT / "scenarios" / f"{name}.toml"))
    return plan.code(plan.blocks[0])


def lines(
    scenarios: tuple[str, ...] = SCENARIOS, architectures: tuple[str, ...] = ARCHITECTURES
) -> Iterator[dict[str, Any]]:
    """One line for each scenario, card generation, precision and number of policies a thread."""
    known = nvrtc.architectures()
    for scenario in scenarios:
        traced = programs(scenario_shape(scenario))
        for architecture in (a for a in architectures if a in known):
            for precision in PRECISIONS:
                for per_thread in PER_THREAD:
                    source = cuda_source(traced, precision, THREADS, per_thread)
                    made = measure(source, architecture)
                    policy = made["policy_run"]
                    # The loop holds the whole step and the idle one, and a warp takes either.
                    alone = replace(traced, policy_idle=None)
                    source = cuda_source(alone, precision, THREADS, per_thread)
                    whole = measure(source, architecture)["policy_run"].instructions
                    yield {
                        "benchmark": "sass",
                        "scenario": scenario,
                        "architecture": architecture,
                        "precision": precision,
                        "policies_per_thread": per_thread,
                        "threads": THREADS,
                        "warps": policy.warps(THREADS),
                        "instructions_per_policy_step": whole / per_thread,
                        "instructions_per_idle_step": (policy.instructions - whole) / per_thread,
                        **{name: asdict(kernel) for name, kernel in made.items()},
                        "versions": {"nvrtc": nvrtc.version()},
                    }


def recorded(file: Path = FILE) -> list[dict[str, Any]]:
    """What results/sass.jsonl says."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def main() -> int:
    """Compile, count, print and write."""
    if not nvrtc.available():
        print("needs NVIDIA's compiler: pip install nvidia-cuda-nvrtc nvidia-cuda-nvdisasm",
              file=sys.stderr)  # fmt: skip
        return 1
    made = list(lines())
    for line in made:
        policy = line["policy_run"]
        print(
            f"{line['scenario']:15}{line['architecture']:7}{line['precision']:8} "
            f"{line['policies_per_thread']} a thread: {policy['registers']:3} registers, "
            f"{policy['stack']:4} bytes of stack, {line['warps']:2} warps, "
            f"{line['instructions_per_policy_step']:6.1f} instructions a policy-step, "
            f"{line['instructions_per_idle_step']:6.1f} an idle one"
        )
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("".join(json.dumps(line) + "\n" for line in made), encoding="utf-8")
    print(f"{len(made)} lines written to {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
