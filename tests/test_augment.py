"""Augmentation: against scipy's resampling, the identity at zero, paper at the edges, seeds."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from mnist_course.data import normalize
from mnist_course.training.augment import (
    PAPER,
    Chain,
    Elastic,
    Ink,
    RandomAffine,
    StrokeWidth,
    nudge,
)

ONLY = {"degrees": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def _digits(num_images, size=28):
    """Smooth blobs on paper, normalized as the course's images are."""
    rng = np.random.default_rng(num_images)
    noise = rng.random((num_images, size, size))
    noise[:, :7] = noise[:, -7:] = 0
    noise[:, :, :7] = noise[:, :, -7:] = 0
    smooth = ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    return torch.tensor(smooth / smooth.max() / 0.3081 + PAPER, dtype=torch.float32)[:, None]


def _draws(num_images, seed):
    """The five random numbers per image, from -1 to 1, that a call with this seed uses."""
    torch.manual_seed(seed)
    return (2 * torch.rand(5, num_images) - 1).double().numpy()


def _by_scipy(image, draws, change):
    """Resample one image with scipy: output pixel (row, column) comes from matrix @ it + offset."""
    turn, size, slant, across, down = draws
    angle, size = math.radians(change.degrees) * turn, 1 + change.scale * size
    # In x, y around the middle of the image, as a textbook would write it.
    rotation = size * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    matrix = rotation + np.array([[0, change.shear * slant], [0, 0]])
    move = change.shift * np.array([across, down])
    swap = np.array([[0, 1], [1, 0]])  # scipy counts rows first
    matrix, move = swap @ matrix @ swap, swap @ move
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ middle + move
    return ndimage.affine_transform(
        image, matrix, offset, order=1, mode="grid-constant", cval=PAPER
    )


@pytest.mark.parametrize(
    "change",
    [
        RandomAffine(),
        RandomAffine(**ONLY | {"degrees": 30.0}),
        RandomAffine(**ONLY | {"scale": 0.3}),
        RandomAffine(**ONLY | {"shear": 0.4}),
        RandomAffine(**ONLY | {"shift": 5.0}),
        RandomAffine(degrees=20, scale=0.2, shear=0.3, shift=3),
    ],
    ids=["default", "turn", "scale", "slant", "shift", "all"],
)
def test_every_image_is_resampled_as_scipy_does_it(change):
    X = _digits(6)
    draws = _draws(len(X), seed=3)
    torch.manual_seed(3)
    changed = change(X)
    assert changed.shape == X.shape
    assert changed.dtype == X.dtype
    for image, numbers, found in zip(X[:, 0].double().numpy(), draws.T, changed[:, 0], strict=True):
        np.testing.assert_allclose(found.numpy(), _by_scipy(image, numbers, change), atol=2e-3)


def test_zero_amounts_change_nothing_and_the_input_stays():
    X = _digits(4)
    before = X.clone()
    torch.testing.assert_close(RandomAffine(**ONLY)(X), X, atol=1e-5, rtol=0)
    RandomAffine()(X)
    assert torch.equal(X, before)


def test_paper_fills_in_from_outside():
    ink = torch.full((64, 1, 28, 28), 1 / 0.3081 + PAPER)  # a black page
    torch.manual_seed(0)
    changed = RandomAffine(**ONLY | {"shift": 14.0})(ink)
    assert changed.min() == pytest.approx(PAPER, abs=1e-5)
    assert changed.max() == pytest.approx(1 / 0.3081 + PAPER, abs=1e-4)
    blank = normalize(torch.zeros(8, 28, 28, dtype=torch.uint8))
    assert pytest.approx(PAPER) == blank[0, 0, 0, 0].item()
    torch.testing.assert_close(RandomAffine(30, 0.3, 0.3, 10)(blank), blank, atol=1e-6, rtol=0)


def test_a_shift_by_whole_pixels_moves_every_pixel(monkeypatch):
    X = torch.randn(1, 1, 28, 28)
    # Every draw is the largest, so each image is read two pixels further right and down.
    monkeypatch.setattr(torch, "rand", lambda *shape, device=None: torch.ones(shape))
    moved = RandomAffine(**ONLY | {"shift": 2.0})(X)
    expected = F.pad(X[..., 2:, 2:], (0, 2, 0, 2), value=PAPER)
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


def test_same_seed_same_images_and_another_seed_others():
    X, change = _digits(5), RandomAffine()
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(change(X))
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=0.05)
    assert not torch.equal(change(X), change(X)), "each call draws anew"


def test_each_image_gets_its_own_change():
    same = _digits(1).expand(200, 1, 28, 28)
    torch.manual_seed(0)
    changed = RandomAffine()(same).flatten(1)
    assert len(torch.unique(changed, dim=0)) == 200


@pytest.mark.parametrize("num_images", [1, 2, 33])
def test_any_batch_size_and_one_after_the_other_as_good(num_images):
    X = _digits(num_images)
    assert RandomAffine()(X).shape == X.shape
    assert RandomAffine()(X).isfinite().all()


