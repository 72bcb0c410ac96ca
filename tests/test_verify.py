"""Every damage of a single object is found, named, and mended to the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crashes
import stresscube as sc
from fakes import FakeBackend, FakePrepared, Made, scenario
from stresscube import identity
from stresscube.audit import audit
from stresscube.errors import RunError
from stresscube.lock import locked
from stresscube.recompute import DIFFERENT, IDENTICAL, ROUNDED
from stresscube.runner import run
from stresscube.scenario import Scenario
from stresscube.store.local import LocalObjects
from stresscube_kernels.contract import Outcome

Damager = Callable[[Path], None]


def tiny(*overrides: str) -> Scenario:
    """Two markets of two policies each: two blocks, the second of which has a dead cell."""
    changes = ("sweep.venue=['B']", "sweep.hedge_ratio=[1.0]", "sweep.leverage=[10, 50]",
               "sweep.rebalance_threshold=[0.01]")  # fmt: skip
    return scenario(200, True, *changes, *overrides)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "small.run"
    return run(tiny(), folder, backend=FakeBackend())


@pytest.fixture
def folder(whole: Path, scratch: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(whole, scratch / "small.run"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1 << len(data) % 8
    path.write_bytes(data)


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


DAMAGES: dict[str, Damager] = {
    "one bit flipped": flip,
    "cut off": cut,
    "emptied": empty,
    "deleted": delete,
    "garbled": garble,
}
OBJECTS = {
    "plan": "_control/plan.json",
    "hashes of the cube": "_control/cube.json",
    "complete": "_control/COMPLETE",
    "receipt": "_control/receipts/000001.json",
    "metadata of the cube": "cube.zarr/zarr.json",
    "metadata of a group": "cube.zarr/summary/zarr.json",
    "metadata of an array": "cube.zarr/paths/fees/zarr.json",
    "coordinate": "cube.zarr/summary/leverage/c.0",
    "words of a coordinate": "cube.zarr/summary/venue/c.0",
    "estimate": "cube.zarr/summary/sharpe/c.1.0.0.0.0",
    "flags": "cube.zarr/summary/feasible/c.0.0.0.0.0",
    "numbers that are all NaN": "cube.zarr/summary/recovery_probability/c.0.0.0.0.0",
    "paths": "cube.zarr/paths/final_equity/c.1.0.0.0.0.0",
}


def everything(folder: Path) -> dict[str, bytes]:
    """Return all objects of a run but the lock, with receipts stripped of time and duration."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in ("_control/lock", "_control/COMPLETE"):
            found[name] = b"" if "receipts/" in name else path.read_bytes()
    return found


def test_what_is_sound_is_said_to_be_sound(whole: Path) -> None:
    found = sc.verify(whole, recompute=5, backend=FakeBackend())
    assert found.damage == found.mended == ()
    assert found.complete
    assert [it.verdict for it in found.recomputed] == [IDENTICAL, IDENTICAL]
    assert found.audit.chunks == sum(map(crashes.is_block_chunk, crashes.content(whole)))


@pytest.mark.parametrize("way", DAMAGES)
def test_damage_of_any_object_is_found_and_named(folder: Path, way: str) -> None:
    """Every object of a kind at once: each of them is named, and nothing else."""
    objects = LocalObjects(folder)
    every = sorted(str(it.relative_to(folder)) for it in folder.rglob("*") if it.is_file())
    chunks = [name for name in every if crashes.is_block_chunk(name)]
    cube = [it for it in every if it.startswith("cube.zarr") and it not in chunks]
    receipts = [name for name in every if "receipts" in name]
    assert len(chunks) > 250
    assert len(cube) > 150
    # The cube's own metadata say where the blocks are, so they are damaged by themselves.
    for kind in (chunks, [it for it in cube if it != OBJECTS["metadata of the cube"]], receipts):
        before = {name: (folder / name).read_bytes() for name in kind}
        for name in kind:
            DAMAGES[way](folder / name)
        assert sorted(it.key for it in audit(objects, folder).damage) == kind
        for name, data in before.items():
            (folder / name).write_bytes(data)
    assert audit(objects, folder).damage == ()


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("kind", OBJECTS)
def test_damage_is_found_mended_and_gone(folder: Path, whole: Path, kind: str, way: str) -> None:
    DAMAGES[way](folder / OBJECTS[kind])
    found = sc.verify(folder, backend=FakeBackend())
    assert [it.key for it in found.damage] == [OBJECTS[kind]]
    assert found.mended == ()
    backend = FakeBackend()
    after = sc.verify(folder, repair=True, backend=backend)
    assert after.damage == ()
    assert [it.key for it in after.mended] == [OBJECTS[kind]]
    assert after.complete
    of_a_block = kind in ("receipt", "estimate", "flags", "numbers that are all NaN", "paths")
    assert len(backend.prepared) == of_a_block
    assert everything(folder) == everything(whole)
    assert sc.verify(folder, backend=FakeBackend()).damage == ()


