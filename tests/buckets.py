"""An S3 server on this machine, and a proxy before it that makes the faults of a network."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from stresscube.store.layout import ROOT
from stresscube.store.s3 import S3Objects

Fault = Literal["500", "503", "reset", "hang", "lost", "half"] | bytes
"""What becomes of a request. lost: it is done, and the server answers 500. hang: it is done, and
no answer comes. half: the answer breaks off. Bytes: XML that the server answers 403 with."""
Script = Callable[[str, str], Fault | None]
"""Called with method and path of each request; returns its fault, if any."""
HANG = 1.5
"""Seconds; requests are given up after a second (`environment`)."""
SKIPPED = ("transfer-encoding", "connection", "content-length")


class Proxy:
    """Passes requests on to a server. asked: (method, path) of all so far."""

    def __init__(self, server: str) -> None:
        self.script: Script = lambda method, path: None
        self.asked: list[tuple[str, str]] = []
        self.faults = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, server))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def _handler(proxy: Proxy, server: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.asked.append((self.command, self.path))
            fault = proxy.script(self.command, self.path)
            proxy.faults += fault is not None
            with suppress(OSError):  # the client has given up
                self.answer(fault, body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def answer(self, fault: Fault | None, body: bytes) -> None:
            if isinstance(fault, bytes):
                return self.reply(403, [], fault)
            if fault in ("500", "503"):
                return self.reply(int(fault), [], b"")
            if fault == "reset":
                return self.cut()
            status, headers, data = self.passed_on(body)
            if fault == "lost":
                return self.reply(500, [], b"")
            if fault == "hang":
                time.sleep(HANG)
                return self.cut()
            self.reply(status, headers, data, len(data) // 2 if fault == "half" else None)
            return None

        def passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            onward = http.client.HTTPConnection(server.removeprefix("http://"), timeout=60)
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                onward.putheader(name, value)
            onward.endheaders(body or None)
            answer = onward.getresponse()
            data = answer.read()
            onward.close()
            return answer.status, answer.getheaders(), data

        def reply(
            self,
            status: int,
            headers: Sequence[tuple[str, str]],
            data: bytes,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in SKIPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:cut])
            if cut is not None:
                self.cut()

        def cut(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


@contextmanager
def moto() -> Generator[str]:
    """Run moto's S3 server; give its URL."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    with _served(lambda port: [*command, "-p", str(port)]) as url:
        yield url


@contextmanager
def seaweedfs() -> Generator[str]:
    """Run SeaweedFS in a folder of its own; give its URL."""

    def command(port: int) -> list[str]:
        weed = str(Path(sys.executable).parent / "weed")  # its package puts it beside Python
        words = [weed, f"-logdir={folder}", "server", "-ip=127.0.0.1", f"-dir={folder}", "-s3"]
        words += ["-volume.max=1000", "-master.volumeSizeLimitMB=64", f"-s3.port={port}"]
        words += [f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        for part in ("master", "volume", "filer"):
            words += [f"-{part}.port={free_port()}", f"-{part}.port.grpc={free_port()}"]
        return words

    with tempfile.TemporaryDirectory() as folder, _served(command) as url:
        yield url


SERVERS = {"moto": moto, "seaweedfs": seaweedfs}


@contextmanager
def _served(command: Callable[[int], Sequence[str]]) -> Generator[str]:
    """Run a server and give its URL. command: of its port.

    A port that was free may be taken before the server has it: then others are tried. Raises
    RuntimeError with its last words for a server that ends by itself.
    """
    words = b""
    for _ in range(5):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(command(port), stdout=said, stderr=subprocess.STDOUT) as process,
        ):
            try:
                answers = _answers(url, process)
                if answers:
                    yield url
            finally:
                ended = process.poll()
                process.kill()
            if answers and ended is None:
                return
            said.seek(0)
            words = said.read()[-2000:]
            if answers:
                break
    raise RuntimeError(f"the server ended, or did not answer: {words.decode(errors='replace')}")


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a server, as long as it is there, for a minute at most."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(Exception):
            make_bucket(url)
            return True
        time.sleep(0.1)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as it:
        return int(it.getsockname()[1])


def settle(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the environment lead to a server, and requests be given up soon."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_REGION": "us-east-1",
    "AWS_TIMEOUT": "1s",
    # Where a machine of the cloud would be asked for credentials, nobody answers.
    "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9",
}


def make_bucket(url: str) -> str:
    """Make a bucket of a new name and return the name."""
    import boto3
    from botocore.config import Config

    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client: Any = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="somebody", aws_secret_access_key="something",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    client.create_bucket(Bucket=name)
    return name


def contents(place: str) -> dict[str, bytes]:
    """Return every object of a run's cube in a bucket."""
    import obstore

    objects = S3Objects(place.removeprefix("s3://"))
    found = obstore.list(objects._store, ROOT).collect()
    keys = [str(it["path"]) for it in found]
    datas = objects.get_all(keys)
    return {
        key.removeprefix(f"{ROOT}/"): data or b"" for key, data in zip(keys, datas, strict=True)
    }
