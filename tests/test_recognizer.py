"""The network of the package: the same answers as torch, honest files, honest probabilities."""

import base64
import io
import json
import re
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mnist_course import recognizer
from mnist_course.by_hand.calibration import calibration_error, fit_temperature, reliability
from mnist_course.data import MEAN, STD, load_data, split_train_valid
from mnist_course.photo import PhotoError
from mnist_course.recognizer import OWN, Recognizer, Weights, WeightsError, export
from mnist_course.recognizer import weights as weights_file
from mnist_course.training import models

ABOUT = {
    "title": "a network",
    "made": "2026-11-22",
    "command": "none",
    "trained_on": "nothing",
    "test_accuracy": 0.1,
    "num_test": 10,
}


@pytest.fixture(scope="module")
def own():
    return Recognizer()


@pytest.fixture(scope="module")
def model():
    """A small network with everything that can be stored, and statistics that are not trivial."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2, padding=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(6 * 49, 10),
    )
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 2)
    return model.eval()


@pytest.fixture(scope="module")
def weights(model):
    return Weights(export.layers_of(model), MEAN, STD, 1.5, 0.7, ABOUT)


def _pictures(count=7, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


# What it computes -------------------------------------------------------------------------------


def test_scores_are_those_of_torch(model, weights):
    images = _pictures(300)
    X = (torch.tensor(images).unsqueeze(1) / 255 - MEAN) / STD
    with torch.no_grad():
        expected = model(X)
    scores = Recognizer(weights).logits(images)
    assert scores.dtype == np.float64
    torch.testing.assert_close(torch.tensor(scores).float(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "build", [models.small_cnn, models.best_cnn, models.mlp, models.softmax_regression]
)
def test_every_network_of_the_course_can_be_stored(build):
    torch.manual_seed(1)
    model = build().eval()
    images = _pictures(3)
    weights = Weights(export.layers_of(model), 0.0, 1.0, 1.0, 0.5, ABOUT)
    with torch.no_grad():
        expected = model(torch.tensor(images).unsqueeze(1) / 255)
    scores = torch.tensor(Recognizer(weights).logits(images)).float()
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)


def test_temperature_divides_the_scores(weights):
    images = _pictures()
    scores = torch.tensor(Recognizer(weights).logits(images))
    expected = F.softmax(scores / 1.5, dim=1)
    probs = Recognizer(weights).probabilities(images)
    np.testing.assert_allclose(probs, expected.numpy(), rtol=1e-9)
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_an_answer_holds_the_two_most_probable_digits(weights):
    images = _pictures()
    for answer, probs in zip(
        Recognizer(weights).read_many(images),
        Recognizer(weights).probabilities(images),
        strict=True,
    ):
        order = sorted(range(10), key=lambda k: -probs[k])
        assert (answer.digit, answer.runner_up) == tuple(order[:2])
        assert answer.probability == probs[order[0]]
        assert answer.runner_up_probability == probs[order[1]]
        assert answer.unsure == (probs[order[0]] < 0.7)
        assert bool(answer.reason) == answer.unsure
        assert str(answer).startswith(f"{order[0]}, probability 0.")
    assert (
        Recognizer(weights).read(images[0]).digit == Recognizer(weights).read_many(images)[0].digit
    )


def test_answers_with_pictures_can_be_compared(weights, seven):
    first, again = (Recognizer(weights).recognize(seven) for _ in range(2))
    assert first == first and first != again
    assert first.prepared != again.prepared


def test_no_images_give_no_answers(weights):
    assert Recognizer(weights).read_many(np.zeros((0, 28, 28), np.uint8)) == []


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 28, 28), np.float32),
        np.zeros((1, 1, 28, 28), np.uint8),
        np.zeros((1, 14, 56), np.uint8),
    ],
)
def test_other_images_are_refused_with_what_came(own, images):
    with pytest.raises(ValueError, match=re.escape(str(images.shape))):
        own.logits(images)


# The network of the package ---------------------------------------------------------------------


def test_own_network_reads_the_test_digits(own, mnist_folder):
    digits = load_data()
    right = own.probabilities(digits.test_images).argmax(axis=1) == digits.test_labels
    assert right.mean() >= 0.994
    assert right.mean() == pytest.approx(own.about["test_accuracy"], abs=3e-4)


def test_own_network_says_where_it_comes_from(own):
    about = own.about
    assert "mnist_course train --model recognizer" in about["command"]
    assert about["trained_on"] == "55,000 training digits of MNIST"
    assert about["num_valid"] == 5_000
    assert {"seed", "torch", "made", "num_epochs", "valid_accuracy"} <= about.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", about["made"])
    assert "29," in recognizer.describe(own.weights)


def test_own_probabilities_keep_their_word(own, mnist_folder):
    digits = load_data()
    _, valid = split_train_valid(60_000, 5_000)
    labels = digits.train_labels[valid].astype(np.int64)
    probs = own.probabilities(digits.train_images[valid])
    assert calibration_error(probs, labels) < 0.006
    logits = own.logits(digits.train_images[valid])
    assert fit_temperature(logits, labels) == pytest.approx(own.weights.temperature, rel=0.021)


def test_own_file_is_small_and_holds_no_pickle():
    assert OWN.stat().st_size < 200_000
    with zipfile.ZipFile(OWN) as archive:
        for name in archive.namelist():
            head = archive.read(name)[:200]
            assert head.startswith(b"\x93NUMPY")
            assert b"|O" not in head


# Pictures ---------------------------------------------------------------------------------------


def _write(path, array):
    from PIL import Image

    Image.fromarray(array).save(path)
    return path


@pytest.fixture
def seven(tmp_path):
    """A seven, drawn with straight lines on white paper."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (200, 240), 250)
    ImageDraw.Draw(image).line([(50, 50), (150, 50), (90, 200)], fill=20, width=16)
    image.save(tmp_path / "seven.png")
    return tmp_path / "seven.png"


