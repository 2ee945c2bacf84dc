"""Whatever a mirror does, the right bytes arrive or one error tells what each mirror said."""

import gzip
import hashlib
import os
import socket
import threading
import time

import pytest
import requests

from mnist_course.data import download as module
from mnist_course.data.download import FILES, MIRRORS, DownloadError, download
from tests.conftest import at_once, closed_port, names_in

FIRST = "train-images-idx3-ubyte.gz"


@pytest.fixture
def impatient(monkeypatch):
    """Make the limits short, so that a test of slowness is not slow."""
    monkeypatch.setattr(module, "PROBE_SECONDS", 1.5)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(module, "READ_SECONDS", 0.5)
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.5)


@pytest.fixture
def in_order(monkeypatch):
    """Ask the mirrors in the order in which they are named, without asking who is there first."""
    monkeypatch.setattr(module, "_reachable", lambda mirrors, reasons: list(mirrors))


@pytest.fixture
def server(local_server, small_mnist):
    local_server.files = small_mnist
    return local_server


def assert_complete(folder, small_mnist):
    """The four files are there, right to the last byte, and nothing else is."""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == small_mnist


# What a mirror may do to a GET ------------------------------------------------------------------


def page(handler):
    handler.reply(b"<html><body>Welcome to Hotel Wi-Fi</body></html>", Content_Type="text/html")


def page_as_data(handler):
    handler.reply(b"<html><body>Log in</body></html>", Content_Type="application/gzip")


def empty(handler):
    handler.reply(b"")


