"""Every fault of a user's code is told in one sentence, with the line where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from own_code import MARKET, PATHS, POLICY, RULES, SCENARIO, faults, write
from stresscube.cli.app import app
from stresscube.scenario import load
from stresscube.scenario.trust import trusted

LINE = "highest = ops.fmax(memory.highest, account.equity)"
RETURN = "return account, Memory(highest, ops.where(fallen, 1.0, memory.out))"
MUST = "step of my_rules.py must return (account, memory)"
BRANCH = "a step may not branch on a value (if, and, or, not, min, max): use ops.where, &, |, ~"
ONLY = "a number of the simulation only takes + - * / < <= > >=, the functions of ops (where, fmin"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRESSCUBE_DEBUG", raising=False)
    write(tmp_path)
    return tmp_path


LINES = {
    "import math; highest = math.exp(account.equity)": ONLY,
    "highest = abs(account.equity)": ONLY,
    "highest = account.equity ** 2": ONLY,
    "import numpy as np; highest = np.maximum(memory.highest, 1)": ONLY,
    "highest = max(account.equity, 1.0)": BRANCH,
    "if account.equity > 1.0: pass": BRANCH,
    "highest = account.equity == 1.0": "a step may not compare with == or !=: use <, <=, > or >=",
    "highest = ops.exp(account.equity)": "ops has no exp; it has where, fmin, fmax, fabs, sqrt, "
    "u32, mulhi, u2f, f2bits, bits2f, lookup; exp and log are in stresscube_kernels.toolbox",
    "highest = ops.max(account.equity, 1.0)": 'ops has no max; did you mean "fmax"?',
    "highest = account.equty": 'Account has no field equty; did you mean "equity"?',
    "highest = tick.retrun_a": 'Tick has no field retrun_a; did you mean "return_a"?',
    "highest = memory.hihgest": 'Memory has no field hihgest; did you mean "highest"?',
    "highest = account.equity.mean()": "a number of the simulation has no .mean",
    "highest = account.equity + (now < wait)": "a real number and a truth value do not mix",
    "highest = 1 / 0": "ZeroDivisionError: division by zero",
    "highest = ops.fmax(1.0, account.equity * 1e39)": "1e+39 is no number for a kernel; "
    "write 1e30 for never",
    "highest = nothing": "NameError: name 'nothing' is not defined",
    "highest = decide(ops, tick)": "TypeError: decide() missing 4 required positional arguments",
    "raise ValueError": "raises ValueError",
}


@pytest.mark.parametrize(("code", "sentence"), LINES.items(), ids=lambda text: text[:40])
def test_a_fault_of_a_line_is_told_with_the_line(here: Path, code: str, sentence: str) -> None:
    rules = RULES.replace(LINE, code)
    number = rules.splitlines().index(f"    {code}") + 1
    (found,) = faults(write(here, rules))
    start = f"{POLICY}: line {number} of my_rules.py ({code}): {sentence}"
    assert found[: len(start)] == start


WHOLE = (
    ("def step(", "def stepp(", 'my_rules.py has no function step; did you mean "stepp"?'),
    ("def step(", "step = 3\ndef other(", "step of my_rules.py is no function"),
    (
        "def step(ops,",
        "def step)ops) #",
        "line 11 of my_rules.py (def step)ops) # features, account, now, tick, policy, me ...) is "
        "no Python: unmatched ')'",
    ),
    (
        "START =",
        "import nothing_like_it\nSTART =",
        "line 9 of my_rules.py (import nothing_like_it): ModuleNotFoundError: No module named "
        "'nothing_like_it'",
    ),
    ("START =", "exit(3)\nSTART =", "line 9 of my_rules.py (exit(3)): SystemExit: 3"),
    (
        "now, tick, policy,",
        "tick, now, policy,",
        "step of my_rules.py must take (ops, features, account, now, tick, policy), then "
        "memory=... if it remembers something, then its parameters after *; it takes (ops, "
        "features, account, tick, now, policy, memory=Memory(highest=1.0, out=0.0), stop, wait)",
    ),
    (
        "memory=START",
        "memory",
        "step of my_rules.py: memory must have a default, which is the memory at time 0, as in "
        "memory=0.0",
    ),
    (
        "memory=START",
        "memory=None",
        "step of my_rules.py: memory must be a number or a NamedTuple of numbers",
    ),
    (
        "Memory(1.0, 0.0)",
        "Memory(1.0, False)",
        "step of my_rules.py: memory must be of finite numbers; write 1.0 and 0.0 for true and "
        "false",
    ),
    (RETURN, "return account", f"{MUST}, and returns Account"),
    (RETURN, "pass", f"{MUST}, and returns nothing"),
    (RETURN, "return memory, account", f"{MUST}; its account must be Account, not Memory"),
    (RETURN, "return account, 1.0", f"{MUST}; its memory must be Memory, not a number"),
    (
        RETURN,
        "return account, Memory(highest, fallen)",
        "step of my_rules.py returns memory.out as a truth value; write ops.where(it, 1.0, 0.0)",
    ),
    (
        "(now < wait)",
        "(tick.return_a < wait)",
        "line 15 of my_rules.py (account = carry_out(ops, features, decided, order, now, ...): "
        "what is decided here depends on tick.return_a, which is not known when the step begins; "
        "remember it, and decide by it at the next step",
    ),
    (
        "(now < wait)",
        "(tick.z < wait)",
        "step of my_rules.py reads tick.z, and no regime has mispricing; add it",
    ),
    (
        RETURN,
        f"{RETURN}\ndef step_acts(): pass",
        "my_rules.py has step_acts and no step_idle; they go together",
    ),
    (
        RETURN,
        f"{RETURN}\nstep_acts = step_idle = step",
        "step_acts of my_rules.py must return a truth value, such as a comparison",
    ),
)


@pytest.mark.parametrize(("old", "new", "sentence"), WHOLE, ids=lambda text: text[:40])
def test_a_fault_of_the_file_is_told(here: Path, old: str, new: str, sentence: str) -> None:
    assert faults(write(here, RULES.replace(old, new))) == [f"{POLICY}: {sentence}"]


TICK = "diffusion(ops, features, market, draw, deviations=(factor, 0.01), correlation=0.5)"
MARKETS = (
    (
        f"state, {TICK}._replace(variance_a=0.0, variance_b=0.0)",
        "returns a tick without variance_a and variance_b; with simulation.bridge they find "
        "liquidations inside a step; state them, as toolbox.diffusion does, or switch the bridge "
        "off",
    ),
    (
        f"state, {TICK}._replace(slippage_multiplier=0.0)",
        "returns a tick without slippage_multiplier; write 1.0 where there is nothing to multiply",
    ),
    (
        f"state, {TICK}._replace(funding_a=factor)",
        "states funding_a and funding_b, which nothing reads here; funding is off; add it to the "
        "regimes, so that the policies' code has it",
    ),
    (
        f"state, {TICK}, factor",
        "must return (state, tick), and returns (MarketState, Tick, a number)",
    ),
    (TICK, "must return (state, tick), and returns Tick"),
    (
        f"state, {TICK}._replace(return_a=words(ops, draw, 0)[0])",
        "returns tick.return_a as an integer; write ops.u2f(it)",
    ),
)


@pytest.mark.parametrize(("result", "sentence"), MARKETS, ids=lambda text: text[-40:])
def test_a_fault_of_a_market_is_told(here: Path, result: str, sentence: str) -> None:
    step = "market_step(ops, features, scaled(market, factor), state, draw)"
    scenario = write(here, market=MARKET.replace(step, result))
    assert faults(scenario) == [f"{PATHS}: step of my_market.py {sentence}"]


def test_parameters_must_fit_the_code(here: Path) -> None:
    swept = SCENARIO.partition("[sweep]")[0]
    more = swept.replace('wait = "5min"', "wiat = 3")
    assert faults(write(here, text=more)) == [
        "policy.parameters.wait: is missing, and step of my_rules.py takes it",
        "policy.parameters.wiat = 3.0: is nothing that step of my_rules.py takes; "
        'did you mean "wait"?',
    ]
    assert faults(write(here, RULES.replace("(now < wait)", "(now < 3.0)"))) == [
        'policy.parameters.wait = "5min": is taken by step of my_rules.py, which does not use it'
    ]
    optional = RULES.replace("*, stop, wait", "*, stop, wait=3.0")
    assert trusted(write(here, optional, text=swept.replace('wait = "5min"', "")), trust=True).code


def test_faults_of_both_files_come_together(here: Path) -> None:
    (here / "my_market.py").unlink()
    (here / "my_rules.py").write_bytes(b"x = '\xff'")
    assert faults(load("own.toml")) == [
        f"{PATHS}: there is no file my_market.py, seen from the scenario's folder; "
        'did you mean "my_rules.py"?',
        f"{POLICY}: my_rules.py is no UTF-8 text; save it as UTF-8",
    ]
    write(here, RULES.replace(LINE, "x = y"), MARKET.replace("scaled(", "skaled("))
    found = faults(load("own.toml"))
    assert [line[:24] for line in found] == [PATHS[:24], POLICY[:24]]


def test_a_fault_ends_the_command_in_a_sentence(here: Path) -> None:
    write(here, RULES.replace(LINE, "highest = nothing"))
    for command in ("run", "check", "kernel"):
        done = CliRunner().invoke(app, [command, "own.toml", "--trust"])
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert "NameError" in done.stderr
        assert "Traceback" not in done.output
    assert not (here / "own.run").exists()
