"""Runs in a bucket: the same bytes as in a folder, whatever the network and the server do."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from typer.testing import CliRunner

import stresscube as sc
from buckets import Fault, Proxy, contents
from fakes import FakeBackend, scenario
from stresscube import leases
from stresscube.cli.app import app
from stresscube.errors import NoAnswer, RunError, StoreError
from stresscube.leases import FOLDER, leased
from stresscube.runner import run
from stresscube.status import status_of
from stresscube.store.layout import ROOT
from stresscube.store.objects import objects_at
from stresscube.store.reader import IncompleteRun
from stresscube.verdict import verify

HERE = Path(__file__).parent
SMALL: Any = (300, True, "sweep.venue=['A']")
"""Two markets and 18 policies, with outcomes of single paths."""


def two_blocks(**options: Any) -> FakeBackend:
    return FakeBackend(block_policies=18, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in a folder."""
    return run(scenario(*SMALL), tmp_path_factory.mktemp("s3") / "run", backend=two_blocks())


def cube(folder: Path) -> dict[str, bytes]:
    root = folder / ROOT
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def summary(place: Path | str) -> xr.Dataset:
    return sc.open(place)["summary"].to_dataset().load()


def control(place: str) -> list[str]:
    """Return what is under `_control`; a folder that is empty, as some servers keep it, is not."""
    objects = objects_at(place)
    return [it for it in objects.names("_control") if it != "leases" or objects.names(FOLDER)]


def test_a_run_in_a_bucket_is_the_run_in_a_folder(bucket: str, whole: Path) -> None:
    place = f"{bucket}/runs/small"
    assert run(scenario(*SMALL), place, backend=two_blocks()) == place
    assert contents(place) == cube(whole)
    objects = objects_at(place)
    assert objects.names("") == ["_control", "cube.zarr"]
    assert control(place) == ["COMPLETE", "cube.json", "plan.json", "receipts"]
    tree = sc.open(place)
    assert tree.name == "small"
    xr.testing.assert_equal(tree["summary"].to_dataset().load(), summary(whole))
    part = tree["paths"].to_dataset()["fees"].isel(path=slice(3, 9))
    xr.testing.assert_equal(part.load(), sc.open(whole)["paths"]["fees"].isel(path=slice(3, 9)))
    backend = two_blocks()
    run(scenario(*SMALL), place, backend=backend)
    assert backend.prepared == []


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 3))])
def test_faults_of_the_network_change_no_byte(
    proxy: Proxy, bucket: str, whole: Path, seed: int
) -> None:
    rng = random.Random(seed)
    kinds: list[Fault] = ["500", "503", "reset", "lost", "half"]

    def script(method: str, path: str) -> Fault | None:
        if path.endswith(("plan.json", "COMPLETE", ".json?")) and rng.random() < 0.4:
            return rng.choice(["hang", "lost"])
        if rng.random() < 0.004:
            return "hang"
        return rng.choice(kinds) if rng.random() < 0.1 else None

    proxy.script = script
    place = f"{bucket}/small"
    run(scenario(*SMALL), place, backend=two_blocks())
    read = summary(place)
    proxy.script = lambda method, path: None
    assert proxy.faults > 20
    assert contents(place) == cube(whole)
    xr.testing.assert_equal(read, summary(whole))


@pytest.mark.parametrize("fault", ["lost", "hang", "500", "reset"])
def test_who_was_first_is_known_though_the_answer_is_not(
    proxy: Proxy, bucket: str, fault: Fault
) -> None:
    objects = objects_at(f"{bucket}/a")
    assert objects.names("") == []
    faults: list[Fault | None] = [fault, None]
    proxy.script = lambda method, path: faults.pop(0) if faults and method == "PUT" else None
    assert objects.put_new("lock", b"mine")
    faults[:] = [fault, None]
    assert not objects.put_new("lock", b"another's")
    assert objects.get("lock") == b"mine"


