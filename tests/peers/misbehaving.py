"""Peers that misbehave on purpose: real servers on real sockets, each with one vice."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.samples import patient_json

Vice = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FakePeer:
    """`questions` are the requests received, head and body, in order."""

    url: str = ""
    questions: list[bytes] = field(default_factory=list)


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def result(score: Any = 0.5, **changes: Any) -> dict[str, Any]:
    return {"score": {"patient": score}, "patient": patient_json("theirs", **changes)}


def answer(*results: Any, **more: Any) -> bytes:
    return http("200 OK", json.dumps({"results": list(results), **more}).encode())


def says(content: bytes) -> Vice:
    """Send `content` and close."""

    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return speak


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Take the question and never answer."""
    await asyncio.sleep(60)


async def drips(writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Take the question and close."""


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """Answer with more than anybody wants to read."""
    writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"results": [')
    for _ in range(100_000):
        writer.write(b" " * 65_536)
        await writer.drain()


@contextlib.asynccontextmanager
async def fake_peer(vice: Vice) -> AsyncIterator[FakePeer]:
    """Run a peer with one vice."""
    peer = FakePeer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), 0)  # fmt: skip
            peer.questions.append(head + await reader.readexactly(length))
            await vice(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def fake_peers(vices: dict[str, Vice]) -> AsyncIterator[dict[str, FakePeer]]:
    """Serve several, by name."""
    async with contextlib.AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(fake_peer(vice)) for name, vice in vices.items()}
