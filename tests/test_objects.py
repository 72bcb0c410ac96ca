"""What a run asks of the place it lies in: the same of a folder and of a bucket."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from stresscube.errors import StoreError, StresscubeError
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Objects, objects_at
from stresscube.store.s3 import AT_ONCE, LARGE, S3Objects


class Promises:
    """What holds of an empty place that does not exist yet."""

    def test_what_was_put_is_there(self, objects: Objects) -> None:
        assert objects.get("a/b.json") is None
        assert objects.names("") == []
        assert objects.names("a") == []
        objects.put("a/b.json", b"one")
        objects.put("a/b.json", b"two")
        objects.put("a/c", b"")
        objects.put("d", b"\0" * 10)
        assert objects.get("a/b.json") == b"two"
        assert objects.get_all(["d", "a/none", "a/c"]) == [b"\0" * 10, None, b""]
        assert objects.names("") == ["a", "d"]
        assert objects.names("a") == ["b.json", "c"]

    def test_what_was_deleted_is_gone(self, objects: Objects) -> None:
        objects.put("a/b", b"one")
        objects.delete("a/b")
        objects.delete("a/b")
        objects.delete("never/there")
        assert objects.get("a/b") is None
        assert objects.names("a") == []

    def test_the_first_of_many_writers_has_it(self, objects: Objects) -> None:
        begin = threading.Barrier(8)
        won: list[bytes] = []

        def write(data: bytes) -> None:
            begin.wait()
            if objects.put_new("_control/plan.json", data):
                won.append(data)

        threads = [threading.Thread(target=write, args=(b"%d" % n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [objects.get("_control/plan.json")] == won

    def test_many_writes_are_stored_once_waited_for(self, objects: Objects) -> None:
        writes = objects.writes()
        small = {f"small/{n:03d}": b"%d" % n for n in range(3 * AT_ONCE)}
        large = {f"large/{n}": bytes([n]) * (LARGE // 4) for n in range(6)}
        for key, data in (small | large).items():
            writes.put(key, data)
        writes.wait()
        writes.wait()
        keys = [*small, *large]
        assert objects.get_all(keys) == [*small.values(), *large.values()]
        assert objects.names("small") == [key.removeprefix("small/") for key in small]


class TestFolder(Promises):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return objects_at(tmp_path / "a run")


class TestBucket(Promises):
    @pytest.fixture
    def objects(self, bucket: str) -> Objects:
        return objects_at(f"{bucket}/some/a run")


def test_a_place_is_a_folder_or_a_bucket() -> None:
    assert isinstance(objects_at("runs/a"), LocalObjects)
    assert isinstance(objects_at(Path("runs/s3/a")), LocalObjects)
    for text in ("s3://bucket/runs/a", "s3://bucket/runs/a/", Path("s3://bucket/runs/a")):
        objects = objects_at(text)
        assert isinstance(objects, S3Objects)
        assert objects.place == "s3://bucket/runs/a"
    assert objects_at("s3://bucket").place == "s3://bucket"
    with pytest.raises(StresscubeError, match=r"gs://b/a: a run lies in a folder or under s3://"):
        objects_at("gs://b/a")
    with pytest.raises(StoreError, match="name a bucket"):
        objects_at("s3:///a")


def test_a_bucket_needs_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stresscube.store.s3")
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"^s3://a/b: needs obstore: pip install 'stresscube\[s3"):
        objects_at("s3://a/b")