def test_images_need_not_be_square():
    X = torch.full((3, 1, 20, 36), PAPER)
    X[:, :, 9:11, 17:19] = 2.0
    torch.manual_seed(0)
    draws = _draws(3, seed=5)
    torch.manual_seed(5)
    change = RandomAffine(**ONLY | {"shift": 4.0})
    for image, numbers, found in zip(
        X[:, 0].double().numpy(), draws.T, change(X)[:, 0], strict=True
    ):
        np.testing.assert_allclose(found.numpy(), _by_scipy(image, numbers, change), atol=2e-3)


def test_amounts_stay_within_their_limits():
    """Over many draws the center of mass moves by up to the shift, and evenly to both sides."""
    X = torch.full((4000, 1, 28, 28), PAPER)
    X[:, :, 13:15, 13:15] = 2.0
    torch.manual_seed(0)
    changed = RandomAffine(**ONLY | {"shift": 3.0})(X)[:, 0] - PAPER  # (B, 28, 28)
    places = torch.arange(28) - 13.5
    mass = changed.sum(dim=(1, 2))
    for axis in (1, 2):
        moved = (changed.sum(dim=axis) * places).sum(dim=1) / mass
        assert moved.abs().max() <= 3.01
        assert moved.min() < -2.9
        assert moved.max() > 2.9
        assert abs(moved.mean()) < 0.15
        assert moved.std() == pytest.approx(3 / math.sqrt(3), rel=0.05)  # an even spread


CHANGES = [
    RandomAffine(),
    Elastic(),
    StrokeWidth(),
    Ink(),
    Chain((StrokeWidth(), RandomAffine(), Elastic(), Ink())),
]
NOTHING = [
    RandomAffine(**ONLY),
    Elastic(pixels=0.0),
    StrokeWidth(part=0.0),
    StrokeWidth(most=0.0),
    Ink(contrast=0.0, blur=0.0),
    Chain(()),
]


def _name(change):
    return type(change).__name__


@pytest.mark.parametrize("change", CHANGES, ids=_name)
def test_every_change_keeps_the_form_the_input_and_the_range_of_an_image(change):
    X = _digits(9)
    before = X.clone()
    torch.manual_seed(0)
    changed = change(X)
    assert torch.equal(X, before)
    assert changed.shape == X.shape
    assert changed.dtype == X.dtype
    assert not torch.allclose(changed, X, atol=0.05)
    assert changed.min() > PAPER - 1e-4
    assert changed.max() < PAPER + 1 / 0.3081 + 1e-4


@pytest.mark.parametrize("change", CHANGES, ids=_name)
def test_a_blank_page_stays_blank(change):
    blank = torch.full((6, 1, 28, 28), PAPER)
    torch.testing.assert_close(change(blank), blank, atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", CHANGES, ids=_name)
def test_every_change_is_a_function_of_the_seed(change):
    X, results = _digits(8), []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        results.append(change(X))
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=0.05)


@pytest.mark.parametrize("change", NOTHING, ids=_name)
def test_amounts_of_zero_are_the_identity(change):
    X = _digits(7)
    torch.testing.assert_close(change(X), X, atol=1e-5, rtol=0)


def test_strokes_get_thicker_thinner_or_stay():
    X = _digits(40)
    torch.manual_seed(0)
    gained = (StrokeWidth(part=0.5)(X) - X).sum(dim=(1, 2, 3))
    assert (gained[:10] > 0).all()
    assert (gained[10:20] < 0).all()
    assert (gained[20:] == 0).all()


def test_bends_stay_small_and_differ_from_place_to_place():
    X = torch.full((300, 1, 28, 28), PAPER)
    for row, column in ((7, 7), (7, 20), (20, 7), (20, 20)):
        X[..., row, column] = 2.0
    torch.manual_seed(0)
    bent = Elastic(pixels=2.0)(X)[:, 0] - PAPER  # (B, 28, 28)
    places = torch.arange(28.0)
    moved = []
    for quarter, middle in ((bent[:, :14, :14], 7), (bent[:, :14, 14:], 6)):
        mass = quarter.sum(dim=(1, 2))
        columns = (quarter.sum(dim=1) * places[:14]).sum(dim=1) / mass - middle
        moved.append(columns)
        assert columns.abs().max() < 3.0
        assert columns.std() > 0.3
    assert (moved[0] - moved[1]).std() > 0.3


def test_a_chain_is_one_change_after_the_other():
    X = _digits(5)
    torch.manual_seed(2)
    chained = Chain((Ink(), RandomAffine()))(X)
    torch.manual_seed(2)
    assert torch.equal(chained, RandomAffine()(Ink()(X)))


def test_a_nudge_moves_the_whole_batch_by_a_pixel_at_most_and_takes_all_nine_ways():
    X = torch.zeros(3, 1, 28, 28)
    X[:, 0, 14, 14] = 1.0
    torch.manual_seed(0)
    seen = set()
    for _ in range(100):
        moved = nudge(X)
        places = moved[:, 0].nonzero()  # (3, 3): image, row, column
        assert moved.sum() == 3
        assert len({tuple(place[1:].tolist()) for place in places}) == 1
        seen.add(tuple((places[0, 1:] - 14).tolist()))
    assert seen == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