def refusal(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (refusal("InvalidAccessKeyId"), r"refuses these credentials \(Inval.*\): set AWS"),
        (refusal("SignatureDoesNotMatch"), "refuses these credentials"),
        (refusal("ExpiredToken"), "the credentials have expired: renew them"),
        (refusal("AccessDenied"), "access denied: these credentials must be allowed"),
        (refusal("RequestTimeTooSkewed"), "this machine's clock is wrong"),
        (refusal("PermanentRedirect"), "the bucket is in another region: set AWS_REGION"),
        (refusal("SomethingElse"), r"access denied: .* \(SomethingElse\)"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence(proxy: Proxy, bucket: str, fault: bytes, words: str) -> None:
    objects = objects_at(f"{bucket}/a")
    proxy.script = lambda method, path: fault
    for ask in (lambda: objects.get("a"), lambda: objects.put("a", b""), lambda: objects.names("")):
        with pytest.raises(StoreError, match=f"^{bucket}/a: (the store )?{words}") as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert not isinstance(caught.value, NoAnswer)


def test_a_missing_bucket_is_not_an_empty_one(bucket: str) -> None:
    objects = objects_at("s3://no-such-bucket-here/a")
    for ask in (lambda: objects.get("a"), lambda: objects.names("")):
        with pytest.raises(StoreError, match="there is no such bucket: create it"):
            ask()
    with pytest.raises(StoreError, match="no such bucket"):
        run(scenario(50), "s3://no-such-bucket-here/a", backend=two_blocks())
    with pytest.raises(StoreError, match="no such bucket"):
        sc.open("s3://no-such-bucket-here/a")


@pytest.mark.parametrize(
    "words",
    [
        ["run", "scenarios/quickstart.toml", "--paths", "50"],
        ["show"],
        ["plot"],
        ["status"],
        ["verify"],
        ["verify", "--repair"],
    ],
    ids=lambda words: words[0] + words[-1],
)
def test_commands_say_what_is_wrong_with_a_bucket(bucket: str, words: list[str]) -> None:
    place = ["s3://no-such-bucket-here/a"]
    scenario = str(HERE.parent / words[1]) if words[0] == "run" else ""
    asked = ["run", scenario, *words[2:], "-o", *place] if scenario else [*words, *place]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"stresscube: {place[0]}: there is no such bucket: create it, or name another\n"
    )


def test_a_bucket_that_vanishes_is_not_an_empty_one(proxy: Proxy, bucket: str) -> None:
    objects = objects_at(f"{bucket}/a")
    objects.put("a", b"")
    faults = refusal("NoSuchBucket")
    proxy.script = lambda method, path: faults
    with pytest.raises(StoreError, match="there is no such bucket"):
        objects.get("a")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", "it refuses connections"),
        ("http://no-such-host.invalid", "its name is not known"),
    ],
)
def test_a_wrong_address_is_told_soon(
    bucket: str, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setattr("stresscube.store.s3.FIRST", timedelta(seconds=1))
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(NoAnswer, match=f"no answer from {url}: {words}; finished blocks are kept"):
        objects_at(f"{bucket}/a").get("x")


def test_an_address_without_a_scheme_is_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    with pytest.raises(StoreError, match=r"AWS_ENDPOINT_URL=127.0.0.1:9000: must begin with http"):
        objects_at(f"{bucket}/a").get("x")


def test_no_credentials_are_said_to_be_missing(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stresscube.store.s3.FIRST", timedelta(seconds=1))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match="no credentials found: set AWS_ACCESS_KEY_ID"):
        objects_at(f"{bucket}/a").get("x")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert objects_at(f"{bucket}/a").get("x") is None


def test_a_server_that_stays_silent_ends_a_run_in_one_sentence(
    proxy: Proxy, bucket: str, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stresscube.store.s3.PATIENCE", timedelta(seconds=0.3))
    monkeypatch.setattr("stresscube.store.s3.FIRST", timedelta(seconds=0.3))
    place, receipts = f"{bucket}/small", 0

    def script(method: str, path: str) -> Fault | None:
        nonlocal receipts
        receipts += method == "PUT" and "/receipts/" in path
        return "500" if receipts >= 2 else None

    proxy.script = script
    with pytest.raises(NoAnswer, match=f"^{place}: no answer from {proxy.url}: it answers 500"):
        run(scenario(*SMALL), place, backend=two_blocks())
    proxy.script = lambda method, path: "reset"
    with pytest.raises(NoAnswer, match=f"no answer from {proxy.url}: .*again to go on$"):
        objects_at(place).get("x")
    proxy.script = lambda method, path: None
    with pytest.warns(IncompleteRun, match=f"^{place}: 1 of 2 blocks are missing"):
        part = summary(place)
    assert int(part["return_mean"].notnull().sum()) == 18
    again = two_blocks()
    run(scenario(*SMALL), place, backend=again)
    assert len(again.prepared) == 1
    assert contents(place) == cube(whole)


def test_reading_ends_in_one_sentence_too(
    proxy: Proxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{bucket}/small"
    run(scenario(*SMALL), place, backend=two_blocks())
    tree = sc.open(place)
    proxy.script = lambda method, path: refusal("ExpiredToken")
    with pytest.raises(StoreError, match="the credentials have expired"):
        tree["summary"]["sharpe"].load()


def test_damage_is_found_and_mended(bucket: str, whole: Path) -> None:
    place = f"{bucket}/small"
    run(scenario(*SMALL), place, backend=two_blocks())
    objects = objects_at(place)
    bit, hidden = f"{ROOT}/summary/sharpe/c.0.0.0.0.0", f"{ROOT}/paths/fees/c.1.0.0.0.0.0"
    broken = {
        bit: flipped(objects.get(bit) or b""),
        hidden: b"",  # by the receipt of its block, which is damaged too
        f"{ROOT}/summary/feasible/c.0.0.0.0.0": None,
        f"{ROOT}/summary/venue/zarr.json": b"{}",
        "_control/receipts/000001.json": b"garbled",
    }
    for key, data in broken.items():
        objects.put(key, data) if data is not None else objects.delete(key)
    with pytest.raises(RunError, match=r"is damaged .*: stresscube verify s3://.* --repair"):
        sc.open(place)["summary"]["sharpe"].load()
    again = two_blocks()
    found = verify(place, backend=again, repair=True)
    assert {it.key for it in found.mended} >= set(broken) - {hidden}
    assert not found.damage
    assert found.complete
    assert len(again.prepared) == 2
    assert contents(place) == cube(whole)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def test_shards_share_a_bucket(bucket: str, whole: Path) -> None:
    place, caught = f"{bucket}/small", list[str]()
    backend = two_blocks()

    def meanwhile(first_path: int) -> None:
        if caught:
            return
        for shard in (None, "1/2"):
            with pytest.raises(RunError) as it:
                run(scenario(*SMALL), place, backend=backend, shard=shard)
            caught.append(str(it.value))
        run(scenario(*SMALL), place, backend=backend, shard="2/2")
        caught.append(", ".join(status_of(place).writers))

    run(scenario(*SMALL), place, backend=two_blocks(before=meanwhile), shard="1/2")
    who = rf"shard 1/2 \(process {os.getpid()} on .*, seen \d+ s ago\)"
    assert re.match(f"{place} is being written by {who}: wait", caught[0])
    assert re.match(f"{place} is being written by {who}: wait", caught[1])
    assert re.fullmatch(who, caught[2])
    assert contents(place) == cube(whole)
    found = status_of(place)
    assert found.complete
    assert found.writers == ()


DYING = """
import os, signal, sys, time
from fakes import *
from stresscube.runner import run
from stresscube.status import status_of
from stresscube.store import s3

left = int(sys.argv[2])
real = s3.S3Objects.put

def put(self, key, data):
    global left
    left -= 1
    if left == 0:
        print("now", flush=True)
        time.sleep(60)
    real(self, key, data)

s3.S3Objects.put = put
run(scenario(300, True, "sweep.venue=['A']"), sys.argv[1], backend=FakeBackend(block_policies=18))
"""


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(bucket: str, whole: Path) -> None:
    """Killed while metadata, blocks and receipts are written, by machines that vanish."""
    place = f"{bucket}/small"
    rng = random.Random(7)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    kills = 0
    for _ in range(3):
        command = [sys.executable, "-c", DYING, place, str(rng.randrange(1, 250))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdout is not None
            if process.stdout.readline():
                process.send_signal(signal.SIGKILL)
                kills += 1
    assert kills == 3
    run(scenario(*SMALL), place, backend=two_blocks())
    assert contents(place) == cube(whole)
    assert control(place) == ["COMPLETE", "cube.json", "plan.json", "receipts"]


def test_one_run_at_a_time(bucket: str) -> None:
    caught: list[str] = []
    place = f"{bucket}/small"

    def second(first_path: int) -> None:
        if not caught:
            with pytest.raises(RunError) as it:
                run(scenario(*SMALL), place, backend=two_blocks())
            caught.append(str(it.value))

    run(scenario(*SMALL), place, backend=two_blocks(before=second))
    assert len(caught) == 1
    assert caught[0].startswith(f"{place} is being written by another run (process {os.getpid()} ")


def test_a_lease_is_taken_over_from_the_dead_only(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = objects_at(f"{bucket}/a")
    with leased(objects, None):
        assert objects.names(FOLDER) == ["whole.0"]
        note = objects.get(f"{FOLDER}/whole.0") or b""
    assert objects.names(FOLDER) == []
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    pid = b'"process": %d' % os.getpid()
    elsewhere = note.replace(b'"host": "', b'"host": "not-')
    for dead in (note, note.replace(pid, b'"process": %d' % gone.pid), b"garbled", b"{}"):
        objects.put(f"{FOLDER}/whole.0", dead)
        with leased(objects, None):
            assert objects.names(FOLDER) == ["whole.1"]
    objects.put(f"{FOLDER}/whole.4", elsewhere)
    with (
        pytest.raises(RunError, match="being written by another run"),
        leased(objects, None),
    ):
        raise AssertionError
    monkeypatch.setattr(leases, "LASTS", 0.0)
    with leased(objects, None):
        assert objects.names(FOLDER) == ["whole.5"]


def test_a_lease_is_renewed_while_it_is_held(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWED", 0.05)
    objects = objects_at(f"{bucket}/a")
    with leased(objects, None):
        first = objects.get(f"{FOLDER}/whole.0")
        for _ in range(200):
            if objects.get(f"{FOLDER}/whole.0") != first:
                break
            time.sleep(0.05)
        assert objects.get(f"{FOLDER}/whole.0") not in (first, None)
        for _ in range(20):  # an heir took it for dead; a renewal under way may bring it back
            objects.delete(f"{FOLDER}/whole.0")
            time.sleep(0.3)
            if not objects.names(FOLDER):
                break
        assert objects.names(FOLDER) == []


def test_only_one_heir_takes_over(bucket: str) -> None:
    objects = objects_at(f"{bucket}/a")
    objects.put(f"{FOLDER}/whole.3", b"a dead run's")
    real, between = objects.put_new, []

    def slow(key: str, data: bytes) -> bool:
        if not between:
            between.append(objects_at(f"{bucket}/a"))
            stack.enter_context(leased(between[0], None))
        return real(key, data)

    with ExitStack() as stack:
        objects.put_new = slow  # type: ignore[method-assign]
        with pytest.raises(RunError, match="another run"), leased(objects, None):
            raise AssertionError
        assert objects.names(FOLDER) == ["whole.4"]
