"""The cube on disk: what is written is what is read, by us and by Zarr alone."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore

import stresscube as sc
from fakes import FakeBackend, scenario
from stresscube import receipts
from stresscube.plan import make_plan
from stresscube.receipts import Receipt
from stresscube.seal import sealed, unsealed
from stresscube.store.encoding import PAGE, codecs, compressed, decode, encode
from stresscube.store.layout import PATH_OUTCOMES, ROOT, cube_bytes, groups
from stresscube.store.local import LocalObjects
from stresscube.store.metadata import metadata
from stresscube.store.reader import IncompleteRun
from stresscube.store.writer import CubeWriter
from stresscube.where import parse_where, select


def group(tree: xr.DataTree, name: str) -> xr.Dataset:
    """Return one group of a cube."""
    return tree.children[name].to_dataset()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cube") / "small.run"
    return sc.run(scenario(2500, True), folder, backend=FakeBackend(block_policies=7))


@pytest.mark.parametrize("deep", [5, PAGE // 16])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_an_encoded_chunk_is_what_zarr_writes(tmp_path: Path, dtype: str, deep: int) -> None:
    chunk = (2, 4, deep)
    values = np.random.default_rng(1).integers(0, 2, (5, 4, deep + 2)).astype(dtype)
    fill = True if dtype == "bool" else np.nan
    array = zarr.create_array(
        LocalStore(tmp_path),
        shape=values.shape, chunks=chunk, dtype=dtype, compressors=codecs(chunk, dtype),
        fill_value=fill,
        config={"write_empty_chunks": True},
    )  # fmt: skip
    array[:] = values
    for i, k in [(0, 0), (0, 1), (2, 0), (2, 1)]:
        part = values[2 * i : 2 * i + 2, :, deep * k : deep * k + deep]
        stored = (tmp_path / "c" / str(i) / "0" / str(k)).read_bytes()
        assert encode(part, chunk, fill) == stored
        back = decode(stored, chunk, dtype, unpack=compressed(chunk, dtype))
        np.testing.assert_array_equal(back[: part.shape[0], :, : part.shape[2]], part)


def test_small_chunks_alone_are_not_compressed() -> None:
    assert not compressed((2, 4, 64), "float64")
    assert compressed((2, 4, 65), "float64")


def test_the_metadata_are_what_zarr_says_of_the_same_arrays() -> None:
    plan = make_plan(scenario(2500, True), FakeBackend(block_policies=7))
    made = {key.removeprefix(f"{ROOT}/"): data for key, data in metadata(plan).items()}
    before = {key: json.loads(data) for key, data in made.items() if key.endswith("zarr.json")}
    assert list(made)[-1] == "zarr.json"
    held = {key: default_buffer_prototype().buffer.from_bytes(it) for key, it in made.items()}
    store = MemoryStore(store_dict=held)
    for name, variables in groups(plan).items():
        for it in variables:
            zarr.create_array(
                store, name=f"{name}/{it.name}", shape=it.shape, dtype=it.dtype,
                chunks=it.chunks, compressors=codecs(it.chunks, it.dtype), fill_value=it.fill,
                chunk_key_encoding={"name": "default", "separator": "."},
                dimension_names=it.dims, attributes={"units": it.units, "long_name": it.long_name},
                overwrite=True,
            )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that consolidation is an extension of the format
        zarr.consolidate_metadata(store)
    after = {key: json.loads(it.to_bytes()) for key, it in held.items() if key in before}
    assert after.keys() == before.keys()
    assert [key for key in before if after[key] != before[key]] == []


def test_a_run_reads_back_without_a_warning(finished: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = sc.open(finished)
        summary = group(tree, "summary").load()
    plan = make_plan(scenario(2500, True), FakeBackend(block_policies=7))
    assert list(tree.children) == ["summary", "paths"]
    assert summary["return_mean"].dims == plan.dims
    assert summary["return_mean_batch"].dims == (*plan.dims, "batch")
    assert summary["venue"].values.tolist() == ["A", "B"]
    assert summary["rebalance_threshold"].values.tolist() == [0.01, np.inf]
    assert summary["calm_correlation"].attrs["key"] == "market.regimes.calm.correlation"
    for name, variable in summary.variables.items():
        assert {"units", "long_name"} <= set(variable.attrs), name
    assert next(iter(summary.data_vars)) == "feasible"


def test_numbers_are_those_of_the_outcomes(finished: Path) -> None:
    tree = sc.open(finished)
    summary, paths = group(tree, "summary"), group(tree, "paths")
    mean = paths["final_equity"].astype("float64").mean("path") - 1.0
    xr.testing.assert_allclose(mean.drop_attrs(), summary["return_mean"].drop_attrs(), rtol=1e-12)
    gone = (paths["liquidation_time"] > 0).sum("path").where(summary["feasible"])
    xr.testing.assert_equal(gone.drop_attrs(), summary["liquidations"].drop_attrs())
    assert float(paths["liquidation_time"].max()) <= 2 / 24 + 1e-6
    assert paths["liquidation_time"].attrs["units"] == "d"


def test_infeasible_cells_are_marked_and_nan(finished: Path) -> None:
    summary = group(sc.open(finished), "summary").load()
    assert summary["feasible"].dtype == bool
    dead = ~summary["feasible"]
    assert dead.sum() == 2 * 3 * 2
    assert dead.sel(venue="B", leverage=50).all()
    for name, values in summary.data_vars.items():
        if values.dtype == bool or name == "leverage_effective":
            continue
        further = [dim for dim in values.dims if dim not in dead.dims]
        empty = values.isnull().all(further)
        assert empty.where(dead, True).all(), name
    assert not summary["return_mean"].isnull().where(summary["feasible"], False).any()
    assert (
        summary["leverage_effective"].sel(venue="A", leverage=50).values.ravel().tolist()
        == [20] * 12
    )


def test_numbers_beside_words_become_text(tmp_path: Path) -> None:
    change = 'sweep={ hedge_ratio = [0.85, 1, "min-variance"], rebalance_threshold = [0.01, inf] }'
    sc.run(scenario(50, False, change), tmp_path / "x", backend=FakeBackend())
    summary = group(sc.open(tmp_path / "x"), "summary")
    assert summary["hedge_ratio"].values.tolist() == ["0.85", "1", "min-variance"]
    assert summary["rebalance_threshold"].values.tolist() == [0.01, np.inf]
    assert summary["return_mean"].sel(hedge_ratio="min-variance").notnull().all()
    for text, label in (("0.850", "0.85"), ("1.0", "1"), ("min-variance", "min-variance")):
        chosen = select(summary, parse_where([f"hedge_ratio={text}"]))
        assert chosen["hedge_ratio"].values.tolist() == [label]


def test_provenance_travels_with_the_cube(finished: Path) -> None:
    attrs = sc.open(finished)["summary"].attrs
    assert 'name = "small"' in attrs["scenario"]
    assert attrs["seed"] == "5"
    assert attrs["convention"] == "stresscube 1"
    assert attrs["devices"] == ["a made-up processor"]
    assert attrs["policy_steps"] == 60 * 2500 * 120
    assert attrs["versions"]["numpy"] == np.__version__
    assert attrs["seconds"] > 0


def test_every_expected_chunk_is_there_even_where_all_are_nan(finished: Path) -> None:
    plan = make_plan(scenario(2500, True), FakeBackend(block_policies=7))
    for group, variables in groups(plan).items():
        for variable in variables:
            place = finished / ROOT / group / variable.name
            found = [path for path in place.iterdir() if path.name.startswith("c.")]
            chunks = np.prod(
                [-(-s // c) for s, c in zip(variable.shape, variable.chunks, strict=True)]
            )
            assert len(found) == chunks, variable.name
    assert cube_bytes(plan) > plan.cells * len(PATH_OUTCOMES) * 2500 * 4


def test_zarr_alone_finds_a_flipped_bit(finished: Path, tmp_path: Path) -> None:
    chunk = finished / ROOT / "summary/sharpe/c.0.0.0.0.0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    original = chunk.read_bytes()
    chunk.write_bytes(data)
    try:
        with pytest.raises(ValueError, match="checksum"):
            np.asarray(zarr.open_array(finished / ROOT / "summary/sharpe", mode="r"))
    finally:
        chunk.write_bytes(original)


def test_receipts_hash_the_decoded_numbers(finished: Path) -> None:
    plan = make_plan(scenario(2500, True), FakeBackend(block_policies=7))
    known = receipts.read_all(LocalObjects(finished), plan.hash)
    assert sorted(known) == [block.name for block in plan.blocks]

    def array(name: str) -> Any:
        return zarr.open_array(finished / ROOT / name, mode="r")

    block = plan.blocks[3]
    receipt = known[block.name]
    assert set(receipt.arrays) == {
        f"{group}/{it.name}" for group, its in groups(plan).items() for it in its
    }
    values = np.asarray(array("summary/return_mean_batch")[block.region])
    assert (
        receipt.arrays["summary/return_mean_batch"] == hashlib.sha256(values.tobytes()).hexdigest()
    )
    paths = np.asarray(array("paths/final_equity")[block.region])
    pieces = [paths[..., i : i + plan.chunk_paths] for i in range(0, 2500, plan.chunk_paths)]
    total = hashlib.sha256(b"".join(np.ascontiguousarray(it).tobytes() for it in pieces))
    assert receipt.arrays["paths/final_equity"] == total.hexdigest()


def test_a_scenario_without_a_sweep_is_one_cell(tmp_path: Path) -> None:
    bare = scenario(100, True).model_copy(update={"sweep": {}})
    tree = sc.open(sc.run(bare, tmp_path / "run", backend=FakeBackend()))
    summary, paths = group(tree, "summary"), group(tree, "paths")
    assert summary["return_mean"].dims == ()
    assert float(summary["return_mean"]) == pytest.approx(
        float(paths["final_equity"].astype("float64").mean()) - 1.0, abs=1e-12
    )
    (tmp_path / "run/_control/COMPLETE").unlink()
    (tmp_path / "run/_control/receipts/000000.json").unlink()
    with pytest.warns(IncompleteRun, match="1 of 1 blocks"):
        assert np.isnan(float(group(sc.open(tmp_path / "run"), "summary")["return_mean"]))


def test_missing_and_half_written_blocks_are_masked(tmp_path: Path) -> None:
    folder = sc.run(scenario(500, True), tmp_path / "run", backend=FakeBackend(block_policies=7))
    whole = group(sc.open(folder), "summary").load()
    (folder / "_control/COMPLETE").unlink()
    (folder / "_control/receipts/000002.json").unlink()
    (folder / "_control/receipts/000005.json").write_text("{garbled")
    with pytest.warns(IncompleteRun, match="2 of 12 blocks are missing"):
        tree = sc.open(folder)
    summary = group(tree, "summary").load()
    plan = make_plan(scenario(500, True), FakeBackend(block_policies=7))
    for block in plan.blocks:
        there, here = whole.isel(_named(plan, block)), summary.isel(_named(plan, block))
        if block.index in (2, 5):
            assert here["return_mean"].isnull().all()
            assert group(tree, "paths")["fees"][block.region].isnull().all()
        else:
            xr.testing.assert_equal(there, here)


def _named(plan: Any, block: Any) -> dict[str, slice]:
    return dict(zip(plan.dims, block.region, strict=True))


def test_the_store_of_finished_blocks_is_read_only(tmp_path: Path) -> None:
    from stresscube.store.finished import FinishedBlocks

    (tmp_path / "a").mkdir()
    (tmp_path / "a/c.0").write_bytes(b"x")
    (tmp_path / "a/c.1").write_bytes(b"y")
    inner = LocalStore(tmp_path)
    store = FinishedBlocks(inner, frozenset({"a"}), (2,), frozenset({1}), tmp_path)

    async def visible() -> list[str]:
        return sorted([key async for key in store.list()])

    assert asyncio.run(visible()) == ["a/c.1"]
    assert not asyncio.run(store.exists("a/c.0"))
    with pytest.raises(PermissionError):
        asyncio.run(store.delete("a/c.1"))
    with pytest.raises(ValueError, match="not to be written"):
        store.with_read_only(False)


def test_the_writer_asserts_extent_and_type(tmp_path: Path) -> None:
    plan = make_plan(scenario(500, True), FakeBackend(block_policies=7))
    cube = CubeWriter(LocalObjects(tmp_path), plan)
    block = plan.blocks[0]
    writer = cube.block(block)
    with pytest.raises(ValueError, match=r"missing or unknown: .*sharpe"):
        writer.summary({})
    with pytest.raises(ValueError, match=r"expected float32 \(6, 500\), got float64 \(6, 500\)"):
        writer.paths("fees", 0, np.zeros((6, 500)))
    with pytest.raises(ValueError, match=r"got float32 \(6, 400\)"):
        writer.paths("fees", 0, np.zeros((6, 400), dtype=np.float32))
    with pytest.raises(ValueError, match="in order"):
        writer.paths("fees", 1024, np.zeros((6, 500), dtype=np.float32))


def test_a_garbled_or_foreign_receipt_does_not_count(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    receipt = Receipt("000001", "plan", {"a": "b"}, "cpu", {}, 1.0, 10, "now")
    receipts.write(objects, receipt)
    assert receipts.read_all(objects, "plan") == {"000001": receipt}
    assert receipts.read_all(objects, "other") == {}
    objects.put(
        "_control/receipts/000002.json", objects.get("_control/receipts/000001.json") or b""
    )
    objects.put("_control/receipts/000003.json", b"")
    objects.put("_control/receipts/000004.json", b"[1]")
    objects.put("_control/receipts/000005.json", sealed({"block": "000005"}))
    receipts.write(objects, replace(receipt, block="notes"))
    assert list(receipts.read_all(objects, "plan")) == ["000001"]


def test_no_bit_of_a_sealed_document_flips_unseen() -> None:
    content = {"plan": "a" * 4, "seconds": 1e-05, "devices": ["x é"], "blocks": 3}
    data = sealed(content)
    assert unsealed(data) == content
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        assert unsealed(bytes(flipped)) is None, at
    for size in range(len(data)):
        assert unsealed(data[:size]) is None
    assert unsealed(None) is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_an_object_is_new_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def none(*_: Any) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr("stresscube.store.local.os.link", none)
    objects = LocalObjects(tmp_path)
    assert objects.put_new("a", b"first")
    assert not objects.put_new("a", b"second")
    assert objects.get("a") == b"first"
    assert objects.names(".") == ["a"]


def test_an_object_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = LocalObjects(tmp_path)
    objects.put("a/b", b"old")
    assert not objects.put_new("a/b", b"new")
    assert objects.put_new("a/c", b"new")

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stresscube.store.local.os.write", full)
    with pytest.raises(OSError, match="No space"):
        objects.put("a/b", b"new")
    assert objects.get("a/b") == b"old"
    assert objects.names("a") == ["b", "c"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b", "c"]
