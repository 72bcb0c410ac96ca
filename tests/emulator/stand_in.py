"""A pytest plugin: two made-up cards in place of real ones, for tests/test_gpu.py."""

from __future__ import annotations

import importlib.machinery
import sys

import pytest

from stresscube_kernels import cards
from stresscube_kernels.cards import Card, CuPy, Driver

from .fake_cupy import Machine, install

SIZES = {
    "STEPS": 40,
    "POLICIES": 70,
    "PATHS": 40,
    "CUBE": ("simulation.paths=60", "simulation.horizon='1h'"),
}
"""What a made-up card runs in some seconds."""


def pytest_configure() -> None:
    patch = pytest.MonkeyPatch()  # for good
    install(Machine(cards=2), patch)
    sys.modules["cupy"].__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    card = Card("a made-up card", 2**30, (9, 0))
    patch.setattr(cards, "driver", lambda: Driver((13, 1), (card, card)))
    patch.setattr(cards, "installed", lambda: CuPy("numpy", "14.2.0", 13))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for module in {item.getparent(pytest.Module) for item in items}:
        assert module is not None
        for name, value in SIZES.items():
            assert hasattr(module.obj, name)
            setattr(module.obj, name, value)
