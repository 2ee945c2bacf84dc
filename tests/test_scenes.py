"""Scenes: the same seed gives the same picture, and `photo` gets the digit out of each."""

import csv

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_course.chapters import ROOT
from mnist_course.photo import PhotoError, from_image, handwriting, prepare, to_mnist
from mnist_course.photo import scenes as of_the_chapter
from tests.soak import scenes

REFUSED = {
    "two digits": {"several"},
    "blank": {"blank"},
    "blank in shadow": {"blank"},
    "all one color": {"blank", "too-small"},
}


def likeness(a, b):
    return float(np.corrcoef(np.ravel(a).astype(float), np.ravel(b).astype(float))[0, 1])


def same_image(image, source):
    """Whether an image shows its source, give or take a pixel and the width of the pen."""
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(likeness(np.roll(image, s, (0, 1)), source) for s in shifts) > 0.7


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_photo_gets_the_digit_out_of_every_kind_of_scene(kind, digits):
    right = 0
    for k in range(2):
        rng = np.random.default_rng([7, k])
        source = digits.train_images[rng.integers(len(digits.train_labels))]
        picture = scenes.make_scene(kind, source, rng)
        try:
            image = prepare(from_image(picture)).image
        except PhotoError as error:
            right += error.reason in REFUSED.get(kind, ())
        else:
            right += kind not in REFUSED and same_image(image, source)
    assert right == 2


@pytest.mark.parametrize("kind", ["8x8", "turned by EXIF", "finger", "two digits", "transparent"])
def test_a_seed_gives_one_picture(kind):
    first, again = (
        scenes.make_scene(kind, 5, np.random.default_rng(3)).convert("RGBA") for _ in range(2)
    )
    assert isinstance(first, Image.Image)
    assert first.tobytes() == again.tobytes()


def test_an_unknown_kind_is_named_with_those_that_there_are():
    for module, first in ((scenes, "white on black"), (of_the_chapter, "black on white")):
        with pytest.raises(ValueError, match=f"choose from {first}, "):
            module.make_scene("oil painting", 5, np.random.default_rng(0))


def test_the_package_has_the_kinds_that_the_chapter_shows_and_no_others():
    chapter = next((ROOT / "notebooks").glob("*_your_own_digit.py")).read_text()
    assert {kind for kind in scenes.KINDS if f'"{kind}"' in chapter} == set(of_the_chapter.KINDS)
    first, again = (
        made("shadow", 5, np.random.default_rng(3)).tobytes()
        for made in (scenes.make_scene, of_the_chapter.make_scene)
    )
    assert first == again


def test_every_style_of_every_digit_is_a_drawing_of_its_own():
    for digit, styles in enumerate(handwriting.STYLES):
        images = []
        for style in range(len(styles)):
            rng = np.random.default_rng(0)
            ink = handwriting.draw_digit(digit, rng, height=100, style=style, wobble=0)
            assert ink.min() >= 0 and ink.max() == 1 and 90 < len(ink) < 130
            assert 0.03 < ink.mean() < 0.6
            images.append(to_mnist(ink))
        for k, image in enumerate(images):
            assert all(likeness(image, other) < 0.99 for other in images[:k])


def test_hands_differ_and_seeds_do_not():
    draw = [handwriting.draw_digit(8, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(draw[0], draw[1])
    assert draw[0].shape != draw[2].shape or not np.array_equal(draw[0], draw[2])


def test_enlarging_keeps_the_digit(digits):
    for image in digits.train_images[:20]:
        for sharp in (True, False):
            large = handwriting.enlarge(image, 120, sharp=sharp)
            assert 110 <= max(large.shape) <= 150
            assert likeness(to_mnist(large * (large > 0.05)), to_mnist(image / 255)) > 0.8


def test_the_skeleton_is_thin_connected_and_inside():
    ink = handwriting.draw_digit(3, np.random.default_rng(0), height=120, width=0.15) > 0.5
    thin = handwriting.skeleton(ink)
    assert (thin <= ink).all() and thin.sum() < 0.15 * ink.sum()
    assert ndimage.label(thin, np.ones((3, 3)))[1] == 1
    blocks = thin[:-1, :-1] & thin[1:, :-1] & thin[:-1, 1:] & thin[1:, 1:]
    assert blocks.sum() < 5


def test_the_table_in_the_book_speaks_of_every_kind_of_scene():
    with open(ROOT / "book" / "photos.csv", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[:2] == ["kind", "what it is"]
    assert {kind: what for kind, what, *_ in rows} == scenes.KINDS
    for kind, _, *numbers in rows:
        read, refused, misread, sure = map(float, numbers)
        assert abs(read + refused + misread - 100) < 0.2 and sure <= misread, kind
