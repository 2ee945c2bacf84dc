"""A checkpoint is the old one or the new one; what is damaged, foreign or hostile is refused."""

import errno
import hashlib
import io
import os
import pickle
import random
import zipfile

import pytest
import torch
from torch import nn

from mnist_course import files
from mnist_course.files import SaveError
from mnist_course.training.checkpoint import (
    CheckpointError,
    fingerprint,
    load_checkpoint,
    previous_of,
    restore_model,
    save_checkpoint,
)
from mnist_course.training.keeper import Keeper
from tests.conftest import names_in

torch.set_num_threads(1)


def make_model(num_hidden=8, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, num_hidden),
        nn.BatchNorm1d(num_hidden),
        nn.ReLU(),
        nn.Linear(num_hidden, 3),
    )


def make_content(seed=0, **more):
    return {"model": make_model(seed=seed).state_dict(), "step": 7, "note": "plain", **more}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.pt"
    save_checkpoint(path, make_content())
    return path


def sealed_bytes(archive):
    """Add a valid checksum, as anybody could who has read how it is made."""
    body = archive[:-2] + (71).to_bytes(2, "little")
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def equal(one, other):
    """Compare nested dicts and lists of tensors and plain values, types included."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


# What goes in comes out --------------------------------------------------------------------------


def test_everything_comes_back_as_it_was(tmp_path):
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model(torch.randn(4, 4, 4)).sum().backward()
    optimizer.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "empty": {},
        "rows": [{"number": 1, "loss": 0.1, "valid": None}],
        "bfloat16": torch.randn(3).bfloat16(),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "name": "Überprüfung",
    }
    save_checkpoint(tmp_path / "run.pt", content)
    assert equal(load_checkpoint(tmp_path / "run.pt"), content)


def test_plain_torch_opens_the_file_too(path):
    content = torch.load(path, weights_only=True)
    assert equal(content, make_content())
    assert zipfile.ZipFile(path).testzip() is None


def test_the_one_before_is_kept(path):
    save_checkpoint(path, make_content(seed=1))
    save_checkpoint(path, make_content(seed=2))
    assert names_in(path.parent) == ["run.pt", "run.pt.previous"]
    assert equal(load_checkpoint(path), make_content(seed=2))
    assert equal(load_checkpoint(previous_of(path)), make_content(seed=1))


def test_missing_folders_are_made(tmp_path):
    save_checkpoint(tmp_path / "model" / "run.pt", make_content())
    assert equal(load_checkpoint(tmp_path / "model" / "run.pt"), make_content())


# What is refused ---------------------------------------------------------------------------------


def test_a_single_flipped_bit_is_refused_wherever_it_is(path):
    """Plain torch.load takes nearly all of them."""
    good, rng = path.read_bytes(), random.Random(0)
    ends = {*range(100), *range(len(good) - 120, len(good))}
    for place in sorted({*range(0, len(good), 11), *ends}):
        data = bytearray(good)
        data[place] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(path)
        assert str(path) in str(caught.value)
    path.write_bytes(good)
    load_checkpoint(path)


def test_every_shorter_or_longer_file_is_refused(path):
    good = path.read_bytes()
    for data in (*(good[:end] for end in range(0, len(good), 7)), good + b"\0", good + good):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"run\.pt"):
            load_checkpoint(path)


class Payload:
    """Asks the reader of the file to create another file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


def hostile(target):
    buffer = io.BytesIO()
    torch.save({"model": Payload(target)}, buffer)
    return buffer.getvalue()


