"""The generator against the vectors that its authors publish, in every form it is run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from printers import by_cpp, by_numba, by_numpy
from stresscube_kernels import philox
from stresscube_kernels.contract import Draw
from stresscube_kernels.ops import NumpyOps, Ops
from stresscube_kernels.pack import seed_words

# Random123 (Salmon, Moraes, Dror and Shaw 2011), kat_vectors, "philox4x32 10":
# counter, key, answer.
KNOWN = """
00000000 00000000 00000000 00000000  00000000 00000000  6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff  ffffffff ffffffff  408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344  a4093822 299f31d0  d16cfe09 94fdcceb 5001e420 24126ea1
"""
VECTORS = np.array(
    [[int(word, 16) for word in line.split()] for line in KNOWN.strip().splitlines()], np.uint32
)
INPUTS = [np.ascontiguousarray(column) for column in VECTORS.T[:6]]
ANSWERS = VECTORS.T[6:]


def generator(ops: Ops, *words: Any) -> tuple[Any, ...]:
    return philox.philox(ops, words[:4], words[4:])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numpy_operations_give_the_known_answers(precision: str) -> None:
    assert np.array_equal(by_numpy(generator, INPUTS, precision), ANSWERS)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numba_printer_gives_the_known_answers(precision: str) -> None:
    assert np.array_equal(by_numba(generator, INPUTS, precision), ANSWERS)


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_cpp_printer_gives_the_known_answers(precision: str, tmp_path: Path) -> None:
    assert np.array_equal(by_cpp(generator, INPUTS, precision, tmp_path), ANSWERS)


def test_counter_is_path_step_block_and_key_is_the_seed() -> None:
    """The third vector, reached through a draw: its counter's last word must be 0, so by hand."""
    key = seed_words(0x299F31D0_A4093822)
    draw = Draw(*(np.array([word], np.uint32) for word in (7, 8, *key)))
    ops = NumpyOps()
    plain = [np.array([word], np.uint32) for word in (7, 8, 3, 0, 0xA4093822, 0x299F31D0)]
    assert np.array_equal(philox.words(ops, draw, 3), generator(ops, *plain))


def test_blocks_are_never_shared() -> None:
    blocks = [value for name, value in vars(philox).items() if name.startswith("BLOCK_")]
    assert len(blocks) == len(set(blocks)) > 2
