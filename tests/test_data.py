"""The digits are the official ones, bit for bit, or an error names the file and the next step."""

import gzip
import os
import re
import shutil
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_course.data import (
    MEAN,
    STD,
    Batches,
    DataError,
    find_file,
    load_data,
    normalize,
    practice,
    read_folder,
    split_train_valid,
    to_tensors,
)
from mnist_course.data import digits as module
from mnist_course.data.download import FILES, download
from mnist_course.data.idx import write_idx
from tests.conftest import at_once, closed_port, names_in

torch.set_num_threads(1)
NAMES = list(FILES)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES
PARTS = ["train_images", "train_labels", "test_images", "test_labels"]
NEXT_STEP = re.compile(
    r"(?i)fetch (it|the file) again|Copy what is missing|Set MNIST_COURSE_DATA|Check"
)


@pytest.fixture
def arrays(small_mnist):
    """The four small arrays that are pinned in place of MNIST's, by file name."""
    return {
        name: np.frombuffer(
            gzip.decompress(small_mnist[f"{name}.gz"]),
            np.uint8,
            offset=4 + 4 * len(FILES[name].shape),
        ).reshape(FILES[name].shape)
        for name in FILES
    }


@pytest.fixture
def folder(small_mnist, tmp_path):
    """A folder with the four small files, gzipped."""
    path = tmp_path / "mnist"
    path.mkdir()
    for name, content in small_mnist.items():
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def chosen(folder, empty_cache, monkeypatch):
    """The same folder, named by MNIST_COURSE_DATA."""
    monkeypatch.setenv("MNIST_COURSE_DATA", str(folder))
    return folder


def assert_holds(digits, arrays):
    for part, array in zip(PARTS, arrays.values(), strict=True):
        found = getattr(digits, part)
        assert found.dtype == np.uint8
        assert np.array_equal(found, array)
        assert found.flags.writeable


# A folder of the reader's own -------------------------------------------------------------------


def test_gzipped_files_are_found_where_the_variable_points(chosen, arrays):
    digits = load_data()
    assert_holds(digits, arrays)
    assert (digits.source, digits.is_mnist, digits.folder) == ("MNIST", True, chosen)


def test_raw_and_mixed_files_are_found_too(chosen, arrays):
    for name in (TRAIN_LABELS, TEST_IMAGES):
        (chosen / name).write_bytes(gzip.decompress((chosen / f"{name}.gz").read_bytes()))
        (chosen / f"{name}.gz").unlink()
    assert find_file(chosen, TEST_IMAGES) == chosen / TEST_IMAGES
    assert find_file(chosen, TRAIN_IMAGES) == chosen / f"{TRAIN_IMAGES}.gz"
    assert_holds(load_data(), arrays)


def test_the_folder_that_torchvision_makes_serves(chosen, arrays, monkeypatch):
    raw = chosen / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:  # torchvision keeps both
        packed = chosen / f"{name}.gz"
        (raw / name).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.rename(raw / packed.name)
    monkeypatch.setenv("MNIST_COURSE_DATA", str(raw))
    assert_holds(load_data(), arrays)


def test_blanks_and_a_tilde_around_the_folder_do_no_harm(chosen, arrays, monkeypatch):
    monkeypatch.setenv("HOME", str(chosen.parent))
    monkeypatch.setenv("MNIST_COURSE_DATA", f"  ~/{chosen.name} ")
    assert_holds(load_data(), arrays)


@pytest.mark.parametrize("place", ["nowhere", "file", "~no_such_user/mnist", "file/below", "empty"])
def test_a_wrong_folder_is_an_error_and_never_the_practice_set(chosen, monkeypatch, place):
    (chosen.parent / "file").write_text("a file")
    (chosen.parent / "empty").mkdir()
    where = place if place.startswith("~") else str(chosen.parent / place)
    monkeypatch.setenv("MNIST_COURSE_DATA", where)
    with pytest.raises(DataError, match=r"Set MNIST_COURSE_DATA|Copy what is missing") as caught:
        load_data()
    assert where in str(caught.value)
    assert os.environ["MNIST_COURSE_DATA"] == where


