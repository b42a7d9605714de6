"""An HTTP server on 127.0.0.1 that answers as a test wants, and misbehaves where the test asks for it."""

import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest


@dataclass(frozen=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """`cut`: bytes of the body behind which nothing comes; the connection ends then or, with `stall`, stays open."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False


HTML = Reply(b"<html>are you human?</html>", headers={"Content-Type": "text/html; charset=utf-8"})


@dataclass
class Loopback:
    """`faults` are sent one by one before `answer` is asked; `requests` is everything that came."""

    url: str
    requests: list[Request]
    faults: deque[Reply]
    stalled: threading.Event

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@contextmanager
def serve(answer: Callable[[Request], Reply]) -> Iterator[Loopback]:
    """Run a server for the time of a `with` block."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            request = Request(
                unquote(address.path),
                dict(parse_qsl(address.query)),
                {name.title(): value for name, value in self.headers.items()},
            )
            loopback.requests.append(request)
            self.send(loopback.faults.popleft() if loopback.faults else answer(request))

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/octet-stream", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True
                if reply.stall:
                    loopback.stalled.set()
                    over.wait()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that was killed
    server.daemon_threads, server.block_on_close = True, False
    loopback = Loopback(f"http://127.0.0.1:{server.server_port}", [], deque(), threading.Event())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def file_reply(request: Request, body: bytes, etag: str = '"1"') -> Reply:
    """Answer as a server of files does: ranges, on the condition that the file is still the same (RFC 9110)."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if match is None or request.headers.get("If-Range", etag) != etag:
        return Reply(body, headers=headers)
    first, last = match.groups()
    start = int(first) if first else len(body) - int(last)
    end = min(int(last), len(body) - 1) if first and last else len(body) - 1
    if start >= len(body):
        return Reply(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
    content_range = {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return Reply(body[start : end + 1], 206, headers | content_range)


def unused_address() -> str:
    """An address on this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def sleeps_instead(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pauses between attempts take no time, and return the list to which their seconds will be added."""
    sleeps: list[float] = []
    monkeypatch.setattr("stages.fetch.retries.time.sleep", sleeps.append)
    return sleeps
