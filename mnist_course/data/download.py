"""Fetch the four MNIST files: several mirrors, checked bytes, nothing half-written.

requests does HTTP. What is added here is what a reader on a bad network needs: mirrors asked at the
same time, limits on time and size, a check of every byte, and one error that tells which mirror
said what.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
import urllib3
from tqdm import tqdm

from mnist_course.errors import CourseError
from mnist_course.files import SaveError, atomic_write, sha256_of
from mnist_course.progress import someone_watches

T = TypeVar("T")


@dataclass(frozen=True)
class MnistFile:
    """What one of the four official files must hold."""

    name: str
    shape: tuple[int, ...]
    sha256: str  # of the unpacked bytes
    gz_sha256: str
    gz_size: int  # bytes


OFFICIAL = json.loads(Path(__file__).with_name("official.json").read_text("utf-8"))
FILES = {
    name: MnistFile(name, tuple(facts.pop("shape")), **facts) for name, facts in OFFICIAL.items()
}

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's copy, used by torchvision
    "https://storage.googleapis.com/cvdf-datasets/mnist/",  # Google's copy, used by TFDS
    "https://dataset.bj.bcebos.com/mnist/",  # PaddlePaddle's copy in Beijing, reachable from China
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

PROBE_SECONDS = 6.0  # how long the mirrors may take, all at once, to show that they are there
CONNECT_SECONDS, READ_SECONDS = 10.0, 15.0
# A mirror that is slower than this on average would not be done with all four files in time.
GRACE_SECONDS, MIN_BYTES_PER_SECOND = 15.0, 20_000
MOST_SECONDS = 600.0  # of a whole download, however many mirrors it takes
MAX_REDIRECTS = 5


class _MirrorError(CourseError):
    """A mirror answered, and not with the file."""


# Those of requests and of the system are OSErrors; while a body is read, urllib3's come through.
NETWORK_ERRORS = (_MirrorError, OSError, urllib3.exceptions.HTTPError)


class DownloadError(CourseError, OSError):
    """No mirror delivered a file; the message has a line for each mirror, and the next step."""


def download(folder: str | Path, mirrors: Sequence[str] = MIRRORS) -> list[Path]:
    """Put those of the four gzipped MNIST files into ``folder`` that it does not hold intact.

    Parameters
    ----------
    folder : str or Path
        Where the files go; made if missing. A damaged file stays until its good copy replaces it.
    mirrors : sequence of str
        Base addresses, each ending in a slash. The one that answers first is asked first.

    Returns
    -------
    list of Path
        The four files.

    Raises
    ------
    DownloadError
        If no mirror answers (noticed within ten seconds), none delivers the right bytes within
        ten minutes, or the folder cannot be written. What was complete before stays; nothing
        half-written is left.
    """
    folder = Path(folder)
    paths = [folder / f"{name}.gz" for name in FILES]
    missing = [
        file for file, path in zip(FILES.values(), paths, strict=True) if not _is_intact(path, file)
    ]
    if missing:
        reasons: dict[str, str] = {}
        answering = _reachable(mirrors, reasons)
        if not answering:
            raise DownloadError(_failure("no mirror of MNIST can be reached", reasons))
        deadline = time.monotonic() + MOST_SECONDS
        for file in missing:
            deliverer = _fetch(file, folder, answering, dict(reasons), deadline)
            answering.sort(key=lambda mirror: mirror != deliverer)  # ask it first from now on
    return paths


def _is_intact(path: Path, file: MnistFile) -> bool:
    """Whether a file is there and right, to the last byte."""
    if not path.is_file() or path.stat().st_size != file.gz_size:
        return False
    return sha256_of(path.read_bytes()) == file.gz_sha256


def _fetch(
    file: MnistFile,
    folder: Path,
    mirrors: Sequence[str],
    reasons: dict[str, str],
    deadline: float,
) -> str:
    """Fetch one file from the first of ``mirrors`` that delivers the right bytes; return which."""
    for mirror in mirrors:
        url = f"{mirror}{file.name}.gz"
        if time.monotonic() > deadline:
            reasons[url] = "not asked: there was no time left"
            continue
        try:
            content = _receive(url, file, deadline)
        except NETWORK_ERRORS as error:
            reasons[url] = _plain(error)
            continue
        try:
            with atomic_write(folder / f"{file.name}.gz") as target:
                target.write(content)
        except SaveError as error:  # no fault of the mirror
            reason = getattr(error.__cause__, "strerror", None) or error
            raise DownloadError(
                f"{folder} cannot be written: {reason}. Free some space, or fetch the four files "
                "into another folder and name it in MNIST_COURSE_DATA."
            ) from error
        return mirror
    raise DownloadError(_failure(f"no mirror delivered {file.name}.gz", reasons))


def _failure(what: str, reasons: dict[str, str]) -> str:
    """Return a message: what failed, one line for each mirror, and the next step."""
    table = "\n".join(f"  {url}: {reason}" for url, reason in reasons.items())
    return (
        f"{what}\n{table}\n"
        "Check the network, or fetch the four files on another machine and name their folder in "
        "MNIST_COURSE_DATA."
    )


def _reachable(mirrors: Sequence[str], reasons: dict[str, str]) -> list[str]:
    """Return the mirrors that answer at all within `PROBE_SECONDS`, the quickest first.

    They are asked at the same time: with no network, a reader waits once, not once per mirror.
    Any HTTP answer counts; whether the file is right shows when it is fetched.
    """
    answering: list[str] = []

    def ask(mirror: str) -> None:
        try:
            url = f"{mirror}{next(iter(FILES))}.gz"
            with _session(mirror) as session:
                session.head(url, timeout=PROBE_SECONDS, allow_redirects=False)
            answering.append(mirror)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            reasons[mirror] = _plain(error)

    # Daemon threads, because a name server that does not answer cannot be interrupted.
    threads = [threading.Thread(target=ask, args=(m,), daemon=True) for m in mirrors]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    found = list(answering)
    for mirror in mirrors:
        if mirror not in found:
            reasons.setdefault(mirror, f"no answer within {PROBE_SECONDS:.0f} s")
    return found


def _session(mirror: str) -> requests.Session:
    """Return a session that follows few redirects, and never from https down to http."""
    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    session.headers["Accept-Encoding"] = "identity"  # the file as it is, not packed once more
    if mirror.startswith("https://"):
        session.adapters.pop("http://")
    return session


def _within(seconds: float, function: Callable[[], T]) -> T:
    """Return what ``function`` returns, or raise TimeoutError if that takes longer.

    A name server that does not answer, or a header that comes line by line, resets or ignores
    the time limits of requests, and cannot be interrupted: so it is left behind in a thread.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # raised again below, in the thread that asked
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("no answer in time")
    return results[0]