@pytest.mark.parametrize("gone", [[TRAIN_IMAGES], [TRAIN_LABELS, TEST_LABELS], NAMES])
def test_every_missing_file_is_named(chosen, gone):
    for name in gone:
        (chosen / f"{name}.gz").unlink()
    with pytest.raises(DataError, match=re.escape(f"{chosen} lacks {', '.join(gone)} ")) as caught:
        load_data()
    assert "python -m mnist_course data" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_folder_or_file_that_may_not_be_read_is_an_error(
    folder, open_folder, as_somebody, monkeypatch
):
    inner = open_folder / "inner"
    shutil.copytree(folder, inner)
    monkeypatch.setenv("MNIST_COURSE_DATA", str(inner))
    for locked in (inner, inner / f"{TRAIN_IMAGES}.gz"):
        locked.chmod(0)
        with as_somebody(), pytest.raises(DataError, match="denied"):
            load_data()
        locked.chmod(0o755)


def flipped(array):
    changed = array.copy()
    changed.reshape(-1)[array.size // 3] ^= 1
    return changed


def with_label(array, label):
    changed = array.copy()
    changed[3] = label
    return changed


# What is written in the place of one file: (file, array made of the four right ones, reason).
IMPOSTORS = {
    "labels for images": (TRAIN_IMAGES, lambda a: a[TRAIN_LABELS], "holds labels.*swapped"),
    "images for labels": (TEST_LABELS, lambda a: a[TEST_IMAGES], "holds images.*swapped"),
    "train labels beside test images": (
        TEST_LABELS,
        lambda a: a[TRAIN_LABELS],
        r"\(60,\).*\(20,\)",
    ),
    "test images for train images": (TRAIN_IMAGES, lambda a: a[TEST_IMAGES], r"shape \(20, 28, 28"),
    "ten labels fewer": (TRAIN_LABELS, lambda a: a[TRAIN_LABELS][:-10], r"\(50,\).*\(60,\)"),
    "no labels": (TRAIN_LABELS, lambda a: a[TRAIN_LABELS][:0], r"\(0,\)"),
    "14x56": (TRAIN_IMAGES, lambda a: a[TRAIN_IMAGES].reshape(60, 14, 56), r"\(60, 14, 56\)"),
    "flat pictures": (TRAIN_IMAGES, lambda a: a[TRAIN_IMAGES].reshape(60, 784), r"\(60, 784\)"),
    "one pixel changed": (TEST_IMAGES, lambda a: flipped(a[TEST_IMAGES]), "content is not MNIST's"),
    "one label changed": (
        TRAIN_LABELS,
        lambda a: flipped(a[TRAIN_LABELS]),
        "content is not MNIST's",
    ),
    "a label of 200": (TRAIN_LABELS, lambda a: with_label(a[TRAIN_LABELS], 200), "the label 200"),
    "blank pictures": (TRAIN_IMAGES, lambda a: a[TRAIN_IMAGES] * 0, "content is not MNIST's"),
    "negatives": (TRAIN_IMAGES, lambda a: 255 - a[TRAIN_IMAGES], "another data set"),
    "shuffled labels": (TRAIN_LABELS, lambda a: np.sort(a[TRAIN_LABELS]), "content is not MNIST's"),
    "int8": (TRAIN_IMAGES, lambda a: a[TRAIN_IMAGES].astype(np.int8), "int8.*uint8"),
    "int32": (TEST_LABELS, lambda a: a[TEST_LABELS].astype(np.int32), "int32.*uint8"),
    "floats": (TEST_IMAGES, lambda a: a[TEST_IMAGES].astype(np.float32), "float32.*uint8"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("fault", IMPOSTORS)
def test_a_file_that_is_not_the_official_one_is_refused(chosen, arrays, fault, suffix):
    name, make, reason = IMPOSTORS[fault]
    (chosen / f"{name}.gz").unlink()
    path = chosen / f"{name}{suffix}"
    write_idx(path, make(arrays))
    with pytest.raises(DataError, match=reason) as caught:
        load_data()
    assert str(path) in str(caught.value)
    assert NEXT_STEP.search(str(caught.value)), caught.value
    assert os.environ["MNIST_COURSE_DATA"] == str(chosen), "fell back to something else"


@pytest.mark.parametrize(
    "content", [b"", b"<html></html>", b"\x1f\x8b\x08\x00", b"version https://git-lfs.github.com/"]
)
def test_a_file_that_is_no_idx_file_is_a_data_error(chosen, content):
    path = chosen / f"{TEST_LABELS}.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(path))) as caught:
        load_data()
    assert NEXT_STEP.search(str(caught.value))


def test_a_loop_or_a_folder_in_the_place_of_a_file_is_a_data_error(chosen):
    path = chosen / f"{TEST_LABELS}.gz"
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(DataError, match="exists but is not a file"):
        load_data()
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="exists but is not a file"):
        load_data()


def test_digits_are_compared_as_objects_and_not_array_by_array(chosen):
    digits = load_data()
    assert digits == digits and digits != load_data()


def test_both_swapped_files_are_refused(chosen):
    one, other = chosen / f"{TRAIN_IMAGES}.gz", chosen / f"{TRAIN_LABELS}.gz"
    one.rename(chosen / "x")
    other.rename(one)
    (chosen / "x").rename(other)
    with pytest.raises(DataError, match="were two files swapped"):
        load_data()


def test_a_bomb_in_the_place_of_a_file_costs_little_memory(chosen):
    """The header promises 1 GiB and keeps the promise, in 1 MB."""
    with gzip.open(chosen / f"{TRAIN_IMAGES}.gz", "wb", compresslevel=1) as file:
        file.write(bytes([0, 0, 8, 1, 0x40, 0, 0, 0]))
        file.write(bytes(2**24))  # the rest need not be there: the header is enough
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than the"):
            load_data()
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_fashion_mnist_under_the_names_of_mnist_is_refused(mnist_folder, tmp_path, monkeypatch):
    """Right shapes, right types, other pictures: MNIST's own, in another order."""
    digits = read_folder(mnist_folder)
    order = np.random.default_rng(0).permutation(60_000)
    write_idx(tmp_path / TRAIN_IMAGES, digits.train_images[order])
    write_idx(tmp_path / TRAIN_LABELS, digits.train_labels[order])
    write_idx(tmp_path / TEST_IMAGES, digits.test_images)
    write_idx(tmp_path / TEST_LABELS, digits.test_labels)
    with pytest.raises(DataError, match="another data set under the same name"):
        read_folder(tmp_path)


# The cache, and a download into it --------------------------------------------------------------


@pytest.fixture
def online(local_server, small_mnist, empty_cache, monkeypatch):
    """A new machine with a network on which one mirror has the four small files."""
    local_server.files = small_mnist
    mirror = local_server.good()
    monkeypatch.setattr(module, "download", lambda folder: download(folder, [mirror]))
    return local_server


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The practice set, made once (a second of work)."""
    return practice.make_practice_set(tmp_path_factory.mktemp("made") / "practice")


@pytest.fixture
def offline(small_mnist, empty_cache, made, monkeypatch):
    """A new machine without a network, on which the practice set was made before."""
    shutil.copytree(made, empty_cache / "practice")
    monkeypatch.setattr(module, "download", lambda folder: download(folder, [closed_port()]))


def fetched(server):
    return [name for command, _, name in server.asked if command == "GET"]


def test_what_is_missing_is_downloaded_once_and_kept(online, arrays, empty_cache, small_mnist):
    assert_holds(load_data(), arrays)
    assert fetched(online) == list(small_mnist)
    digits = load_data()
    assert_holds(digits, arrays)
    assert digits.folder == empty_cache / "mnist"
    assert len(fetched(online)) == 4, "downloaded twice"


def test_an_empty_variable_counts_as_unset(online, arrays, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "   ")
    assert_holds(load_data(), arrays)


def test_files_that_lie_in_the_cache_are_used_without_a_network(offline, arrays, empty_cache):
    for name, array in arrays.items():
        write_idx(empty_cache / "mnist" / name, array)
    assert_holds(load_data(), arrays)


@pytest.mark.parametrize("damage", [b"", b"half", b"<html>"])
def test_a_damaged_file_in_the_cache_is_fetched_again(
    online, arrays, empty_cache, small_mnist, damage
):
    load_data()
    online.asked.clear()
    (empty_cache / "mnist" / f"{TEST_IMAGES}.gz").write_bytes(damage)
    assert_holds(load_data(), arrays)
    assert fetched(online) == [f"{TEST_IMAGES}.gz"]
    assert names_in(empty_cache / "mnist") == sorted(small_mnist)


def test_a_damaged_raw_file_in_the_cache_is_set_aside(online, arrays, empty_cache):
    raw = empty_cache / "mnist" / TRAIN_LABELS
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"half a file")
    assert_holds(load_data(), arrays)
    assert not raw.exists()
    assert raw.with_name(f"{TRAIN_LABELS}.damaged").read_bytes() == b"half a file"


def test_what_a_killed_download_left_is_removed_when_it_is_old(online, empty_cache, small_mnist):
    cache = empty_cache / "mnist"
    cache.mkdir(parents=True)
    old, new = (f".{TRAIN_IMAGES}.gz.{age}.part" for age in ("old", "new"))
    for name in (old, new):
        (cache / name).write_bytes(b"part of a file")
    os.utime(cache / old, (time.time() - 7200,) * 2)
    load_data()
    assert names_in(cache) == sorted([*small_mnist, new])


def test_without_a_network_the_practice_set_steps_in_and_says_why(
    offline, empty_cache, capfd, monkeypatch
):
    digits = load_data()
    assert (digits.source, digits.is_mnist) == ("practice set", False)
    assert os.environ["MNIST_COURSE_DATA"] == "practice", "what starts later would try again"
    assert load_data().source == "practice set"
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "1,797 small digits" in printed.err
    assert "no mirror of MNIST can be reached" in printed.err
    assert "other numbers than the book's" in printed.err


def test_without_a_network_a_damaged_file_in_the_cache_is_named_too(offline, empty_cache, capfd):
    path = empty_cache / "mnist" / f"{TRAIN_IMAGES}.gz"
    path.parent.mkdir(parents=True)
    for name in NAMES:
        path.with_name(f"{name}.gz").write_bytes(b"<html>")
    assert not load_data().is_mnist
    said = capfd.readouterr().err
    assert f"{path} is not an IDX file but a web page" in said
    assert "no mirror of MNIST can be reached" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_load_at_once_all_get_the_digits(
    local_server, small_mnist, in_children, tmp_path, damaged
):
    local_server.files = small_mnist
    if damaged:
        (tmp_path / "mnist").mkdir()
        for name in small_mnist:
            (tmp_path / "mnist" / name).write_bytes(b"half")
    code = in_children + (
        "from pathlib import Path\n"
        "from mnist_course.data import digits as data, download\n"
        f"data.cache_dir = lambda: Path({str(tmp_path)!r})\n"
        f"data.download = lambda folder: download.download(folder, [{local_server.good()!r}])\n"
        "WAIT\n"
        "print(data.load_data().source)\n"
    )
    done = at_once(code, 4, MNIST_COURSE_DATA="", MNIST_COURSE_ANNOUNCED="")
    assert done == [("MNIST\n", "", 0)] * 4
    assert names_in(tmp_path / "mnist") == sorted(small_mnist)


def test_loading_needs_neither_torch_nor_matplotlib(run_python):
    done = run_python(
        "import sys, mnist_course, mnist_course.data, mnist_course.exercises\n"
        "mnist_course.data.load_data()\n"
        "print([name for name in ('torch', 'matplotlib', 'torchvision') if name in sys.modules])\n"
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


# The practice set -------------------------------------------------------------------------------


@pytest.fixture
def practice_chosen(empty_cache, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
    return empty_cache / "practice"


def test_the_practice_set_has_the_form_of_mnist(made):
    arrays = {name: module.read_idx(made / f"{name}.gz") for name in NAMES}
    assert arrays[TRAIN_IMAGES].shape == (1400, 28, 28)
    assert arrays[TEST_IMAGES].shape == (397, 28, 28)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}
    labels = np.concatenate([arrays[TRAIN_LABELS], arrays[TEST_LABELS]])
    assert np.array_equal(labels, sklearn.datasets.load_digits().target)
    images = np.concatenate([arrays[TRAIN_IMAGES], arrays[TEST_IMAGES]]).astype(float)
    assert images.max() == 255
    assert np.median(images) == 0, "white ink on black paper"
    for image in images[::50]:
        ink = np.argwhere(image > 0)
        assert (np.ptp(ink, axis=0) < 20).all(), "the ink fits into 20x20"
        center = (image[..., None] * np.indices((28, 28)).transpose(1, 2, 0)).sum((0, 1))
        assert np.allclose(center / image.sum(), 14, atol=0.51), "centered by its mass, as MNIST"


def test_practice_digits_can_be_told_apart_by_the_nearest_neighbor(made):
    """Labels belong to their pictures: a wrong order would leave one right answer in ten."""
    train, labels, test, expected = (
        module.read_idx(made / f"{name}.gz").astype(float) for name in NAMES
    )
    distances = cdist(test.reshape(-1, 784), train.reshape(-1, 784))  # (397, 1400)
    assert (labels[distances.argmin(axis=1)] == expected).mean() > 0.9


def test_the_practice_set_is_announced_once_over_processes(run_python, made, tmp_path):
    """One line on standard error, from the first process; its children stay silent."""
    shutil.copytree(made, tmp_path / "mnist-course" / "practice")
    done = run_python(
        "import subprocess, sys\n"
        "from mnist_course.data import load_data\n"
        "code = 'from mnist_course.data import load_data; print(load_data().source)'\n"
        "assert load_data().source == load_data().source == 'practice set'\n"
        "subprocess.run([sys.executable, '-c', code], check=True)\n",
        MNIST_COURSE_DATA="practice",
        MNIST_COURSE_ANNOUNCED=None,
        XDG_CACHE_HOME=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "practice set\n")
    assert done.stderr.count("Practice set:") == done.stderr.count("\n") == 1


def test_processes_that_make_the_practice_set_at_once_all_succeed(made, tmp_path):
    code = (
        "import sys, types\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from scipy import ndimage\n"
        "from mnist_course.data import digits as data, practice\n"
        # Sixty pictures that need no scikit-learn, whose import alone takes a second.
        "rng = np.random.default_rng(0)\n"
        "few = types.SimpleNamespace(images=rng.random((60, 8, 8)), target=np.arange(60) % 10)\n"
        "sys.modules['sklearn'] = types.ModuleType('sklearn')\n"
        "sys.modules['sklearn.datasets'] = types.SimpleNamespace(load_digits=lambda: few)\n"
        "practice.NUM_TRAIN = 40\n"
        f"data.cache_dir = lambda: Path({str(tmp_path)!r})\n"
        "WAIT\n"
        "print(len(data.load_data().train_labels))\n"
    )
    done = at_once(code, 4, MNIST_COURSE_DATA="practice", MNIST_COURSE_ANNOUNCED="1")
    assert done == [("40\n", "", 0)] * 4
    assert names_in(tmp_path / "practice") == names_in(made)


def damage_a_file(folder):
    path = folder / f"{TRAIN_LABELS}.gz"
    path.write_bytes(path.read_bytes()[:-20])


def change_a_pixel(folder):
    path = folder / f"{TRAIN_IMAGES}.gz"
    write_idx(path, flipped(module.read_idx(path)))


def remove_a_file(folder):
    (folder / f"{TEST_LABELS}.gz").unlink()


def cut_the_manifest(folder):
    (folder / practice.MANIFEST).write_text('{"train-images')


def empty_the_manifest(folder):
    (folder / practice.MANIFEST).write_text("{}")


def garble_the_manifest(folder):
    (folder / practice.MANIFEST).write_bytes(b"\xff\xfe[1]")


def list_as_manifest(folder):
    (folder / practice.MANIFEST).write_text("[]")


def remove_the_manifest(folder):
    (folder / practice.MANIFEST).unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        damage_a_file,
        change_a_pixel,
        remove_a_file,
        cut_the_manifest,
        empty_the_manifest,
        garble_the_manifest,
        list_as_manifest,
        remove_the_manifest,
    ],
)
def test_a_damaged_practice_set_is_made_again(practice_chosen, monkeypatch, tmp_path, spoil):
    bundled = sklearn.datasets.load_digits()
    few = SimpleNamespace(images=bundled.images[:60], target=bundled.target[:60])
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: few)  # quicker than all 1,797
    monkeypatch.setattr(practice, "NUM_TRAIN", 40)
    right = practice.make_practice_set(tmp_path / "right")
    shutil.copytree(right, practice_chosen)
    spoil(practice_chosen)
    assert len(load_data().train_labels) == 40
    for path in right.iterdir():
        assert (practice_chosen / path.name).read_bytes() == path.read_bytes(), path.name


def test_an_intact_practice_set_is_not_made_again(practice_chosen, made):
    shutil.copytree(made, practice_chosen)
    before = {path.name: path.stat().st_mtime_ns for path in practice_chosen.iterdir()}
    load_data()
    assert {path.name: path.stat().st_mtime_ns for path in practice_chosen.iterdir()} == before


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    practice_chosen, tmp_path, monkeypatch, capfd
):
    practice_chosen.parent.write_text("a file in the place of the cache folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    digits = load_data()
    assert len(digits.train_labels) == 1400
    assert tmp_path in digits.folder.parents


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_new_machine_with_a_locked_cache_runs_on_the_practice_set(
    local_server, small_mnist, open_folder, as_somebody, made, monkeypatch, mode
):
    """Nothing can be downloaded into it, and nothing made in it."""
    local_server.files = small_mnist
    mirror = local_server.good()
    monkeypatch.setattr(module, "download", lambda folder: download(folder, [mirror]))
    monkeypatch.setenv("MNIST_COURSE_DATA", "")
    monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "")
    cache, temporary = open_folder / "cache", open_folder / "temporary"
    cache.mkdir(mode)
    shutil.copytree(made, temporary / "mnist-course-practice")
    temporary.chmod(0o755)
    monkeypatch.setattr(module, "cache_dir", lambda: cache)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with as_somebody():
        digits = load_data()
    assert digits.source == "practice set"
    assert names_in(cache) == []


# Agreement with torchvision ---------------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False])
def test_every_picture_and_label_is_torchvisions(mnist_folder, tmp_path, train):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        path = find_file(mnist_folder, name)
        content = path.read_bytes()
        (raw / name).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    theirs = MNIST(tmp_path, train=train)
    digits = read_folder(mnist_folder)
    images, labels = (
        (digits.train_images, digits.train_labels)
        if train
        else (digits.test_images, digits.test_labels)
    )
    assert np.array_equal(images, theirs.data.numpy())
    assert np.array_equal(labels, theirs.targets.numpy())


def test_mean_and_std_are_those_of_the_training_pixels(mnist_folder):
    pixels = torch.from_numpy(read_folder(mnist_folder).train_images).double() / 255
    assert round(pixels.mean().item(), 4) == MEAN
    assert round(pixels.std().item(), 4) == STD


def test_normalize_is_to_tensor_and_normalize(digits):
    pipeline = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    images = digits.test_images[:200]
    expected = torch.stack([pipeline(image) for image in images])  # (200, 1, 28, 28)
    for raw in (torch.from_numpy(images), torch.from_numpy(images)[:, None]):
        before = raw.clone()
        found = normalize(raw)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
        assert torch.equal(raw, before), "the raw pixels were changed"


def test_what_has_been_scaled_is_not_scaled_again(digits):
    once = normalize(torch.from_numpy(digits.test_images[:2]))
    for scaled in (once, once.double(), torch.zeros(2, 28, 28, dtype=torch.int64)):
        with pytest.raises(ValueError, match="scaled before"):
            normalize(scaled)


# Tensors, splits, batches -----------------------------------------------------------------------


def test_tensors_are_what_cross_entropy_wants(digits):
    X, y = to_tensors(digits.test_images[:50], digits.test_labels[:50])
    assert (X.shape, X.dtype, y.dtype) == ((50, 1, 28, 28), torch.float32, torch.int64)
    assert y.tolist() == digits.test_labels[:50].tolist()
    before = digits.test_images[:50].copy()
    X.zero_()
    y.zero_()
    assert np.array_equal(digits.test_images[:50], before), "tensors share memory with the arrays"


def test_tensors_of_a_reversed_or_read_only_array_are_right(digits):
    images, labels = digits.test_images[:5], digits.test_labels[:5]
    locked = images.copy()
    locked.flags.writeable = False
    for view, its_labels in ((images[::-1], labels[::-1]), (locked, labels)):
        X, y = to_tensors(view, its_labels)
        assert torch.equal(X, normalize(torch.from_numpy(view.copy())))
        assert y.tolist() == its_labels.tolist()


@pytest.mark.parametrize("labels", [[0, 1, 10], [0, 1, 255], [0, -1, 3], [0, -100, 3]])
def test_a_label_out_of_range_is_refused(labels):
    with pytest.raises(ValueError, match=r"digits are 0\.\.9"):
        to_tensors(np.zeros((3, 28, 28), np.uint8), np.array(labels))


def test_images_and_labels_of_different_number_are_refused():
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        to_tensors(np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.uint8))


def test_scaled_images_are_refused():
    with pytest.raises(ValueError, match="scaled before"):
        to_tensors(np.zeros((3, 28, 28), np.float32), np.zeros(3, np.uint8))


@settings(deadline=None)
@given(data=st.data(), n=st.integers(2, 500), seed=st.integers(0, 2**32))
def test_a_split_is_disjoint_complete_and_repeatable(data, n, seed):
    num_valid = data.draw(st.integers(1, n - 1))
    train, valid = split_train_valid(n, num_valid, seed)
    assert (len(train), len(valid)) == (n - num_valid, num_valid)
    assert sorted([*train, *valid]) == list(range(n))
    again = split_train_valid(n, num_valid, seed)
    assert np.array_equal(train, again[0])
    assert np.array_equal(valid, again[1])


def test_a_split_is_drawn_at_random_and_depends_on_the_seed():
    _, valid = split_train_valid(10_000, 5_000, seed=1)
    assert 4_700 < (valid < 5_000).sum() * 2 < 5_300
    assert not np.array_equal(valid, split_train_valid(10_000, 5_000, seed=2)[1])
    # The same on every machine and with every version: these numbers are written down.
    assert split_train_valid(10, 3)[1].tolist() == [4, 6, 2]


@pytest.mark.parametrize("num_valid", [0, 10, 11, -1])
def test_a_split_that_leaves_nothing_is_refused(num_valid):
    with pytest.raises(ValueError, match="choose a number from 1 to 9"):
        split_train_valid(10, num_valid)


X, Y = torch.arange(46.0).reshape(23, 2), torch.arange(23) % 10


def test_unshuffled_batches_are_those_of_a_data_loader():
    ours = list(Batches(X, Y, 5, shuffle=False))
    theirs = list(DataLoader(TensorDataset(X, Y), batch_size=5, shuffle=False))
    assert len(ours) == len(theirs) == 5
    for (our_x, our_y), (their_x, their_y) in zip(ours, theirs, strict=True):
        assert torch.equal(our_x, their_x)
        assert torch.equal(our_y, their_y)


@settings(deadline=None)
@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 99))
def test_a_shuffled_pass_brings_every_example_once(n, batch_size, seed):
    batches = Batches(
        torch.arange(n)[:, None], torch.arange(n), batch_size, shuffle=True, seed=seed
    )
    passed = list(batches)
    assert len(passed) == len(batches) == -(-n // batch_size)
    assert batches.num_examples == n
    sizes = [len(y) for _, y in passed]
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    assert sum(sizes) == n
    assert sorted(torch.cat([y for _, y in passed]).tolist()) == list(range(n))
    for images, labels in passed:
        assert torch.equal(images[:, 0], labels), "images and labels were parted"


def orders(batches, passes):
    return [torch.cat([x for x, _ in batches])[:, 0].tolist() for _ in range(passes)]


def test_the_order_depends_on_seed_and_epoch_alone():
    first = orders(Batches(X, Y, 5, shuffle=True, seed=3), 3)
    torch.manual_seed(1)
    np.random.default_rng(1)
    again = Batches(X, Y, 5, shuffle=True, seed=3)
    assert orders(again, 3) == first
    assert len({tuple(order) for order in first}) == 3, "every pass has its own order"
    assert orders(Batches(X, Y, 5, shuffle=True, seed=4), 1)[0] not in first
    assert orders(Batches(X, Y, 23, shuffle=True, seed=3), 1)[0] == first[0]
    again.epoch = 1
    assert orders(again, 1)[0] == first[1]
    assert again.epoch == 2


def test_shuffling_leaves_torchs_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(Batches(X, Y, 5, shuffle=True))
    assert torch.equal(torch.rand(3), expected)


def test_a_pass_that_is_broken_off_does_not_disturb_the_next():
    batches = Batches(X, Y, 5, shuffle=True)
    next(iter(batches))
    assert orders(batches, 1)[0] == orders(Batches(X, Y, 5, shuffle=True), 2)[1]


@pytest.mark.parametrize(
    ("x", "y", "size", "reason"),
    [(X, Y[:-1], 5, "23 images and 22"), (X[:0], Y[:0], 5, "not 0"), (X, Y, 0, "at least one")],
)
def test_batches_of_nothing_are_refused(x, y, size, reason):
    with pytest.raises(ValueError, match=reason):
        Batches(x, y, size, shuffle=True)


def test_shuffle_must_be_written_out():
    with pytest.raises(TypeError):
        Batches(X, Y, 5)
