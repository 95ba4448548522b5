"""`matchmaker heartbeat` against a node, and against what is none: servers on real sockets."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from matchmaker import __version__
from matchmaker.cli import app, heartbeat
from matchmaker.exchange.config import ConfigInvalid
from matchmaker.mme.media import media_type
from matchmaker.peers.client import TokenUnreadable
from matchmaker.records.party import Role
from tests.conftest import RunningNode, StartNode
from tests.federation.test_processes import command, free_port

MEDIA = media_type("1.0")
REFUSAL = b'{"message": "no"}'


async def beat(*arguments: object, **environment: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["heartbeat", *map(str, arguments)], env=environment)


def answer(status: str, body: bytes, media: str = MEDIA, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@contextlib.asynccontextmanager
async def saying(*parts: bytes, pause: float = 0.0, wait: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that sends `parts` with a pause after each, whatever is asked; then it closes, or waits."""
    heard: list[bytes] = []

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if wait:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(answer_all, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()


def not_alive(result: Result) -> str:
    """What it says is wrong: one line on standard error, in plain characters."""
    assert (result.exit_code, result.stdout) == (1, "")
    line, end, rest = result.stderr.partition("\n")
    assert (end, rest) == ("\n", "")
    assert line.startswith("not alive: http")
    assert line.isprintable()
    return line


async def test_a_node_that_refuses_a_question_without_token_is_alive(node: RunningNode) -> None:
    for url in (node.url, node.url + "/"):
        result = await beat("--url", url)
        assert (result.exit_code, result.stdout) == (0, f"alive: {url}: it answers, and wants a token\n")


async def test_with_a_token_the_heartbeat_itself_is_wanted(node: RunningNode, tmp_path: Path) -> None:
    token = await node.add_client("watcher")
    file = tmp_path / "token"
    file.write_text(token["X-Auth-Token"] + "\n", encoding="utf-8")
    result = await beat("--url", node.url, "--token-file", file)
    assert result.stdout == f"alive: {node.url}: version {__version__}, not production\n"
    file.write_text("another", encoding="utf-8")
    assert f"the token is refused (401 {MEDIA})" in not_alive(await beat("--url", node.url, "--token-file", file))


async def test_a_depositors_token_is_refused_as_at_the_exchange(node: RunningNode, tmp_path: Path) -> None:
    token = await node.add_client("dublin", Role.DEPOSITOR)
    (tmp_path / "token").write_text(token["X-Auth-Token"], encoding="utf-8")
    refused = await beat("--url", node.url, "--token-file", tmp_path / "token")
    assert "the token is refused" in not_alive(refused)


async def test_the_longest_disclaimer_and_terms_are_no_matter(start_node: StartNode, tmp_path: Path) -> None:
    longest = "\N{MICROSCOPE}" * 100_000
    async with start_node(node__disclaimer=longest, node__terms=longest) as node:
        token = await node.add_client("watcher")
        (tmp_path / "token").write_text(token["X-Auth-Token"], encoding="utf-8")
        assert (await beat("--url", node.url, "--token-file", tmp_path / "token")).exit_code == 0


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])  # noqa: S104 - not listened on
async def test_where_to_ask_is_what_is_configured(node: RunningNode, tmp_path: Path, host: str, asked: str) -> None:
    port = node.url.rpartition(":")[2]
    file = tmp_path / "node.toml"
    file.write_text(f'[server]\nhost = "{host}"\nport = 1\n', encoding="utf-8")
    result = await beat("--config", file, "--data-dir", tmp_path / "none", MATCHMAKER_SERVER__PORT=port)
    assert result.stdout.startswith(f"alive: http://{asked}:{port}: ")
    assert not (tmp_path / "none").exists(), "nothing is opened or made"


async def test_every_interface_of_ipv6_is_asked_on_its_loopback() -> None:
    port = str(free_port())
    result = await beat(MATCHMAKER_SERVER__HOST="::", MATCHMAKER_SERVER__PORT=port)
    assert f"not alive: http://[::1]:{port}: " in not_alive(result)


async def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert not_alive(await beat("--url", url)) == f"not alive: {url}: nobody listens there"


