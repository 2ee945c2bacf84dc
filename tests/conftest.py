"""What the tests share: the data, found once before all else, and a server that does as told."""

import contextlib
import gzip
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mnist_course.data import load_data
from mnist_course.data.download import FILES, MnistFile

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin slow a busy machine down

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure():
    """Find the data once: workers, kernels and scripts that start later inherit the answer."""
    if not os.environ.get("MNIST_COURSE_DATA"):
        digits = load_data()
        os.environ["MNIST_COURSE_DATA"] = str(digits.folder) if digits.is_mnist else "practice"


@pytest.fixture(scope="session")
def digits():
    return load_data()


@pytest.fixture(scope="session")
def mnist_folder(digits):
    if not digits.is_mnist:
        pytest.skip("needs real MNIST: set MNIST_COURSE_DATA to a folder with the four files")
    return digits.folder


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, started once for all tests that need it."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        if os.environ.get("MNIST_COURSE_NEED_BROWSER"):
            pytest.fail("no Chromium found, and it may not be skipped here")
        pytest.skip("no Chromium found; get it with: apt install chromium (or install Chrome)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def run_python():
    """Return a function that runs Python code in a process of its own, in the repository."""

    def run(code, *options, timeout=60, **environment):
        env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        for name, value in environment.items():
            env.pop(name, None)
            if value is not None:
                env[name] = str(value)
        return subprocess.run(
            [sys.executable, "-W", "error", *options, "-c", code],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
        )

    return run


@pytest.fixture
def open_folder():
    """A folder that every user of the machine can enter (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def as_somebody():
    """Return a context in which permissions count: root, who may do anything, becomes nobody."""

    @contextlib.contextmanager
    def somebody():
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)

    return somebody


def at_once(code, count, timeout=60, **environment):
    """Run the same code in several processes; they go on together after the line ``WAIT``.

    Returns what each wrote to standard output and standard error, and its exit status.
    """
    wait = "print('ready', flush=True); input()\n"
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code.replace("WAIT\n", wait)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for child in children:
            child.stdout.readline()
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        return [(*child.communicate(timeout=timeout), child.returncode) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()


def closed_port():
    """Return an address of this machine at which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def names_in(folder):
    """Return the names of what lies in ``folder``, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def idx_bytes(array):
    """Return ``array`` as an IDX file, written without help of the package."""
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    code = codes[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim])
    for size in array.shape:
        header += struct.pack(">I", size)
    formats = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}
    kind = formats[array.dtype.str[1:]]
    return header + struct.pack(f">{array.size}{kind}", *array.reshape(-1).tolist())


def make_small_mnist():
    """Return four small files in MNIST's form: what to pin, and their gzipped bytes by file name.

    The pictures are noise, so that they cannot be compressed and a transfer takes several pieces.
    """
    rng = np.random.default_rng(0)
    pinned, served = {}, {}
    for name, count in zip(FILES, (60, 60, 20, 20), strict=True):
        shape = (count, 28, 28) if "images" in name else (count,)
        largest = 256 if "images" in name else 10
        content = idx_bytes(rng.integers(0, largest, shape, dtype=np.uint8))
        packed = gzip.compress(content, mtime=0)
        served[f"{name}.gz"] = packed
        pinned[name] = MnistFile(
            name,
            shape,
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(packed).hexdigest(),
            len(packed),
        )
    return pinned, served


def pin_in_a_child(pinned):
    """Return code that pins the small files in another process."""
    return (
        "from mnist_course.data.download import FILES, MnistFile\n"
        f"FILES.update((file.name, file) for file in {list(pinned.values())})\n"
    )


@pytest.fixture
def small_mnist(monkeypatch):
    """Pin four small files in place of MNIST's, and return their gzipped bytes by file name."""
    pinned, served = make_small_mnist()
    for name, file in pinned.items():
        monkeypatch.setitem(FILES, name, file)
    return served


@pytest.fixture
def in_children(small_mnist):
    return pin_in_a_child(FILES)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Let the course start as on a new machine: nothing chosen, nothing cached, nothing said."""
    for variable in ("MNIST_COURSE_DATA", "MNIST_COURSE_ANNOUNCED"):
        monkeypatch.setenv(variable, "")  # so that what the code sets is undone afterwards
    cache = tmp_path / "cache"
    monkeypatch.setattr("mnist_course.data.digits.cache_dir", lambda: cache)
    return cache


class _Handler(BaseHTTPRequestHandler):
    """Hands each request to the behavior that the first part of its path names."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        _, behavior, name = self.path.split("/")
        server.asked.append((self.command, behavior, name))
        self.name, self.content = name, server.files.get(name, b"")
        act = server.behaviors[self.command, behavior]
        self.close_connection = True
        act(self)

    do_HEAD = do_GET  # noqa: N815 - what http.server looks for

    def send(self, data):
        """Put bytes on the wire, whatever they are, and count them."""
        self.wfile.write(data)
        self.wfile.flush()
        self.server.sent += len(data)

    def start(self, status=200, length=None, **headers):
        """Send the head of an answer."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def reply(self, body, status=200, **headers):
        """Send a complete answer."""
        self.start(status, len(body), **headers)
        if self.command != "HEAD":
            self.send(body)

    def reset(self):
        """Break the connection off, as a crashed server or a firewall does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def wait(self, seconds=60.0):
        """Do nothing for a while, but not longer than the test."""
        return self.server.closing.wait(seconds)

    def log_message(self, *args):
        pass


class LocalServer(ThreadingHTTPServer):
    """A server on this machine whose every answer is scripted.

    ``mirror(name, get)`` returns a base address under which ``get(handler)`` answers.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviors, self.files, self.asked, self.sent = {}, {}, [], 0
        self.closing = threading.Event()

    def mirror(self, name, get, head=None):
        self.behaviors["GET", name] = get
        self.behaviors["HEAD", name] = head or (lambda handler: handler.reply(b""))
        return f"http://127.0.0.1:{self.server_port}/{name}/"

    def good(self):
        return self.mirror("good", lambda handler: handler.reply(handler.content))

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is what these tests are about


@pytest.fixture
def local_server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with LocalServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()
