"""Who is measured on a card: our kernels, JAX, and CuPy one operation at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stresscube_kernels import cuda_code
from stresscube_kernels.cards import cupy
from stresscube_kernels.contract import Outcome, Shape, Tick
from stresscube_kernels.cuda import CudaJob
from stresscube_kernels.cuda_code import CudaKernels
from stresscube_kernels.rules import rules_of
from stresscube_kernels.spec import Job
from stresscube_kernels.tree import rebuild, values

from . import sass
from .case import Case
from .issue_rate import IssueRate, seconds_on_card

JAX_PATHS = (8, 64, 256)
CUPY_STEPS = 16


class Entry(NamedTuple):
    """work: policy-steps (or what `unit` says) of one run. measure: its seconds."""

    name: str
    work: int
    measure: Callable[[], float]
    unit: str = "policy_steps"
    note: str = ""
    versions: dict[str, str] = {}  # noqa: RUF012, of what only it needs


class PolicyKernel:
    """The policy kernel alone, on tapes that are on the card already."""

    def __init__(self, job: Job, shape: Shape, kernels: CudaKernels, paths: int) -> None:
        self.job = CudaJob(job, shape, kernels, cupy().cuda.Device().id, paths)
        self.paths = paths
        states, self._tape, self._outcomes = self.job.buffers(paths)
        self.job.fill_tapes(0, paths, states, self._tape)
        self._states = states
        cupy().cuda.get_current_stream().synchronize()

    def launch(self) -> None:
        self.job.run_policies(self.paths, self._tape, self._outcomes)

    def entry(self, name: str) -> Entry:
        """Its rate; padding is not counted as work."""
        simulation = self.job.job.simulation
        work = self.paths * simulation.steps * len(self.job.job.policies)
        return Entry(name, work, lambda: seconds_on_card(self.launch))

    def market(self) -> Entry:
        """The market kernel: path-steps."""
        job = self.job
        work = self.paths * job.job.simulation.steps

        def launch() -> None:
            job.fill_tapes(0, self.paths, self._states, self._tape)

        return Entry("market", work, lambda: seconds_on_card(launch), unit="path_steps")


@dataclass(frozen=True)
class Variant:
    """A policy kernel that is measured.

    idle: whether accounts that do not act take the shorter step. Without it every step is a whole
    one, so that what the compiler says of the loop is what is executed.
    """

    per_thread: int
    idle: bool

    @property
    def name(self) -> str:
        """As results name it."""
        return f"cuda, {self.per_thread} a thread" + ("" if self.idle else ", whole steps")

    def kernel(self, case: Case, paths: int) -> PolicyKernel:
        """Compiled and ready to launch."""
        wanted = case.shape, case.job.simulation.precision, self._threads(case), self.per_thread
        kernels = cuda_code.compiled(*wanted, idle=self.idle)
        return PolicyKernel(case.job, case.shape, kernels, paths)

    def instructions(self, case: Case) -> float:
        """SASS instructions of the loop over steps, for this card, over its policies."""
        wanted = case.shape, case.job.simulation.precision, self._threads(case), self.per_thread
        source = cuda_code.source_of(*wanted, idle=self.idle)
        architecture = f"sm_{cupy().cuda.Device().compute_capability}"
        return sass.measure(source, architecture)["policy_run"].instructions / self.per_thread

    def _threads(self, case: Case) -> int:
        return cuda_code.threads_for(len(case.job.policies), self.per_thread)


def issue() -> Entry:
    """What the card's schedulers issue."""
    rate = IssueRate()
    return Entry(
        "issue", rate.work, lambda: seconds_on_card(rate.launch), unit="thread_instructions"
    )


def sort(policies: int, paths: int) -> Entry:
    """`cupy.sort` along paths, on which exact quantiles rest."""
    xp = cupy()
    numbers = xp.asarray(np.random.default_rng(1).normal(size=(policies, paths)), np.float32)

    def launch() -> None:
        xp.sort(numbers, axis=-1)

    launch()
    note = f"{policies} rows of {paths}"
    return Entry("cupy.sort", policies * paths, lambda: seconds_on_card(launch), "numbers", note)


class CupyOps:
    """The operations of a step (`stresscube_kernels.ops.Ops`), a kernel of CuPy's for each."""

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return cupy().where(condition, yes, no)

    def fmin(self, x: Any, y: Any) -> Any:
        return cupy().minimum(x, y)

    def fmax(self, x: Any, y: Any) -> Any:
        return cupy().maximum(x, y)

    def fabs(self, x: Any) -> Any:
        return abs(x)

    def sqrt(self, x: Any) -> Any:
        return cupy().sqrt(x)

    def u32(self, value: int) -> Any:
        raise NotImplementedError("policies use no integers")

    mulhi = u2f = f2bits = bits2f = u32


def elementwise(case: Case) -> Entry:
    """The policy step in CuPy, each operation a launch over all policies and paths of the tape."""
    xp, rules = cupy(), rules_of(case.shape)
    ops: Any = CupyOps()
    columns = (xp.asarray(leaf[:, None], np.float32) for leaf in values(case.packed))
    policy = rebuild(case.packed, columns)
    paths = len(case.tape)
    steps = min(CUPY_STEPS, case.tape.shape[1])
    tape = xp.asarray(case.tape[:, :steps])
    ticks = [
        Tick(*(tape[:, step, field].reshape(1, paths) for field in range(len(Tick._fields))))
        for step in range(steps)
    ]
    row = xp.asarray(np.zeros((1, paths), np.float32))

    def launch() -> Outcome:
        account = rules.open(ops, case.shape.features, policy)
        account = rebuild(account, (field + row for field in values(account)))
        for step, tick in enumerate(ticks):
            now = np.float32(step)
            account = rules.step(ops, case.shape.features, account, now, tick, policy)
        return rules.close(ops, case.shape.features, account, ticks[-1], policy)

    launch()
    work = paths * steps * len(case.job.policies)
    return Entry("CuPy, elementwise", work, lambda: seconds_on_card(launch), note=f"{steps} steps")


def jax_scan(case: Case) -> Entry:
    """The steps under lax.scan on the card, at the better of some batch sizes.

    Raises ImportError where there is no JAX for this card.
    """
    # By itself it takes three quarters of the card for good, and the others run beside it.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    import jax.numpy as jnp

    if jax.default_backend() != "gpu":
        raise ImportError("JAX sees no card: pip install 'jax[cuda13]' (or [cuda12])")
    from . import jax_ops

    simulate = jax_ops.prepare(case.packed, case.shape)
    sizes = [n for n in JAX_PATHS if n <= len(case.tape)] or [len(case.tape)]
    tapes = {n: jnp.asarray(case.tape[:n].transpose(1, 2, 0).copy()) for n in sizes}

    def measure(n: int) -> float:
        begun = time.perf_counter()
        simulate(tapes[n])
        return time.perf_counter() - begun

    for n in sizes:
        measure(n)  # compiles
    best = min(sizes, key=lambda n: min(measure(n) for _ in range(2)) / n)
    work = best * case.tape.shape[1] * len(case.job.policies)
    versions = {"jax": jax.__version__}
    return Entry(
        "JAX, lax.scan", work, lambda: measure(best), note=f"{best} paths at once",
        versions=versions,
    )  # fmt: skip
