"""Two machines train one network: two networks of this computer, joined by one cable.

    python -m tests.soak.two_hosts

It needs Linux, the right to make networks (root), and iproute2. Each of the two gets an address,
a ``torchrun`` and one process; what they end with is compared with two processes on one machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

HOSTS = {"first": "10.77.0.1", "second": "10.77.0.2"}
CABLE = {"first": "cable1", "second": "cable2"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
TRAIN = ["-m", "mnist_course", "train", "--model", "softmax", "--epochs", "2", "--resume"]
OURS = {"OMP_NUM_THREADS": "1", "MNIST_COURSE_DEVICE": "cpu"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def build() -> None:
    """Make two networks and a cable between them."""
    for host in HOSTS:
        ip("netns", "add", host)
    first, second = CABLE.values()
    ip("link", "add", first, "type", "veth", "peer", "name", second)
    for host, address in HOSTS.items():
        ip("link", "set", CABLE[host], "netns", host)
        for words in (["addr", "add", f"{address}/24", "dev", CABLE[host]],
                      ["link", "set", CABLE[host], "up"], ["link", "set", "lo", "up"]):  # fmt: skip
            ip("-n", host, *words)


def start(host: str, file: Path) -> subprocess.Popen[str]:
    """Start one machine's part."""
    where = ["--rdzv-backend=c10d", f"--rdzv-endpoint={HOSTS['first']}:29400", "--rdzv-id=run7"]
    # A real machine knows by its name that it is the one where all meet.
    where += [f"--rdzv-conf=is_host={int(host == 'first')}"]
    size = ["--nnodes=2", "--nproc-per-node=1", f"--local-addr={HOSTS[host]}"]
    command = [*TORCHRUN, *size, *where, *TRAIN, "--checkpoint", str(file)]
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *command],
        env={**os.environ, **OURS, "GLOO_SOCKET_IFNAME": CABLE[host]},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def weights(file: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(file, weights_only=True)["model"]
    return found


def main() -> None:
    """Build, train, compare, and take everything down again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build()
        try:
            running = {host: start(host, folder / "two.pt") for host in HOSTS}
            said = {host: process.communicate(timeout=300)[0] for host, process in running.items()}
        finally:
            for host in HOSTS:
                subprocess.run(["ip", "netns", "delete", host], check=False)
        for host, process in running.items():
            print(f"--- {host}: exit status {process.returncode}\n{said[host]}")
        alone = [*TORCHRUN, "--standalone", "--nproc-per-node=2", *TRAIN]
        subprocess.run(
            [*alone, "--checkpoint", str(folder / "one.pt")], env=os.environ | OURS, check=True
        )
        two, one = weights(folder / "two.pt"), weights(folder / "one.pt")
        same = all(torch.equal(two[key], one[key]) for key in one)
        print(f"two machines, and two processes on one, end with the same bits: {same}")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
