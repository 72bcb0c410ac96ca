"""docs/own_rules.md shows the examples as they are, names every field, and its market runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import stresscube as sc
from own_code import SCENARIO, write
from stresscube.scenario.probe import NEEDED, SWITCHED
from stresscube_kernels import contract, toolbox

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "own_rules.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def bare(code: str) -> str:
    """Code without comments and docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
        ):
            del node.body[0]
    return ast.unparse(tree)


@pytest.mark.parametrize(("block", "file"), [(0, "trailing_stop"), (1, "volatility_by_hour")])
def test_the_page_shows_the_examples(block: int, file: str) -> None:
    code = (ROOT / "examples" / f"{file}.py").read_text()
    assert bare(BLOCKS[block]) == bare(code)


def test_the_page_names_every_field() -> None:
    records = (contract.Tick, contract.Account, contract.Policy, contract.Venue, contract.Regime,
               contract.Market)  # fmt: skip
    named = {*re.findall(r"`([a-z_0-9]+)`", PAGE), "trade_sum_2", "trade_sum_3"}
    missing = [f"{r.__name__}.{name}" for r in records for name in r._fields if name not in named]
    assert missing == []


def test_the_page_names_what_the_toolbox_has() -> None:
    functions = [name for name in toolbox.__all__ if name[0].islower()]
    assert [name for name in functions if f"`{name}" not in PAGE] == []


def test_what_is_said_of_ticks_is_about_ticks() -> None:
    named = {*toolbox.FORESEEN, *(field for row in (*NEEDED, *SWITCHED) for field in row[0])}
    assert named <= set(contract.Tick._fields)
    assert {feature for row in (*NEEDED, *SWITCHED) if (feature := row[1])} <= set(
        contract.Features._fields
    )


def test_the_market_from_nothing_is_what_is_said(tmp_path: Path) -> None:
    """Leg b moves by 0.8 of what leg a did a step before, and falls by 5% once in `every` steps."""
    deviation, every, paths, steps = 0.001, 50.0, 200, 60
    text = SCENARIO.replace(
        "parameters = { factor = 1.5 }",
        f"parameters = {{ deviation = {deviation}, every = {every} }}",
    )
    text = text.replace('"market.parameters.factor" =', '"market.parameters.every" =')
    scenario = write(tmp_path, market=BLOCKS[2], text=text)
    prices = sc.market(scenario, paths, trust=True)["price"].values
    a, b = np.diff(np.log(prices), axis=-1)
    fell = b < -0.03
    falls = paths * steps / every
    assert fell.sum() == pytest.approx(falls, abs=4 * np.sqrt(falls))
    before, after = a[:, :-1][~fell[:, 1:]], b[:, 1:][~fell[:, 1:]]
    slope = (before * after).mean() / (before**2).mean()
    error = 0.5 / np.sqrt(before.size)  # of the rest of leg b, half as volatile as leg a
    assert slope == pytest.approx(0.8, abs=4 * error)
    assert b[fell].mean() == pytest.approx(-0.05, abs=4 * deviation / np.sqrt(fell.sum()))
    assert a.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * a.size))