def test_a_picture_is_prepared_and_read(own, seven):
    answer = own.recognize(seven)
    assert (answer.digit, answer.unsure, answer.reason) == (7, False, "")
    assert answer.prepared.image.shape == (28, 28)
    assert len(answer.prepared.stages) >= 3
    from PIL import Image

    pixels = np.asarray(Image.open(seven))
    assert own.recognize(pixels).digit == 7


def test_what_cannot_be_read_is_a_typed_error_and_in_a_batch_an_answer(own, seven, tmp_path):
    blank = _write(tmp_path / "blank.png", np.full((100, 100), 255, np.uint8))
    with pytest.raises(PhotoError) as caught:
        own.recognize(blank)
    answers = list(own.recognize_many([blank, tmp_path / "missing.png", seven]))
    assert [answer.digit for answer in answers] == [None, None, 7]
    assert answers[0].reason == str(caught.value)
    assert "missing.png" in answers[1].reason
    assert answers[0].probability == 0
    assert str(answers[0]).startswith("refused: ")


# Files ------------------------------------------------------------------------------------------


def test_weights_survive_a_file(weights, tmp_path):
    path = recognizer.save_weights(tmp_path / "folder" / "w.npz", weights)
    loaded = recognizer.load_weights(path)
    images = _pictures()
    assert np.array_equal(Recognizer(loaded).logits(images), Recognizer(weights).logits(images))
    assert (loaded.temperature, loaded.unsure_below, loaded.about) == (1.5, 0.7, ABOUT)
    assert [layer["type"] for layer in loaded.layers] == [layer["type"] for layer in weights.layers]


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"<!DOCTYPE html>", b"\x80\x04", b"\x93NUMPY", b"PK\x05\x06" + bytes(18)],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=re.escape(str(path))):
        Recognizer(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nothing.npz"):
        with pytest.raises(WeightsError, match="no weights file"):
            Recognizer(path)


def test_every_flipped_bit_is_noticed_or_harmless(weights, tmp_path):
    path = recognizer.save_weights(tmp_path / "w.npz", weights)
    good, images = path.read_bytes(), _pictures(2)
    expected = Recognizer(weights).logits(images)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            loaded = Recognizer(path)
        except WeightsError:
            refused += 1
        else:  # a date in the archive, for example
            assert np.array_equal(loaded.logits(images), expected)
            assert loaded.weights.temperature == 1.5
    assert refused > 130


def test_every_truncation_is_noticed(weights, tmp_path):
    path = recognizer.save_weights(tmp_path / "w.npz", weights)
    good = path.read_bytes()
    for length in range(0, len(good), len(good) // 23):
        path.write_bytes(good[:length])
        with pytest.raises(WeightsError):
            Recognizer(path)


def _rewritten(path, change_head=None, **changes):
    """Rewrite a weights file with other content and, where that is possible, the right hash."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(str(arrays.pop("head")))
    arrays |= changes
    if change_head:
        change_head(head)
    head.pop("sha256")
    plain = {name: a for name, a in arrays.items() if a.dtype != object}
    head["sha256"] = weights_file._hash(head, plain)
    np.savez(path, head=np.array(json.dumps(head)), **arrays)


@pytest.mark.parametrize(
    ("change", "arrays"),
    [
        (None, {"0.weight": np.full((4, 1, 5, 5), np.nan, np.float32)}),
        (None, {"0.weight": np.zeros((4, 1, 5, 5))}),
        (None, {"0.weight": np.zeros((4, 2, 5, 5), np.float32)}),
        (None, {"0.weight": np.array([print], object)}),
        (None, {"9.weight": np.zeros((1, 1), np.float32)}),
        (None, {"weight": np.zeros((1, 1), np.float32)}),
        (lambda head: head.update(temperature=0.0), {}),
        (lambda head: head.update(temperature=float("nan")), {}),
        (lambda head: head.update(temperature="warm"), {}),
        (lambda head: head.update(std=-1), {}),
        (lambda head: head.update(format="other"), {}),
        (lambda head: head.update(extra=1), {}),
        (lambda head: head.pop("layers"), {}),
        (lambda head: head["about"].pop("command"), {}),
        (lambda head: head["layers"].pop(), {}),
        (lambda head: head["layers"].append({"type": "__import__"}), {}),
        (lambda head: head["layers"][0].update(stride=0), {}),
        (lambda head: head["layers"][0].update(stride=2.0), {}),
        (lambda head: head["layers"][0].update(stride=True), {}),
        (lambda head: head["layers"][0].update(padding=-1), {}),
        (lambda head: head["layers"][4].update(size=0), {}),
        (lambda head: head.update(unsure_below=7), {}),
        (lambda head: head.update(unsure_below=-0.1), {}),
        (lambda head: head["layers"].extend([{"type": "ReLU"}] * 60), {}),
    ],
)
def test_a_forged_file_with_the_right_hash_is_refused(weights, tmp_path, change, arrays):
    path = recognizer.save_weights(tmp_path / "w.npz", weights)
    _rewritten(path, change, **arrays)
    with pytest.raises(WeightsError):
        Recognizer(path)


@pytest.mark.parametrize(
    ("change", "arrays", "reason"),
    [
        (lambda head: head["layers"][0].update(padding=3000), {}, "Conv2d make no sense"),
        (None, {"0.bias": np.zeros(10**6, np.float32)}, "Conv2d make no sense"),
        (None, {"0.weight": np.zeros((2**21, 1, 1, 1), np.float32)}, "Conv2d make no sense"),
        (
            lambda head: head["layers"][0].update(stride=1, padding=0),
            {
                "0.weight": np.zeros((2**19, 1, 1, 1), np.float32),
                "0.bias": np.zeros(2**19, np.float32),
            },
            "too long to compute",
        ),
        (
            None,
            {f"1.{name}": np.zeros(10**6, np.float32) for name in ("scale", "shift")},
            "1000000 scales for 4 channels",
        ),
    ],
)
def test_a_small_file_that_asks_for_a_huge_computation_is_refused_at_once(
    weights, tmp_path, change, arrays, reason
):
    path = recognizer.save_weights(tmp_path / "w.npz", weights)
    _rewritten(path, change, **arrays)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=reason):
            Recognizer(path)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


def test_a_file_that_unpacks_to_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head.npy", bytes(weights_file.LARGEST_FILE + 1))
    with pytest.raises(WeightsError, match="too large"):
        Recognizer(path)


def test_a_header_that_promises_more_than_there_is_is_refused(weights, tmp_path):
    path = tmp_path / "w.npz"
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head.npy", buffer.getvalue())
    with pytest.raises(WeightsError):
        Recognizer(path)


def test_models_that_cannot_be_stored_say_which_layer():
    with pytest.raises(WeightsError, match="Sigmoid"):
        export.layers_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Sigmoid()))
    with pytest.raises(WeightsError, match="Sequential"):
        export.layers_of(nn.Linear(784, 10))


# The page ---------------------------------------------------------------------------------------


def _unpacked(array):
    raw = base64.b64decode(array["data"])
    assert zlib.crc32(raw) == array["crc32"]
    return np.frombuffer(raw, "<f4").reshape(array["shape"])


def test_the_page_gets_the_same_network(weights, tmp_path):
    path = recognizer.save_page(tmp_path / "weights.js", weights)
    text = path.read_text("ascii")
    content = json.loads(text[text.index("= ") + 2 : text.rindex(";")])
    assert content["format"] == "mnist-course-weights-1"
    assert (content["temperature"], content["unsure_below"]) == (1.5, 0.7)
    assert (content["mean"], content["std"]) == (MEAN, STD)
    layers = []
    for layer in content["layers"]:
        layers.append({k: _unpacked(v) if isinstance(v, dict) else v for k, v in layer.items()})
    again = Weights(tuple(layers), MEAN, STD, 1.5, 0.7, ABOUT)
    images = _pictures()
    assert np.array_equal(Recognizer(again).logits(images), Recognizer(weights).logits(images))


def test_the_page_gets_the_own_network_without_being_asked(own, tmp_path):
    path = recognizer.save_page(tmp_path / "weights.js", recognizer.find_weights())
    assert recognizer.describe(own.weights) in path.read_text("ascii")


# Calibration ------------------------------------------------------------------------------------


def _sharpened(factor, num_examples=20_000):
    """Return logits that are ``factor`` times as large as the truth, and labels."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(num_examples, 10))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probs.cumsum(axis=1) < rng.random((num_examples, 1))).sum(axis=1)
    return factor * logits, labels, probs


@pytest.mark.parametrize("factor", [0.5, 1, 2.5])
def test_the_temperature_undoes_what_made_scores_too_sharp(factor):
    logits, labels, _ = _sharpened(factor)
    assert fit_temperature(logits, labels) == pytest.approx(factor, rel=0.04)


def test_true_probabilities_have_no_calibration_error_and_sharpened_ones_have():
    logits, labels, probs = _sharpened(3)
    assert calibration_error(probs, labels) < 0.01
    sharp = F.softmax(torch.tensor(logits), dim=1).numpy()
    assert calibration_error(sharp, labels) > 0.15


def test_reliability_by_hand():
    probs = np.array([[0.95, 0.05], [0.05, 0.95], [0.62, 0.38], [1.0, 0.0]])
    confidence, accuracy, counts = reliability(probs, np.array([0, 0, 0, 0]), num_bins=10)
    assert counts.tolist() == [0] * 6 + [1, 0, 0, 3]
    np.testing.assert_allclose(confidence[[6, 9]], [0.62, 2.9 / 3])
    np.testing.assert_allclose(accuracy[[6, 9]], [1, 2 / 3])
    expected = (0.38 + 3 * (2.9 / 3 - 2 / 3)) / 4
    assert calibration_error(probs, np.array([0, 0, 0, 0])) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([0.0]), np.array([7])])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        reliability(np.array([[0.5, 0.5]]), labels)
    with pytest.raises(ValueError, match="labels"):
        fit_temperature(np.array([[0.5, 0.5]]), labels)