def test_several_damages_at_once_are_mended_at_once(folder: Path, whole: Path) -> None:
    for name in OBJECTS.values():
        if "plan" not in name:
            delete(folder / name)
    found = sc.verify(folder, backend=FakeBackend())
    # Without COMPLETE nothing tells that there has been another receipt.
    assert {it.block for it in found.damage} == {None, "000000"}
    assert {"_control/cube.json", OBJECTS["numbers that are all NaN"]} <= {
        it.key for it in found.damage
    }
    assert sc.verify(folder, repair=True, backend=FakeBackend()).damage == ()
    run(tiny(), folder, backend=FakeBackend())
    assert everything(folder) == everything(whole)
    assert sc.verify(folder, backend=FakeBackend()).complete


def test_a_chunk_in_the_place_of_another_is_found(folder: Path) -> None:
    place = folder / "cube.zarr/summary/return_mean"
    shutil.copy(place / "c.1.0.0.0.0", place / "c.0.0.0.0.0")
    (damage,) = sc.verify(folder).damage
    assert damage.what == "its numbers are not those of the receipt"
    assert damage.block == "000000"


def test_a_receipt_of_another_block_is_found_and_removed(folder: Path, whole: Path) -> None:
    place = folder / "_control/receipts"
    shutil.copy(place / "000001.json", place / "000007.json")
    (damage,) = sc.verify(folder).damage
    assert damage.what == "of another run or block"
    assert sc.verify(folder, repair=True, backend=FakeBackend()).damage == ()
    assert everything(folder) == everything(whole)


def test_an_object_that_cannot_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, bad = LocalObjects.get, OBJECTS["estimate"]

    def get(self: LocalObjects, key: str) -> bytes | None:
        if key == bad:
            raise OSError(5, "Input/output error")
        return real(self, key)

    monkeypatch.setattr(LocalObjects, "get", get)
    (damage,) = sc.verify(folder).damage
    assert str(damage) == f"{bad} (block 000001): cannot be read: Input/output error"


def test_a_block_that_is_missing_is_no_damage(folder: Path) -> None:
    (folder / "_control/COMPLETE").unlink()
    (folder / "_control/receipts/000001.json").unlink()
    found = sc.verify(folder, repair=True, backend=FakeBackend())
    assert found.damage == found.mended == ()
    assert not found.complete
    assert not (folder / "_control/COMPLETE").exists()


def test_a_run_that_is_being_written_is_not_damaged(tmp_path: Path) -> None:
    """Nor where all its receipts are there and COMPLETE is about to be."""
    seen: list[Any] = []

    class Looking(FakeBackend):
        def prepare(self, *arguments: Any, **options: Any) -> FakePrepared:
            seen.append(sc.verify(folder))
            return super().prepare(*arguments, **options)

    folder = tmp_path / "run"
    run(tiny(), folder, backend=Looking())
    assert [it.damage for it in seen] == [(), ()]
    assert not any(it.complete for it in seen)
    (folder / "_control/COMPLETE").unlink()
    with locked(folder, None):
        assert sc.verify(folder).damage == ()
    (damage,) = sc.verify(folder).damage
    assert damage.what == "missing, with all blocks there"