STRANGERS = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "text": (b"epoch 1  loss 0.3\n" * 40, "looks like text"),
    "a web page": (b"\n<!DOCTYPE html><html>not found</html>", "is a web page"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "a pickle": (pickle.dumps([1, 2]), "is a pickle, which may run code"),
    "zeros": (bytes(1000), "begins with the bytes 00 00 00 00"),
    "an archive of something else": (b"PK\x03\x04" + bytes(500), "is damaged"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_file_of_another_kind_is_refused_by_name(path, kind):
    data, reason = STRANGERS[kind]
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"run\.pt .*{reason}.* (Move|rename) "):
        load_checkpoint(path)


def test_what_torch_saved_without_a_checksum_is_refused(path):
    torch.save(make_content(), path)
    with pytest.raises(CheckpointError, match=r"no checksum: it was written by torch\.save"):
        load_checkpoint(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.pt cannot be read: No such file"):
        load_checkpoint(tmp_path / "gone.pt")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("variable", [None, "1", "true"])
def test_a_payload_does_not_run_even_under_a_valid_checksum(
    path, tmp_path, monkeypatch, sealed, variable
):
    target = tmp_path / "owned"
    data = hostile(target)
    path.write_bytes(sealed_bytes(data) if sealed else data)
    if variable:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", variable)
    with pytest.raises(
        CheckpointError, match=r"Unset it|do not open it in another way|no checksum"
    ):
        load_checkpoint(path)
    assert not target.exists()


def test_a_whole_model_is_refused(path):
    buffer = io.BytesIO()
    torch.save({"model": make_model()}, buffer)
    path.write_bytes(sealed_bytes(buffer.getvalue()))
    with pytest.raises(CheckpointError, match="more than tensors and numbers"):
        load_checkpoint(path)


@pytest.mark.parametrize("value", ["1", "yes", "TRUE"])
def test_a_good_file_is_not_opened_while_the_guard_is_switched_off(path, monkeypatch, value):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", value)
    with pytest.raises(CheckpointError, match=r"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set.*Unset it"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="Unset it"):
        save_checkpoint(path, make_content())
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0")
    load_checkpoint(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(path, value):
    good = path.read_bytes()
    content = make_content()
    content["model"]["1.weight"][2, 3] = value
    with pytest.raises(
        CheckpointError, match=r"not written: model 1\.weight holds NaN or infinity"
    ):
        save_checkpoint(path, content)
    assert path.read_bytes() == good
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(sealed_bytes(buffer.getvalue()))
    with pytest.raises(CheckpointError, match=r"of no use: model 1\.weight holds NaN or infinity"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [{"model": make_model()}, {"when": io.StringIO},
                                     {"a": object}])  # fmt: skip
def test_what_could_not_be_loaded_again_is_not_saved(path, content):
    good = path.read_bytes()
    with pytest.raises(
        CheckpointError, match=r"not written: (model|when|a) is a .*plain values only"
    ):
        save_checkpoint(path, content)
    assert path.read_bytes() == good
    assert names_in(path.parent) == ["run.pt"]


def nested(levels):
    content = "the last"
    for _ in range(levels):
        content = [content]
    return content


def round_and_round():
    inner = {"more": []}
    inner["more"].append(inner)
    return inner


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        (round_and_round(), "model more 0 holds itself"),
        (nested(19), None),
        (nested(20), r"model( 0){19} lies more than 20 levels deep"),
        (nested(300), r"model( 0){19} lies more than 20 levels deep"),
    ],
)
def test_what_holds_itself_or_is_nested_without_end_is_neither_saved_nor_loaded(path, value, reply):
    """Such a file takes a kilobyte, and whoever follows it never comes back."""
    content = {"model": value}
    if reply is None:
        save_checkpoint(path, content)
        assert load_checkpoint(path) == content
        return
    with pytest.raises(CheckpointError, match=f"not written: {reply}"):
        save_checkpoint(path, content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(sealed_bytes(buffer.getvalue()))
    with pytest.raises(CheckpointError, match=reply):
        load_checkpoint(path)


def test_what_is_there_many_times_is_looked_at_once(path):
    """Eighteen lists, each ten times the one before: 10**18 values in a small file."""
    laughs = "ha"
    for _ in range(18):
        laughs = [laughs] * 10
    buffer = io.BytesIO()
    torch.save({"model": laughs, "weights": torch.tensor(float("nan"))}, buffer)
    path.write_bytes(sealed_bytes(buffer.getvalue()))
    with pytest.raises(CheckpointError, match="weights holds NaN"):
        load_checkpoint(path)


def test_the_message_names_the_one_before_if_it_is_whole(path):
    save_checkpoint(path, make_content(seed=1))
    path.write_bytes(path.read_bytes()[:-1000])
    reply = r"is damaged.*The one before it, .*run\.pt\.previous, is whole: rename it to run\.pt"
    with pytest.raises(CheckpointError, match=reply):
        load_checkpoint(path)
    previous_of(path).write_bytes(b"")
    with pytest.raises(CheckpointError, match="Move it away or name another file"):
        load_checkpoint(path)


def test_the_tensors_come_to_the_cpu(path):
    """A file of a GPU must open where there is none; the tag in it is what decides."""
    data = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.endswith("data.pkl"):
                part = part.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
                assert b"cuda:0" in part
            new.writestr(name, part)
    path.write_bytes(sealed_bytes(buffer.getvalue()))
    loaded = load_checkpoint(path)
    assert all(t.device.type == "cpu" for t in loaded["model"].values())
    assert equal(loaded, make_content())


# Weights into a model ----------------------------------------------------------------------------


def test_all_weights_are_put_back_or_none(path):
    model = make_model(seed=5)
    restore_model(model, load_checkpoint(path)["model"], path)
    assert equal(model.state_dict(), make_model().state_dict())


@pytest.mark.parametrize(
    ("change", "reply"),
    [
        (
            lambda m: make_model(num_hidden=12),
            r"1\.weight is \(8, 16\) float32 there and \(12, 16\)",
        ),
        (lambda m: m.double(), r"1\.weight is \(8, 16\) float32 there and \(8, 16\) float64"),
        (lambda m: m[:4], r"4\.weight is \(3, 8\) float32 there and missing in yours"),
        (lambda m: m.append(nn.Linear(3, 3)), r"5\.weight is missing there and \(3, 3\) float32"),
    ],
)
def test_weights_of_another_model_are_refused_and_change_nothing(path, change, reply):
    model = change(make_model(seed=5))
    before = fingerprint(model)
    with pytest.raises(CheckpointError, match=reply):
        restore_model(model, load_checkpoint(path)["model"], path)
    assert fingerprint(model) == before


def test_a_fingerprint_sees_every_bit_and_nothing_else():
    model = make_model()
    first = fingerprint(model)
    assert len(first) == 64
    assert (
        fingerprint(make_model())
        == first
        == fingerprint(model.to(memory_format=torch.preserve_format))
    )
    with torch.no_grad():
        model[1].weight[0, 0] = torch.nextafter(model[1].weight[0, 0], torch.tensor(9.0))
    assert fingerprint(model) != first
    model = make_model()
    model[2].num_batches_tracked += 1
    assert fingerprint(model) != first
    assert fingerprint(make_model().double()) != first
    images = nn.Conv2d(2, 4, 3)
    assert fingerprint(images) == fingerprint(images.to(memory_format=torch.channels_last))
    assert len(fingerprint(make_model().bfloat16())) == 64


# Disks that are full, folders that are closed ----------------------------------------------------


def test_a_full_disk_keeps_the_last_checkpoint(path, monkeypatch):
    good = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(SaveError, match=r"was not written: No space left.*untouched"):
        save_checkpoint(path, make_content(seed=1))
    assert path.read_bytes() == good
    assert set(names_in(path.parent)) <= {"run.pt", "run.pt.previous"}


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
def test_a_write_that_the_system_cuts_short_keeps_the_last_checkpoint(path, run_python):
    good = path.read_bytes()
    done = run_python(
        "import resource, torch\n"
        "from mnist_course.training.checkpoint import save_checkpoint\n"
        "from mnist_course.files import SaveError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        f"    save_checkpoint({str(path)!r}, {{'model': torch.zeros(100_000)}})\n"
        "except SaveError as error:\n"
        "    print(error)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{path} was not written: File too large" in done.stdout
    assert path.read_bytes() == good
    assert names_in(path.parent) == ["run.pt"]


def test_where_files_have_one_name_only_the_one_before_is_copied(path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("mnist_course.training.checkpoint.os.link", link)
    save_checkpoint(path, make_content(seed=1))
    assert equal(load_checkpoint(previous_of(path)), make_content())
    assert equal(load_checkpoint(path), make_content(seed=1))


class Part:
    """Something with a state, as an optimizer has."""

    def __init__(self, **state):
        self.state = state

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = {"value": state["value"]}


def keeper(path, model=None, about=None, every=None, **part):
    parts = {"model": model or make_model(), "run": Part(**(part or {"value": 1}))}
    return Keeper(path, parts, about or {"seed": 0}, every)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_folder_that_cannot_be_written_is_found_out_at_the_beginning(open_folder, as_somebody):
    path = open_folder / "inner" / "run.pt"
    keeper(path).open(resume=False)
    good = path.read_bytes()
    path.parent.chmod(0o555)
    with as_somebody():
        with pytest.raises(SaveError, match="nothing can be written beside"):
            keeper(path).open(resume=True)
        with pytest.raises(SaveError, match=r"other\.pt was not written: Permission denied"):
            keeper(path.with_name("other.pt")).open(resume=False)
    assert path.read_bytes() == good


# A run and its file ------------------------------------------------------------------------------


def test_a_file_that_exists_is_not_overwritten(path):
    good = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"run\.pt exists, and is not overwritten.*resume it"):
        keeper(path).open(resume=False)
    assert path.read_bytes() == good
    assert names_in(path.parent) == ["run.pt"]


def test_a_new_run_writes_its_file_before_the_first_step(tmp_path):
    path = tmp_path / "run.pt"
    assert keeper(path).open(resume=False) is None
    assert load_checkpoint(path)["run"] == {"value": 1}
    assert keeper(tmp_path / "other.pt").open(resume=True) is None
    assert load_checkpoint(tmp_path / "other.pt")["run"] == {"value": 1}


def test_the_one_before_is_not_overwritten_by_a_new_run(path):
    path.rename(previous_of(path))
    for resume in (False, True):
        with pytest.raises(
            CheckpointError, match=r"missing.*run\.pt\.previous, is there. Rename it"
        ):
            keeper(path).open(resume)
    assert names_in(path.parent) == ["run.pt.previous"]


def test_a_resumed_run_takes_everything_over(tmp_path):
    first = keeper(tmp_path / "run.pt", value=41)
    first.open(resume=False)
    second = keeper(tmp_path / "run.pt", make_model(seed=3), value=0)
    assert second.open(resume=True) is None, "nothing to say about the same machine"
    assert second.parts["run"].state == {"value": 41}
    assert fingerprint(second.parts["model"]) == fingerprint(make_model())


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ({"about": {"seed": 1}}, "another run: seed is 0 there and 1 here"),
        ({"model": make_model(num_hidden=12)}, r"another model: 1\.weight is \(8, 16\)"),
        ({"wrong": 1}, "does not fit|does not hold"),
    ],
)
def test_another_run_is_not_resumed(tmp_path, options, reply):
    path = tmp_path / "run.pt"
    keeper(path, **({"wrong": 1} if "wrong" in options else {})).open(resume=False)
    good = path.read_bytes()
    options.pop("wrong", None)
    with pytest.raises(CheckpointError, match=reply):
        keeper(path, **options).open(resume=True)
    assert path.read_bytes() == good


def test_of_many_differences_the_message_shows_the_first(tmp_path):
    path = tmp_path / "run.pt"
    there = {
        "layers": "Sequential(\n  (0): Linear(8)\n  (1): ReLU()\n)",
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 4,
    }
    here = {
        "layers": "Sequential(\n  (0): Linear(8)\n  (1): Tanh()\n)",
        "a": 5,
        "b": 6,
        "c": 7,
        "d": 8,
    }
    keeper(path, about=there).open(resume=False)
    reply = (
        r"layers is \(1\): ReLU\(\) there and \(1\): Tanh\(\) here; a is 1.*; b is 2.*; and 2 more"
    )
    with pytest.raises(CheckpointError, match=reply):
        keeper(path, about=here).open(resume=True)


def test_a_model_alone_is_no_run(path):
    with pytest.raises(
        CheckpointError, match=r"not hold a run.*: about, made_with, run is missing"
    ):
        keeper(path).open(resume=True)


def test_a_change_of_the_machine_is_said_in_one_line(tmp_path):
    path = tmp_path / "run.pt"
    keeper(path).open(resume=False)
    content = load_checkpoint(path)
    content["made_with"] |= {"threads": 64, "torch": "2.11.0"}
    save_checkpoint(path, content)
    line = keeper(path).open(resume=True)
    assert f"threads 64 then, 1 now; torch 2.11.0 then, {torch.__version__} now" in line
    assert "not the same to the last bit" in line
    assert "\n" not in line


def test_checkpoints_come_every_so_many_steps(tmp_path):
    kept = keeper(tmp_path / "run.pt", every=3)
    kept.open(resume=False)
    seen = []
    for step in range(1, 8):
        kept.parts["run"].state["value"] = step
        kept.after_step(step)
        seen.append(load_checkpoint(kept.path)["run"]["value"])
    assert seen == [1, 1, 3, 3, 3, 6, 6]
    with pytest.raises(ValueError, match="save_every=0"):
        keeper(tmp_path / "other.pt", every=0)