async def test_a_name_that_is_none() -> None:
    assert "cannot be reached (" in not_alive(await beat("--url", "http://no-such-host.invalid:8080"))
    assert "cannot be reached (" in not_alive(await beat("--url", f"http://{'a' * 70}.example:8080"))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "the answer broke off or is no HTTP"),
        (b"\x00\xff rubbish\r\n\r\n", "the answer broke off or is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "the answer broke off or is no HTTP"),
        (answer("500 Internal Server Error", REFUSAL), f"expected 401 {MEDIA}; got 500 {MEDIA}"),
        (answer("503 Service Unavailable", b"<html>", "text/html"), "got 503 text/html"),
        (answer("401 Unauthorized", REFUSAL, "application/json"), "got 401 application/json"),
        (answer("401 Unauthorized", REFUSAL, media_type("1.1")), "got 401"),
        (answer("200 OK", REFUSAL), "got 200"),
        (answer("302 Found", b"", more="Location: http://127.0.0.1:1/\r\n"), "got 302"),
        (answer("401 Unauthorized", b"<html>"), "the answer is not as it should be: not JSON"),
        (answer("401 Unauthorized", b"[" * 100_000), "nested too many levels deep"),
        (answer("401 Unauthorized", b"{}")[:-2], "the answer is not as it should be: not JSON"),
        (answer("401 Unauthorized", REFUSAL, "text/\x1b[31mred\x07"), r"got 401 text/\x1b[31mred\x07"),
        (b"HTTP/1.1 401 \x1b[31m\r\nContent-Type: a/\xc3\xa9\x1b[2J\r\n\r\n", "got 401"),
    ],
    ids=["nothing", "no-http", "endless-header", "500", "503-html", "other-media", "other-version", "200", "redirect",
         "no-json", "deep", "cut", "escapes", "escapes-everywhere"],
)  # fmt: skip
async def test_what_is_no_node_is_not_alive(sent: bytes, expected: str) -> None:
    async with saying(sent) as (url, _):
        assert expected in not_alive(await beat("--url", url))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"heartbeat": {"production": true, "version": "1\\u001b[31m", "accept": []}}', None),
        (b'{"heartbeat": {"production": "yes", "version": "1", "accept": []}}', "heartbeat.production"),
        (b'{"heartbeat": {"production": true, "version": "1", "accept": []}, "heartbeat": 1}', "stands twice"),
        (b'{"\\u001b[31m": 1}', "heartbeat: is missing"),
        (b"[]", "expected an object"),
    ],
)
async def test_a_heartbeat_is_read_as_a_strangers(body: bytes, expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token", encoding="utf-8")
    async with saying(answer("200 OK", body)) as (url, heard):
        result = await beat("--url", url, "--token-file", tmp_path / "token")
        if expected:
            assert expected in not_alive(result)
        else:
            assert result.stdout == f"alive: {url}: version 1\\x1b[31m, production\n"
    assert b"\r\nX-Auth-Token: secret-token\r\n" in heard[0]
    assert f"\r\nAccept: {MEDIA}\r\n".encode() in heard[0]
    assert heard[0].startswith(b"GET /heartbeat HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("parts", "pause"),
    [
        ((), 0.0),
        ((b"HTTP/1.1 401 Unauthorized\r\n",), 0.0),
        ((b"HTTP/1.1 401 Unauthorized\r\nX: ", *[b"x"] * 200), 0.05),
        ((b"HTTP/1.1 100 Continue\r\n\r\n",) * 200, 0.05),
        ((answer("401 Unauthorized", REFUSAL)[:-1],), 0.0),
    ],
    ids=["silent", "half", "drop-by-drop", "continue-for-ever", "body-never-ends"],
)
async def test_one_that_hangs_is_not_waited_for(
    parts: tuple[bytes, ...], pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.5)
    async with saying(*parts, pause=pause, wait=True) as (url, _):
        began = time.monotonic()
        result = await beat("--url", url)
        assert time.monotonic() - began < 3
    assert not_alive(result).endswith("no answer within 0.5 s")


async def test_the_command_itself_ends_in_time() -> None:
    async with saying(b"HTTP/1.1 401 Unauthorized\r\nX: ", *[b"x"] * 60, pause=0.5) as (url, _):
        began = time.monotonic()
        result = await asyncio.to_thread(ran, "--url", url)
    assert 5 <= time.monotonic() - began < 25, "who drips a byte every half second is not waited for"
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"not alive: {url}: no answer within 5 s\n"


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://h:0", "http://h:70000", "http://h:x", "http://[::1",
     "http://user:word@h", "http://h?x", "http://h/#x", "http://h/a b", "http://h/\x1b[31m", "http://h\r\nX: y"],
)  # fmt: skip
async def test_what_is_no_url_is_named(url: str) -> None:
    result = await beat("--url", url)
    assert isinstance(result.exception, ConfigInvalid)
    assert str(result.exception).startswith("--url: expected http://HOST:PORT")


async def test_a_token_never_travels_unencrypted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    result = await beat("--url", "http://node.example", "--token-file", tmp_path / "token")
    assert isinstance(result.exception, ConfigInvalid)
    assert "unencrypted" in str(result.exception)
    assert isinstance((await beat("--token-file", tmp_path / "none")).exception, TokenUnreadable)


def ran(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MATCHMAKER_")}
    words = command("heartbeat", *arguments)
    assert words[0] == sys.executable
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def test_what_is_configured_wrong_is_one_line() -> None:
    result = ran("--url", "nowhere")
    assert result.returncode == 1
    assert result.stderr == "matchmaker: --url: expected http://HOST:PORT, without user, query or blanks\n"