def test_nothing_but_a_run_is_verified(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"x: no such run folder"):
        sc.verify(tmp_path / "x")
    with pytest.raises(RunError, match=r"is not a run: it has no _control/plan\.json"):
        sc.verify(tmp_path)


class Moved(FakeBackend):
    """A backend whose real numbers are off by a factor, or have other noise altogether."""

    factor = 1.0
    shift = 0

    def prepare(self, *arguments: Any, **options: Any) -> FakePrepared:
        made = super().prepare(*arguments, **options)
        real, factor, shift = made.run, self.factor, self.shift

        def moved(first_path: int, n_paths: int, **options: Any) -> Made:
            found = real(first_path + shift, n_paths, **options)
            outcomes = found.per_policy.copy()
            whole = [Outcome._fields.index(it) for it in ("liquidation_step", "trades", "wins")]
            kept = outcomes[whole]
            outcomes = (outcomes * factor).astype("float32")
            outcomes[whole] = kept
            return Made(outcomes, found.market)

        made.run = moved  # type: ignore[method-assign]
        return made


def moved(factor: float = 1.0, shift: int = 0, device: str = "a made-up processor") -> Moved:
    backend = Moved(device=device)
    backend.factor, backend.shift = factor, shift
    return backend


def test_on_another_processor_rounding_is_told_from_other_numbers(folder: Path) -> None:
    other = "another processor"
    rounded = sc.verify(folder, recompute=1, backend=moved(1.0 + 3e-7, device=other))
    assert rounded.damage == ()
    (it,) = rounded.recomputed
    assert it.verdict == ROUNDED
    assert 0 < it.largest < 0.1
    assert "computed on a made-up processor, now on another processor" in str(it)
    same = sc.verify(folder, recompute=1, backend=moved(device=other)).recomputed[0]
    assert same.verdict == IDENTICAL
    for backend in (moved(shift=1000, device=other), moved(1.05, device=other)):
        different = sc.verify(folder, recompute=1, backend=backend)
        assert different.recomputed[0].verdict == DIFFERENT
        assert "other numbers when recomputed" in different.damage[0].what


def test_on_the_same_processor_every_bit_counts(folder: Path) -> None:
    found = sc.verify(folder, recompute=2, backend=moved(1.0 + 3e-7))
    assert [it.verdict for it in found.recomputed] == [DIFFERENT, DIFFERENT]
    assert {it.block for it in found.damage} == {"000000", "000001"}
    assert "nothing has changed since" in found.recomputed[0].why


def test_other_versions_compare_and_do_not_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(identity, "versions", lambda _: {"numpy": "1.0"})
        folder = run(tiny(), tmp_path / "run", backend=FakeBackend())
    found = sc.verify(folder, recompute=1, backend=FakeBackend())
    assert found.recomputed[0].verdict == IDENTICAL
    found = sc.verify(folder, recompute=1, backend=moved(1.0 + 3e-7))
    assert found.recomputed[0].verdict == ROUNDED
    assert f"versions.numpy is 1.0 there and {np.__version__} here" in found.recomputed[0].why
    flip(folder / OBJECTS["estimate"])
    before = everything(folder)
    with pytest.raises(RunError, match=r"cannot be mended here: versions\.numpy is 1\.0 there"):
        sc.verify(folder, repair=True, backend=FakeBackend())
    assert everything(folder) == before
    assert (folder / "_control/COMPLETE").exists()


def test_a_scenario_changed_in_python_must_be_given(tmp_path: Path) -> None:
    changed = tiny().model_copy(update={"sweep": {}})
    folder = run(changed, tmp_path / "run", backend=FakeBackend())
    flip(folder / "cube.zarr/summary/sharpe/c")
    (damage,) = sc.verify(folder).damage
    with pytest.raises(RunError, match=r"cannot be computed again here: .*sweep\..* scenario="):
        sc.verify(folder, repair=True, backend=FakeBackend())
    found = sc.verify(folder, repair=True, scenario=changed, backend=FakeBackend())
    assert found.mended == (damage,)
    assert found.damage == ()
