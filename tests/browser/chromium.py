"""A real Chromium for tests, one process for all tests of a worker.

Debian's is found in PATH; MATCHMAKER_TEST_CHROMIUM names another one. Without either, tests that need it are skipped.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM_VARIABLE = "MATCHMAKER_TEST_CHROMIUM"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_STARTED_SECONDS = 60.0
_FLAGS = (
    "--headless",
    "--no-sandbox",  # which root in a container cannot have; it opens pages of ours only
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm of a container is small
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",  # as on a phone: a page is as wide as its window
    "--remote-debugging-port=0",  # one that is free
)


def chromium_program() -> str | None:
    """Return the browser's program, where there is one."""
    given = os.environ.get(PROGRAM_VARIABLE)
    return given or next(filter(None, map(shutil.which, _PROGRAMS)), None)


@contextlib.contextmanager
def chromium() -> Iterator[str]:
    """Yield the address at which a browser takes orders; skip the test where there is none; end it at the end."""
    program = chromium_program()
    if program is None:
        pytest.skip(f"no Chromium: none of {', '.join(_PROGRAMS)} is here, and {PROGRAM_VARIABLE} is not set")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the browser that we test with
        try:
            yield _address(process, Path(folder) / "DevToolsActivePort")
        finally:
            _end(process)


def _address(process: "subprocess.Popen[bytes]", told: Path) -> str:
    """Return what the browser writes into its folder once it listens: a port, and a path on the next line."""
    deadline = time.monotonic() + _STARTED_SECONDS
    while True:
        lines = told.read_text(encoding="ascii").split() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        assert process.poll() is None, f"the browser ended at once, with {process.returncode}"
        assert time.monotonic() < deadline, "the browser does not listen"
        time.sleep(0.02)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
