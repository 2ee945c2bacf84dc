"""Chapter 10: answers that must be accepted, and slips that must not."""

import hashlib
import io
import os
import random
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch

from mnist_course.files import atomic_write


def _hashed(seed, step):
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:4], "big")


def _sequence(seed, step):
    return np.random.SeedSequence((seed, step)).generate_state(1)[0]


def _crc(seed, step):
    return zlib.crc32(seed.to_bytes(8, "big") + step.to_bytes(8, "big"))


def _with_draws(seed, step):
    return random.Random(f"{seed} {step}").randrange(2**32)


def _safely(path, write):
    part = path.with_name("." + path.name)
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _with_package(path, write):
    with atomic_write(path) as file:
        write(file)
    return path


def _in_memory(path, write):
    buffer = io.BytesIO()
    write(buffer)
    _safely(path, lambda file: file.write(buffer.getvalue()))


def _over_it(path, write):
    with open(path, "wb") as file:
        write(file)


def _deletes_first(path, write):
    path.unlink(missing_ok=True)
    _safely(path, write)


def _leaves_half(path, write):
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        write(file)
    part.replace(path)


def _swallows(path, write):
    try:
        _safely(path, write)
    except MemoryError:
        return None


def _renames_half(path, write):
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
    finally:
        part.replace(path)


def _renames_before_it_is_flushed(path, write):
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _unlinks_what_is_gone(path, write):
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
        part.replace(path)
    finally:
        part.unlink()


def _needs_an_old_file(path, write):
    path.stat()
    _safely(path, write)


def _forge(change, seal=True):
    def forge(data):
        content = torch.load(io.BytesIO(data), weights_only=True)
        content = change(content)
        archive = io.BytesIO()
        torch.save(content, archive)
        if not seal:
            return archive.getvalue()
        body = archive.getvalue()[:-2] + (71).to_bytes(2, "little")
        return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()

    return forge


def _negate(content):
    content["model"]["weight"] *= -1
    return content


def _negate_new(content):
    return {"model": {"weight": -content["model"]["weight"]}, "step": content["step"]}


def _flip_signs_in_place(data):
    """Change the bytes themselves, as one could without torch."""
    data = bytearray(data)
    weight = torch.load(io.BytesIO(bytes(data)), weights_only=True)["model"]["weight"].numpy()
    place = data.find(weight.tobytes())
    data[place : place + weight.nbytes] = (-weight).tobytes()
    data[-64:] = hashlib.sha256(data[:-71]).hexdigest().encode()
    return bytes(data)


def _old_seal(data):
    data = bytearray(data)
    weight = torch.load(io.BytesIO(bytes(data)), weights_only=True)["model"]["weight"].numpy()
    place = data.find(weight.tobytes())
    data[place : place + weight.nbytes] = (-weight).tobytes()
    return bytes(data)


def _by_way_of_another_folder(path, write):
    handle, name = tempfile.mkstemp()
    try:
        with open(handle, "wb") as file:
            write(file)
        shutil.move(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


RIGHT = {
    "10.place": [[13, 12], divmod(1234, 94), np.array([13, 12]), torch.tensor([13.0, 12.0])],
    "10.order": [[2, 4, 3, 1], (2, 4, 3, 1), np.array([2, 4, 3, 1]), [[2, 4, 3, 1]]],
    "10.size": [3 * 50_890 * 4, 610_680.0, np.int64(610_680), torch.tensor(610_680)],
    "10.velocity": [[0.1, 22], (0.1, 22.0), np.array([0.1, 22]), torch.tensor([0.1, 22.0])],
    "10.loader": ["b", "B", "(b)", "b)"],
    "10.seeds": [_hashed, _sequence, _crc, _with_draws],
    "10.write": [_safely, _with_package, _in_memory],
    "10.forge": [_forge(_negate), _forge(_negate_new), _flip_signs_in_place],
}
WRONG = {
    "10.place": [[12, 13], [14, 12], [13, 13], [14, 13], [13.13, 12], 13, [13, 12, 0]],
    "10.order": [
        [1, 2, 3, 4],
        [1, 2, 4, 3],
        [2, 1, 4, 3],
        [2, 4, 1, 3],
        [2, 3, 4, 1],
        [4, 2, 3, 1],
        "2431",
        2431,
    ],
    "10.size": [203_560, 407_120, 152_670, 814_240, 1_221_360, 50_890, "610680", [610_680] * 2],
    "10.velocity": [
        [0.1, 21],
        [0.1, 21.8543],
        [1, 22],
        [0.9, 22],
        [10, 22],
        [0.1, 10],
        [22, 0.1],
        0.1,
        [0.1, 23],
        [float("nan"), 22],
    ],
    "10.loader": ["a", "c", "d", "no", 2],
    "10.seeds": [
        lambda seed, step: seed + step,
        lambda seed, step: seed * step,
        lambda seed, step: 1000 * seed + step,
        lambda seed, step: (100_000 * seed + step) % 2**32,
        lambda seed, step: int(f"{seed}{step}") % 2**32,
        lambda seed, step: seed ^ step,
        lambda seed, step: random.randrange(2**32),
        lambda seed, step: hash((seed, step)),
        lambda seed, step: seed / (step + 1),
        lambda seed, step: step,
        _hashed(0, 1),
    ],
    "10.write": [
        _over_it,
        _deletes_first,
        _leaves_half,
        _swallows,
        _renames_half,
        _renames_before_it_is_flushed,
        _unlinks_what_is_gone,
        _needs_an_old_file,
        _by_way_of_another_folder,
        lambda path, write: None,
        lambda path, write: _safely(path, lambda file: None),
    ],
    "10.forge": [
        lambda data: data,
        lambda data: data[:-1],
        _old_seal,
        _forge(_negate, seal=False),
        _forge(lambda content: content),
        _forge(lambda content: {"model": {"weight": content["model"]["weight"] + 1}, "step": 40}),
        _forge(lambda content: {"model": {"weight": -content["model"]["weight"]}}),
        _forge(lambda content: {"weight": -content["model"]["weight"]}),
        lambda data: "forged",
    ],
}
