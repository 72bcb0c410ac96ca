"""`stresscube kernel`: the code that is generated for a scenario, to read or to compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from stresscube.cli.as_json import emit
from stresscube.cli.scenario import load_scenario
from stresscube.errors import StresscubeError
from stresscube.plan import make_plan
from stresscube_kernels.cuda_code import threads_for
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.print_numba import numba_source
from stresscube_kernels.programs import Programs, programs

Printer = Callable[[Programs, str, int], str]
PRINTERS: dict[str, Printer] = {
    "cpu": lambda made, precision, policies: numba_source(made, precision),
    "cuda": lambda made, precision, policies: cuda_source(made, precision, threads_for(policies)),
}


def kernel(
    scenario: Path, *, backend: str, settings: Sequence[str], trust: bool, as_json: bool = False
) -> None:
    """Print the source that serves every block of a run: Python for numba, or CUDA C++.

    Raises StresscubeError for a backend whose code is not generated.
    """
    if backend not in PRINTERS:
        raise StresscubeError(f"--backend {backend}: must be one of {', '.join(PRINTERS)}")
    plan = make_plan(load_scenario(scenario, None, None, settings), trust=trust)
    policies = min(plan.policies, plan.block_policies)
    block = next(block for block in plan.blocks if plan.policy_cells(block).feasible.any())
    source = PRINTERS[backend](programs(plan.code(block)), plan.simulation.precision, policies)
    if as_json:
        precision = plan.simulation.precision
        emit({"name": plan.scenario.name, "backend": backend, "precision": precision,
              "source": source})  # fmt: skip
        return
    typer.echo(source, nl=not source.endswith("\n"))