def _receive(url: str, file: MnistFile, deadline: float) -> bytes:
    """Return what ``url`` answers, as it comes off the wire (no decoding), if it is the file."""
    with _session(url) as session, _answer(session, url) as response:
        response.raise_for_status()
        begun, content = time.monotonic(), bytearray()
        # read1 returns what has arrived: a server that drips cannot hold us inside one read.
        with _bar(file) as bar:
            while chunk := response.raw.read1(2**16, decode_content=False):
                if not content and chunk.lstrip().startswith(b"<"):
                    raise _MirrorError("got a web page instead of the file (a log-in page?)")
                content += chunk
                bar.update(len(chunk))
                if len(content) > file.gz_size:
                    raise _MirrorError(f"got more than the {file.gz_size:,} bytes of the file")
                _check_pace(len(content), begun, deadline)
    if len(content) < file.gz_size:
        raise _MirrorError(f"got {len(content):,} of {file.gz_size:,} bytes")
    if sha256_of(content) != file.gz_sha256:
        raise _MirrorError("wrong bytes (SHA-256 does not match)")
    return bytes(content)


def _answer(session: requests.Session, url: str) -> requests.Response:
    """Return the answer of a mirror, of which only the head has been read."""
    limit = (CONNECT_SECONDS, READ_SECONDS)
    try:
        return _within(READ_SECONDS, lambda: session.get(url, stream=True, timeout=limit))
    except requests.RequestException:
        raise
    except ValueError as error:  # requests lets through what Python says of an address
        raise _MirrorError(f"redirects to an address that makes no sense ({error})") from None


def _bar(file: MnistFile) -> tqdm:
    """Return a progress bar for one file; it shows nothing if nobody watches."""
    return tqdm(
        total=file.gz_size,
        unit="B",
        unit_scale=True,
        desc=f"{file.name}.gz",
        leave=False,
        disable=not someone_watches(),
    )


def _check_pace(received: int, begun: float, deadline: float) -> None:
    """Give up on a mirror that would keep a reader waiting."""
    now = time.monotonic()
    seconds = now - begun
    if seconds > GRACE_SECONDS and received < seconds * MIN_BYTES_PER_SECOND:
        raise TimeoutError(f"too slow: {received:,} bytes in {seconds:.0f} s")
    if now > deadline:
        raise TimeoutError(f"the four files were not there after {MOST_SECONDS / 60:.0f} minutes")


def _plain(error: Exception) -> str:
    """Return one short line for what a mirror did."""
    if isinstance(error, requests.HTTPError):
        return str(error).split(" for url")[0]
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "redirects to an address that is refused"
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke"
    text = str(error)
    return text.splitlines()[0] if text else type(error).__name__
