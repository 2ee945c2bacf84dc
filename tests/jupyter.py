"""A Jupyter server on a copy of the notebooks' folder, as a learner starts one."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from mnist_course.chapters import NOTEBOOKS, ROOT, derive_notebook
from tests.conftest import closed_port

TOKEN = "only-for-this-test"
STARTED_WITHIN = 120  # seconds; a busy machine takes its time


def copy_course(folder):
    """Copy what decides how Jupyter treats the chapters, and chapter 1's script, to ``folder``.

    The notebook is the script's, without outputs. Returns the paths of script and notebook.
    """
    import nbformat

    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True)
    for path in [ROOT / "pyproject.toml", *ROOT.glob("jupytext*"), *ROOT.glob(".jupytext*")]:
        shutil.copy(path, folder)
    for path in NOTEBOOKS.glob("*.toml"):
        shutil.copy(path, notebooks)
    script = notebooks / "01_idx_data.py"
    shutil.copy(NOTEBOOKS / script.name, script)
    notebook = script.with_suffix(".ipynb")
    nbformat.write(derive_notebook(script), notebook)
    return script, notebook


class Server:
    """The contents API of a running server."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None):
        """Send one request and return the answer's JSON."""
        request = urllib.request.Request(
            f"{self.address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def open(self, path):
        """Open a file as a notebook, as JupyterLab does, and return its content."""
        return self.ask("GET", f"api/contents/{path}?type=notebook&content=1")["content"]

    def save(self, path, content):
        """Save a notebook, as JupyterLab's autosave does."""
        body = {"type": "notebook", "format": "json", "content": content}
        return self.ask("PUT", f"api/contents/{path}", body)


@contextlib.contextmanager
def serve(folder, home, app="jupyter_server"):
    """Serve ``folder`` on this machine, with no settings but the course's; yield a `Server`.

    ``home`` is an empty folder for what Jupyter keeps. ``app`` may be ``"jupyterlab"``.
    """
    address = closed_port()
    port = address.rstrip("/").rsplit(":", 1)[1]
    own = {name: str(home / name) for name in ("HOME", "XDG_CONFIG_HOME", "IPYTHONDIR")}
    own |= {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", app, "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}"]
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **own}, stdout=output, stderr=output
        )
    server = Server(address)
    try:
        _wait_for(server, process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server, process, log):
    end = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            server.ask("GET", "api/status")
            return
        time.sleep(0.2)
    raise AssertionError(f"no server: {log.read_text()}")