def cut_with_length(handler):
    handler.start(length=len(handler.content))
    handler.send(handler.content[: len(handler.content) // 2])


def cut_without_length(handler):
    handler.start()
    handler.send(handler.content[: len(handler.content) // 2])


def cut_in_a_chunk(handler):
    handler.start(Transfer_Encoding="chunked")
    handler.send(b"%x\r\n" % len(handler.content) + handler.content[:10])


def nonsense_chunks(handler):
    handler.start(Transfer_Encoding="chunked")
    handler.send(b"not a number\r\n")


def one_bit_flipped(handler):
    content = bytearray(handler.content)
    content[len(content) // 2] ^= 1
    handler.reply(bytes(content))


def one_byte_more(handler):
    handler.reply(handler.content + b"\0")


def another_file(handler):
    handler.reply(gzip.compress(b"something else"))


def redirect_loop(handler):
    handler.reply(b"", 302, Location=handler.path)


def longer_and_longer_redirects(handler):
    handler.reply(b"", 302, Location=handler.path + "x")


def redirect_to_a_file(handler):
    handler.reply(b"", 302, Location="file:///etc/hostname")


def redirect_to_ftp(handler):
    handler.reply(b"", 302, Location="ftp://127.0.0.1/file")


def redirect_to_nonsense(handler):
    handler.reply(b"", 302, Location="http://[")


def reset_before(handler):
    handler.reset()


def reset_in_the_body(handler):
    handler.start(length=len(handler.content))
    handler.send(handler.content[:100])
    time.sleep(0.05)  # let what was sent arrive: a reset overtakes it
    handler.reset()


def hang_up(handler):
    pass


def not_http(handler):
    handler.send(b"SSH-2.0-OpenSSH_9.6\r\n")


def header_without_end(handler):
    handler.send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000)


def wrong_length(handler):
    handler.send(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + handler.content[:50])


def never_answer(handler):
    handler.wait()


def stall_in_the_header(handler):
    handler.send(b"HTTP/1.1 200 OK\r\n")
    handler.wait()


def stall_in_the_body(handler):
    handler.start(length=len(handler.content))
    handler.send(handler.content[:100])
    handler.wait()


def drip(handler):
    handler.start(length=len(handler.content))
    for index in range(500):  # nobody should listen for so long
        handler.send(handler.content[index : index + 1])
        if handler.wait(0.05):
            break


def drip_the_header(handler):
    handler.send(b"HTTP/1.1 200 OK\r\n")
    while not handler.wait(0.05):
        handler.send(b"X: y\r\n")


def endless(handler):
    handler.start()
    while handler.server.sent < 300e6:  # longer than anybody should listen
        handler.send(bytes(2**16))


def endless_chunks(handler):
    handler.start(Transfer_Encoding="chunked")
    while handler.server.sent < 300e6:
        handler.send(b"10000\r\n" + bytes(2**16) + b"\r\n")


def status(number):
    return lambda handler: handler.reply(b"sorry", number)


BAD = {
    "403": (status(403), "403"),
    "404": (status(404), "404"),
    "429": (status(429), "429"),
    "500": (status(500), "500"),
    "206": (status(206), "5 of"),
    "a web page": (page, "web page"),
    "a web page that says it is data": (page_as_data, "web page|of"),
    "nothing": (empty, "0 of"),
    "cut off, length given": (cut_with_length, "of|broke|connection"),
    "cut off, no length given": (cut_without_length, "of"),
    "cut off in a chunk": (cut_in_a_chunk, "of|broke|connection"),
    "chunks that are none": (nonsense_chunks, "broke|connection"),
    "one bit flipped": (one_bit_flipped, "SHA-256"),
    "one byte more": (one_byte_more, "more than"),
    "another file": (another_file, "of"),
    "redirect loop": (redirect_loop, "redirects"),
    "many redirects": (longer_and_longer_redirects, "redirects"),
    "redirect to file:///": (redirect_to_a_file, "redirect"),
    "redirect to ftp": (redirect_to_ftp, "redirect"),
    "redirect to nonsense": (redirect_to_nonsense, ""),
    "reset before the answer": (reset_before, "connection"),
    "reset in the body": (reset_in_the_body, "broke|connection"),
    "hang up": (hang_up, "connection"),
    "not HTTP": (not_http, "connection"),
    "a header line without end": (header_without_end, "connection"),
    "a length that is no number": (wrong_length, "of|connection"),
    "never answers": (never_answer, "in time"),
    "stalls in the header": (stall_in_the_header, "in time"),
    "stalls in the body": (stall_in_the_body, "in time"),
    "one byte at a time": (drip, "too slow"),
    "a header one line at a time": (drip_the_header, "in time"),
    "endless": (endless, "more than"),
    "endless chunks": (endless_chunks, "more than"),
}


SLOW = [
    "never answers",
    "stalls in the header",
    "stalls in the body",
    "one byte at a time",
    "a header one line at a time",
]


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_mirror_is_reported_and_the_next_one_delivers(
    server, small_mnist, tmp_path, in_order, request, fault
):
    if fault in SLOW:
        request.getfixturevalue("impatient")
    act, reason = BAD[fault]
    bad = server.mirror("bad", act)
    folder = tmp_path / "data"
    begun = time.perf_counter()
    with pytest.raises(DownloadError) as caught:
        download(folder, [bad])
    assert time.perf_counter() - begun < 8, "waited for a mirror that does not come"
    first, table, advice = str(caught.value).splitlines()
    assert first == f"no mirror delivered {FIRST}"
    url, said = table.split(": ", 1)
    assert url.strip() == bad + FIRST
    assert any(word in said for word in reason.split("|")), said
    assert "MNIST_COURSE_DATA" in advice
    assert not folder.exists() or names_in(folder) == []

    paths = download(folder, [bad, server.good()])
    assert [path.name for path in paths] == list(small_mnist)
    assert_complete(folder, small_mnist)
    asked = [name for command, mirror, name in server.asked if (command, mirror) == ("GET", "bad")]
    assert asked[-1].startswith(FIRST), (
        "a mirror that failed was asked again before the one that delivered"
    )


def test_four_files_arrive_silently(server, small_mnist, tmp_path, capfd):
    paths = download(tmp_path / "new" / "data", [server.good()])
    assert paths == [tmp_path / "new" / "data" / name for name in small_mnist]
    assert_complete(tmp_path / "new" / "data", small_mnist)
    assert capfd.readouterr() == ("", "")


def test_somebody_who_watches_sees_a_bar(server, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", "bar")
    download(tmp_path, [server.good()])
    out, err = capfd.readouterr()
    assert out == ""
    assert all(name in err for name in server.files)


def test_every_bad_mirror_is_listed_with_its_reason(server, tmp_path):
    bad = {name: server.mirror(f"bad{number}", BAD[name][0]) for number, name in enumerate(BAD)}
    quick = ["404", "a web page", "one bit flipped", "redirect loop", "nothing", "hang up"]
    with pytest.raises(DownloadError) as caught:
        download(tmp_path, [bad[name] for name in quick])
    for name in quick:
        line = next(line for line in str(caught.value).splitlines() if bad[name] in line)
        assert any(word in line for word in BAD[name][1].split("|")), line
    assert names_in(tmp_path) == []


def test_what_was_complete_before_a_failure_stays(server, small_mnist, tmp_path):
    (tmp_path / FIRST).write_bytes(small_mnist[FIRST])
    with pytest.raises(DownloadError, match=r"no mirror delivered train-labels-idx1-ubyte\.gz"):
        download(tmp_path, [server.mirror("bad", status(404))])
    assert names_in(tmp_path) == [FIRST]


def test_intact_files_are_not_fetched_again_and_damaged_ones_are(server, small_mnist, tmp_path):
    for name, content in small_mnist.items():
        (tmp_path / name).write_bytes(content)
    download(tmp_path, [server.good()])
    assert server.asked == [], "nothing was missing"
    damaged = tmp_path / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(small_mnist[damaged.name][:-1])
    download(tmp_path, [server.good()])
    assert [name for command, _, name in server.asked if command == "GET"] == [damaged.name]
    assert_complete(tmp_path, small_mnist)


# Right bytes in unusual clothes -----------------------------------------------------------------


def says_gzip(handler):
    handler.reply(handler.content, Content_Encoding="gzip", Content_Type="application/x-gzip")


def packs_if_it_may(handler):
    if "gzip" in handler.headers.get("Accept-Encoding", ""):
        handler.reply(gzip.compress(handler.content), Content_Encoding="gzip")
    else:
        handler.reply(handler.content)


def says_html(handler):
    handler.reply(handler.content, Content_Type="text/html")


def no_length(handler):
    handler.start()
    handler.send(handler.content)


def in_chunks(handler):
    handler.start(Transfer_Encoding="chunked")
    for start in range(0, len(handler.content), 1000):
        piece = handler.content[start : start + 1000]
        handler.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.send(b"0\r\n\r\n")


def redirects_once(handler):
    if "moved" in handler.path:
        handler.reply(handler.content)
    else:
        handler.reply(b"", 302, Location=handler.path.replace("odd", "moved"))


@pytest.mark.parametrize(
    "act", [says_gzip, packs_if_it_may, says_html, no_length, in_chunks, redirects_once]
)
def test_right_bytes_are_accepted_in_unusual_clothes(server, small_mnist, tmp_path, act):
    server.mirror("moved", act)
    download(tmp_path, [server.mirror("odd", act)])
    assert_complete(tmp_path, small_mnist)


# Limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [endless, endless_chunks])
def test_an_endless_body_is_stopped_at_once(server, tmp_path, act):
    with pytest.raises(DownloadError, match="more than the"):
        download(tmp_path, [server.mirror("bad", act)])
    server.closing.set()
    # What lies in the buffers of the two sockets was sent, but never read or written.
    assert server.sent < 20e6


def test_no_more_than_five_redirects_are_followed(server, tmp_path):
    with pytest.raises(DownloadError, match="too many redirects"):
        download(tmp_path, [server.mirror("bad", longer_and_longer_redirects)])
    assert sum(command == "GET" for command, _, _ in server.asked) == 1 + 5


def test_a_slow_but_honest_mirror_is_given_time(server, small_mnist, tmp_path, monkeypatch):
    """What counts is how fast the bytes come, not how long the server thinks beforehand."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)

    def slow(handler):
        handler.wait(0.5)
        handler.start(length=len(handler.content))
        for start in range(0, len(handler.content), 4000):
            handler.send(handler.content[start : start + 4000])
            handler.wait(0.05)

    download(tmp_path, [server.mirror("slow", slow)])
    assert_complete(tmp_path, small_mnist)


def test_a_download_ends_after_so_many_minutes_however_steady_the_mirrors(
    server, tmp_path, monkeypatch
):
    def steady(handler):
        handler.start(length=len(handler.content))
        for start in range(0, len(handler.content), 5000):
            handler.send(handler.content[start : start + 5000])
            handler.wait(0.2)

    monkeypatch.setattr(module, "MOST_SECONDS", 0.9)
    mirrors = [server.mirror(name, steady) for name in ("one", "other")]
    begun = time.perf_counter()
    with pytest.raises(DownloadError, match=r"not there after.*(?s:.)*there was no time left"):
        download(tmp_path, mirrors)
    assert time.perf_counter() - begun < 1.7  # one file takes 2 seconds, and there are four
    assert sum(command == "GET" for command, _, _ in server.asked) == 1
    assert names_in(tmp_path) == []


def test_ten_minutes_are_enough_for_the_slowest_mirror_that_is_not_given_up():
    size = 9_912_422 + 28_881 + 1_648_877 + 4_542  # of the four official files
    assert size / module.MIN_BYTES_PER_SECOND < module.MOST_SECONDS == 600


class PretendHttps(requests.adapters.HTTPAdapter):
    """Takes https:// addresses to the server of this test, which speaks no TLS."""

    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        response = super().send(request, **options)
        response.url = request.url = request.url.replace("http://", "https://", 1)
        return response


def test_https_is_never_left_for_http(server, small_mnist, tmp_path, monkeypatch):
    original = module._session

    def session(mirror):
        made = original(mirror)
        made.mount("https://", PretendHttps())
        return made

    monkeypatch.setattr(module, "_session", session)
    good = server.good()
    downgrade = server.mirror(
        "downgrade", lambda handler: handler.reply(b"", 302, Location=good + handler.name)
    )
    https = downgrade.replace("http://", "https://")
    with pytest.raises(DownloadError, match=r"https://.*redirects to an address that is refused"):
        download(tmp_path, [https])
    assert {mirror for _, mirror, _ in server.asked} == {"downgrade"}
    # The same mirror reached over http from the start may redirect to http.
    download(tmp_path, [downgrade])
    assert_complete(tmp_path, small_mnist)


# No network -------------------------------------------------------------------------------------


def test_refused_connections_are_noticed_at_once(tmp_path, small_mnist):
    mirrors = [closed_port(), "http://mnist.invalid/", "https://mnist.invalid/"]
    begun = time.perf_counter()
    with pytest.raises(DownloadError, match="no mirror of MNIST can be reached") as caught:
        download(tmp_path / "data", mirrors)
    assert time.perf_counter() - begun < 10
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + len(mirrors) + 1
    for mirror in mirrors:
        assert any(line.startswith(f"  {mirror}: no ") for line in lines), lines
    assert "on another machine" in lines[-1]
    assert not (tmp_path / "data").exists()


def test_silence_is_noticed_within_ten_seconds(server, tmp_path):
    """With the limits that readers have: mirrors that accept a connection and say nothing."""
    silent = [server.mirror(f"silent{n}", never_answer, never_answer) for n in range(4)]
    begun = time.perf_counter()
    with pytest.raises(DownloadError, match="no answer") as caught:
        download(tmp_path, silent)
    assert time.perf_counter() - begun < 10
    assert all(mirror in str(caught.value) for mirror in silent)


def test_a_name_server_that_is_silent_is_not_waited_for(tmp_path, monkeypatch, impatient):
    over = threading.Event()

    def silent(*args, **options):
        over.wait(30)
        raise socket.gaierror("the test is over")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    begun = time.perf_counter()
    with pytest.raises(DownloadError, match="no answer within"):
        download(tmp_path, MIRRORS)
    assert time.perf_counter() - begun < 3
    over.set()


DEAD = ["never answers", "not HTTP", "hang up", "reset before the answer", "stalls in the header"]


@pytest.mark.parametrize("fault", [*DEAD, "a header one line at a time"])
def test_a_mirror_that_is_dead_from_the_start_is_not_asked_for_files(
    server, small_mnist, tmp_path, impatient, fault
):
    dead = server.mirror("dead", BAD[fault][0], BAD[fault][0])
    download(tmp_path, [dead, server.good()])
    assert_complete(tmp_path, small_mnist)
    assert ("GET", "dead", FIRST) not in server.asked


def test_a_dead_mirror_is_listed_beside_one_that_fails_later(server, tmp_path):
    dead, bad = closed_port(), server.mirror("bad", status(404))
    with pytest.raises(DownloadError) as caught:
        download(tmp_path, [dead, bad])
    assert f"  {dead}: no connection" in str(caught.value)
    assert f"  {bad}{FIRST}: 404" in str(caught.value)


def test_mirrors_are_asked_in_the_order_of_their_answers(server, tmp_path):
    def late(handler):
        handler.wait(1.0)
        handler.reply(b"")

    slow = server.mirror("slow", lambda handler: handler.reply(handler.content), late)
    download(tmp_path, [slow, server.good()])
    assert {mirror for command, mirror, _ in server.asked if command == "GET"} == {"good"}


# The folder -------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_folder_that_may_not_be_written_is_reported_as_such(server, open_folder, as_somebody):
    open_folder.chmod(0o555)
    with as_somebody(), pytest.raises(DownloadError, match=r"cannot be written.*MNIST_COURSE_DATA"):
        download(open_folder, [server.good()])
    assert names_in(open_folder) == []


def test_a_file_in_the_place_of_the_folder_is_reported_as_such(server, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DownloadError, match=r"data cannot be written"):
        download(tmp_path / "data", [server.good()])
    assert (tmp_path / "data").read_text() == "a file"


def test_a_full_disk_is_not_blamed_on_the_mirrors(server, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match=r"No space left on device.*Free some space"):
        download(tmp_path, [server.good()])
    assert names_in(tmp_path) == []
    assert sum(command == "GET" for command, _, _ in server.asked) == 1


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_download_at_once_all_succeed(
    server, small_mnist, in_children, tmp_path, count
):
    code = (
        f"{in_children}from mnist_course.data.download import download\n"
        f"WAIT\nprint(len(download({str(tmp_path / 'data')!r}, [{server.good()!r}])))\n"
    )
    assert at_once(code, count) == [("4\n", "", 0)] * count
    assert_complete(tmp_path / "data", small_mnist)


# What is pinned ---------------------------------------------------------------------------------


def test_the_pinned_files_are_those_that_torchvision_pins(mnist_folder):
    from torchvision.datasets import MNIST

    pinned = dict(MNIST.resources)
    assert {f"{name}.gz" for name in FILES} == set(pinned)
    checked = 0
    for file in FILES.values():
        path = mnist_folder / f"{file.name}.gz"
        if path.exists():
            packed = path.read_bytes()
            assert hashlib.md5(packed).hexdigest() == pinned[path.name]
            assert hashlib.sha256(packed).hexdigest() == file.gz_sha256
            assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == file.sha256
            assert len(packed) == file.gz_size
            checked += 1
    if not checked:
        pytest.skip("this folder holds the raw files only")


def test_mirrors_are_https_folders_and_one_is_torchvisions():
    from torchvision.datasets import MNIST

    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS)
    assert set(MIRRORS) & set(MNIST.mirrors)
