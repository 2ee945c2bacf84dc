"""Pictures: every bad file is a quick, typed refusal, every good one becomes as MNIST is."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy import ndimage

from mnist_course.chapters import ROOT
from mnist_course.photo import PhotoError, fit_box, prepare, read_photo, to_mnist
from mnist_course.photo import open as pictures
from mnist_course.photo import stages as photo
from mnist_course.photo.handwriting import draw_digit, place

# --- the core ----------------------------------------------------------------------------------


def likeness(a, b):
    """Return the correlation of two images; one may lie a pixel beside the other.

    A center of mass that lies halfway between two pixels may go to either.
    """
    a, b = np.asarray(a, float), np.asarray(b, float).ravel()
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(float(np.corrcoef(np.roll(a, s, (0, 1)).ravel(), b)[0, 1]) for s in shifts)


def test_an_mnist_image_comes_back_as_it_is(digits):
    images = digits.train_images[:400]
    again = np.stack([to_mnist(image / 255) for image in images])
    assert again.dtype == np.uint8 and (again.max(axis=(1, 2)) == 255).all()
    if digits.is_mnist:
        near = np.abs(again.astype(int) - images).max(axis=(1, 2)) <= 1  # 254 becomes 255
        assert near.mean() > 0.995


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_fit_box_agrees_with_pillow_where_pixels_merge_whole(factor):
    rng = np.random.default_rng(factor)
    ink = rng.uniform(0.1, 1, (20 * factor, 12 * factor)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(ink).reduce(factor))
    np.testing.assert_allclose(fit_box(np.pad(ink, 5)), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (100, 100, (20, 20)),
        (100, 50, (20, 10)),
        (200, 25, (20, 3)),  # 2.5 is rounded up
        (25, 200, (3, 20)),
        (400, 1, (20, 1)),  # never 0
        (8, 6, (20, 15)),  # enlarged
        (37, 29, (20, 16)),
    ],
)
def test_the_box_keeps_proportions_and_ink(height, width, box):
    ink = np.random.default_rng(0).uniform(0.2, 1, (height, width))
    small = fit_box(np.pad(ink, 3))
    assert small.shape == box
    np.testing.assert_allclose(small.mean(), ink.mean(), rtol=1e-12)


def test_the_box_leaves_out_what_is_fainter_than_half_a_gray_level():
    ink = np.full((40, 40), 0.0019)
    ink[10:30, 15:25] = 1
    assert fit_box(ink).shape == (20, 10)
    assert (fit_box(ink) == 1).all()


def test_center_puts_the_center_of_mass_where_scipy_finds_pixel_14():
    rng = np.random.default_rng(1)
    for _ in range(200):
        shape = (20, int(rng.integers(3, 21)))
        box = rng.uniform(0, 1, shape) * (rng.uniform(0, 1, shape) < 0.5)
        picture = photo.center(box + 1e-9)
        np.testing.assert_allclose(picture.sum(), box.sum() + box.size * 1e-9)
        for middle in ndimage.center_of_mass(picture):
            assert 13.5 - 1e-5 <= middle <= 14.5


def test_a_tie_is_decided_by_rule_and_not_by_rounding_errors():
    for scale in (1.0, 1 / 3, 0.1, 1e-3):
        box = np.full((20, 6), scale)  # its center of mass is at 9.5 and 2.5
        rows, columns = np.nonzero(photo.center(box))
        assert (rows.min(), columns.min()) == (4, 11)


def test_a_lopsided_box_stays_inside():
    box = np.zeros((20, 20))
    box[0] = 1
    box[:, 0] = 0.01
    rows, _ = np.nonzero(photo.center(box))
    assert rows.max() == 27 and rows.min() == 8


@pytest.mark.parametrize(
    "ink", [np.zeros((5, 5)), np.full((4, 4), np.nan), np.ones(7), np.zeros((0, 3))]
)
def test_no_ink_is_an_error(ink):
    with pytest.raises(ValueError, match="ink"):
        fit_box(ink)


# --- bad files ---------------------------------------------------------------------------------

GOOD = (255 - 235 * place(draw_digit(4, np.random.default_rng(3)), (300, 260), (0.4, 0.5))).astype(
    np.uint8
)


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png_of(width, height, depth=8, color=0, rows=0):
    """Return a PNG whose header states any size; it holds ``rows`` rows of zeros."""
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[color]
    line = bytes(1 + -(-width * depth * channels // 8))
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(line) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def flipped(content, at):
    damaged = bytearray(content)
    damaged[at] ^= 0x10
    return bytes(damaged)


PICTURE = Image.fromarray(GOOD)
PNG, JPEG = encoded(PICTURE, "PNG"), encoded(PICTURE, "JPEG")
EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n"
    b"newpath 10 10 moveto 90 90 lineto stroke\nshowpage\n%%EOF\n"
)
BAD_FILES = {
    "HEIC": ("heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)),
    "HEIF": ("heic", b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic" + bytes(100)),
    "text": ("not-a-picture", b"a seven, I promise\n" * 20),
    "HTML": ("not-a-picture", b"<!DOCTYPE html><html><img src=7.png></html>"),
    "SVG": ("not-a-picture", b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'),
    "PDF": ("not-a-picture", b"%PDF-1.7\n1 0 obj\n"),
    "EPS": ("not-a-picture", EPS),
    "empty": ("not-a-picture", b""),
    "random bytes": ("not-a-picture", np.random.default_rng(0).bytes(5000)),
    "half a PNG": ("damaged", PNG[: len(PNG) // 2]),
    "half a JPEG": ("damaged", JPEG[: len(JPEG) // 2]),
    "PNG header only": ("damaged", PNG[:40]),
    "half a GIF": ("damaged", encoded(PICTURE, "GIF")[:400]),
    "half a WebP": ("damaged", encoded(PICTURE, "WEBP")[:300]),
    "half a TIFF": ("damaged", encoded(PICTURE, "TIFF")[:2000]),
    "PNG with a flipped bit": ("damaged", flipped(PNG, len(PNG) // 2)),
    "100 MP": ("too-large", png_of(10_000, 10_000, rows=10_000)),
    "169 MP, 3 channels": ("too-large", png_of(13_000, 13_000, color=2, rows=60)),
    "900 MP": ("too-large", png_of(30_000, 30_000)),
    "65535 x 65535": ("too-large", png_of(65_535, 65_535)),
    "2 GP in one row": ("too-large", png_of(2**31 - 1, 1)),
    "GIF of 4 GP": ("too-large", b"GIF89a" + b"\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00"
                    + b"\xff\xff\xff\xff\x00\x02\x02D\x01\x00;"),
    "one pixel": ("too-small", encoded(Image.new("RGB", (1, 1)), "PNG")),
    "a thread": ("too-small", encoded(Image.new("L", (2000, 6)), "PNG")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_reason_and_name(name, tmp_path):
    reason, content = BAD_FILES[name]
    path = tmp_path / f"{name.replace(' ', '_')}.jpg"
    path.write_bytes(content)
    begun = time.perf_counter()
    with pytest.raises(PhotoError) as caught:
        prepare(read_photo(path))
    assert time.perf_counter() - begun < 2
    assert caught.value.reason == reason
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_iphone_pictures_are_told_how_to_become_jpeg(tmp_path):
    (tmp_path / "IMG_0001.HEIC").write_bytes(BAD_FILES["HEIC"][1])
    with pytest.raises(PhotoError, match="Most Compatible"):
        read_photo(tmp_path / "IMG_0001.HEIC")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(PhotoError, match="no file") as caught:
        read_photo(tmp_path / "seven.png")
    assert caught.value.reason == "missing"
    with pytest.raises(PhotoError, match="folder") as caught:
        read_photo(tmp_path)
    assert caught.value.reason == "not-a-file"
    with pytest.raises(PhotoError) as caught:
        read_photo("seven\0.png")
    assert caught.value.reason == "missing"
    with pytest.raises(PhotoError) as caught:
        read_photo(tmp_path / ("x" * 5000))
    assert caught.value.reason == "missing"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a Unix thing")
def test_a_named_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PhotoError) as caught:
        read_photo(tmp_path / "pipe.png")
    assert caught.value.reason == "not-a-file"


def test_a_file_that_may_not_be_read_is_refused(open_folder, as_somebody):
    path = open_folder / "seven.png"
    path.write_bytes(PNG)
    path.chmod(0)
    with as_somebody(), pytest.raises(PhotoError, match="cannot be opened"):
        read_photo(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(pictures.MAX_BYTES + 1)
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    assert caught.value.reason == "too-large"


def test_damaged_bytes_are_a_photo_error_or_a_picture(tmp_path):
    rng = np.random.default_rng(5)
    path = tmp_path / "damaged"
    small = PICTURE.resize((60, 70))
    forms = ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]
    for form in forms:
        content = np.frombuffer(encoded(small, form), np.uint8)
        for _ in range(15):
            bad = content.copy()
            bad[rng.integers(0, len(bad), 3)] = rng.integers(0, 256, 3)
            path.write_bytes(bad.tobytes()[: int(rng.integers(len(bad) // 2, len(bad) + 1))])
            try:
                rgb = read_photo(path).rgb
            except PhotoError as error:
                assert str(path) in str(error)  # noqa: PT017
            else:
                assert rgb.dtype == np.float32 and rgb.min() >= 0 and rgb.max() <= 1


LARGE = {
    "a 48 MP photo": ("np.full((6000, 8000, 3), 200, np.uint8)", "JPEG", "quality=50"),
    "a large clear scan": ("np.full((5000, 5000, 4), 200, np.uint8)", "PNG", "compress_level=1"),
    "a large WebP": ("np.full((3900, 4000, 3), 200, np.uint8)", "WEBP", "lossless=True, method=0"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak of memory")
@pytest.mark.parametrize("name", LARGE)
def test_a_large_picture_takes_little_memory(name, tmp_path):
    array, form, options = LARGE[name]
    code = (
        "import sys, numpy as np\n"
        "from PIL import Image\n"
        f"array = {array}\n"
        "ink = [0, 0, 0, 200][: array.shape[2]] if array.ndim == 3 else 0\n"
        "array[len(array) // 3 : len(array) // 2, 900:1000] = ink\n"
        f"Image.fromarray(array).save(sys.argv[1], '{form}', {options})\n"
    )
    path = tmp_path / "large"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    code = (
        "import sys, time, warnings\n"
        "warnings.simplefilter('error')\n"
        "from pathlib import Path\n"
        "from mnist_course.photo import prepare, read_photo\n"
        "from scipy import ndimage\n"
        "from PIL import Image, ImageOps\n"
        "Image.init()\n"
        "def peak():\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(status.split('VmHWM:')[1].split()[0]) / 1024\n"
        "before, begun = peak(), time.process_time()\n"
        "prepare(read_photo(sys.argv[1]))\n"
        "print(time.process_time() - begun, peak() - before)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          cwd=ROOT, env=environment, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    seconds, megabytes = (float(line) for line in done.stdout.split())
    assert 1 < megabytes < 300
    assert seconds < 2


# --- the same picture in other clothes ---------------------------------------------------------


def saved(image, folder, form, **options):
    path = folder / f"picture.{form.lower()}"
    path.write_bytes(encoded(image, form, **options))
    return prepare(read_photo(path)).image


def alpha_only():
    rgba = np.zeros((*GOOD.shape, 4), np.uint8)
    rgba[..., 3] = 255 - GOOD
    return Image.fromarray(rgba)


def white_alpha():
    rgba = np.full((*GOOD.shape, 4), 255, np.uint8)
    rgba[..., 3] = 255 - GOOD
    return Image.fromarray(rgba)


def gray_alpha():
    return Image.merge("LA", [PICTURE, Image.new("L", PICTURE.size, 255)])


def with_exif(turn, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return PICTURE.transpose(turn), {"exif": exif}


def deep(largest):
    return Image.fromarray((GOOD.astype(float) * largest / 255).astype(np.uint16))


T = Image.Transpose
CLOTHES = {
    "PNG": lambda: (PICTURE, "PNG", {}),
    "negative": lambda: (Image.fromarray(255 - GOOD), "PNG", {}),
    "color": lambda: (PICTURE.convert("RGB"), "PNG", {}),
    "palette": lambda: (PICTURE.convert("P"), "PNG", {}),
    "palette with a clear color": lambda: (PICTURE.convert("P"), "PNG", {"transparency": 255}),
    "two levels": lambda: (PICTURE.convert("1", dither=Image.Dither.NONE), "PNG", {}),
    "JPEG": lambda: (PICTURE, "JPEG", {"quality": 70}),
    "CMYK": lambda: (PICTURE.convert("CMYK"), "JPEG", {"quality": 90}),
    "CMYK TIFF": lambda: (PICTURE.convert("CMYK"), "TIFF", {}),
    "GIF": lambda: (PICTURE, "GIF", {}),
    "BMP": lambda: (PICTURE, "BMP", {}),
    "WebP": lambda: (PICTURE.convert("RGB"), "WEBP", {"lossless": True}),
    "16 bits": lambda: (deep(65535), "PNG", {}),
    "12 bits of 16": lambda: (deep(4095), "PNG", {}),
    "16 bits TIFF": lambda: (deep(65535), "TIFF", {}),
    "floats": lambda: (Image.fromarray(GOOD.astype(np.float32) / 255), "TIFF", {}),
    "integers": lambda: (Image.fromarray(GOOD.astype(np.int32) * 256), "TIFF", {}),
    "black on nothing": lambda: (alpha_only(), "PNG", {}),
    "white on nothing": lambda: (white_alpha(), "PNG", {}),
    "white on nothing WebP": lambda: (white_alpha(), "WEBP", {"lossless": True}),
    "gray and alpha": lambda: (gray_alpha(), "PNG", {}),
    "on its side": lambda: (*with_exif(T.ROTATE_90, 6), "JPEG"),
    "upside down": lambda: (*with_exif(T.ROTATE_180, 3), "JPEG"),
    "on its other side": lambda: (*with_exif(T.ROTATE_270, 8), "JPEG"),
    "mirrored": lambda: (*with_exif(T.FLIP_LEFT_RIGHT, 2), "PNG"),
}


@pytest.fixture(scope="module")
def plain():
    return prepare(GOOD).image


@pytest.mark.parametrize("name", CLOTHES)
def test_the_same_picture_in_other_clothes_gives_the_same_image(name, plain, tmp_path):
    image, *rest = CLOTHES[name]()
    form, options = (rest[1], rest[0]) if isinstance(rest[0], dict) else rest
    again = saved(image, tmp_path, form, **options)
    assert likeness(again, plain) > 0.95


def test_frames_and_turns_are_mentioned(tmp_path):
    path = tmp_path / "moving.gif"
    path.write_bytes(encoded(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]))
    assert read_photo(path).notes == ["using frame 1 of 2"]
    image, options = with_exif(T.ROTATE_90, 6)
    path.write_bytes(encoded(image, "JPEG", **options))
    read = read_photo(path)
    assert read.notes == ["turned as the camera says"]
    assert prepare(read).notes == read.notes
    path.write_bytes(JPEG)
    assert read_photo(path).notes == []


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("turn", "tag"), [(T.ROTATE_180, 3), (T.FLIP_LEFT_RIGHT, 2)])
def test_a_picture_with_a_white_border_is_known_to_be_turned(tmp_path, form, turn, tag):
    """Its first row is white before and after, and its size stays the same."""
    image, options = with_exif(turn, tag)
    framed = ImageOps.expand(image, 30, 255)
    path = tmp_path / "framed"
    path.write_bytes(encoded(framed, form, **options))
    assert read_photo(path).notes == ["turned as the camera says"]
    path.write_bytes(encoded(framed, form))
    assert read_photo(path).notes == []


@pytest.mark.parametrize("tag", [0, 1, 9, 65535])
def test_an_orientation_that_turns_nothing_is_not_mentioned(tmp_path, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / "upright.jpg"
    path.write_bytes(encoded(PICTURE, "JPEG", exif=exif))
    assert read_photo(path).notes == []


def test_arrays_of_any_common_kind_are_taken(plain):
    kinds = [
        GOOD,
        GOOD[..., None],
        np.repeat(GOOD[..., None], 3, axis=2),
        GOOD / 255,
        (GOOD / 255).astype(np.float32),
        GOOD.astype(np.uint16) * 257,
    ]
    for array in kinds:
        assert likeness(prepare(array).image, plain) > 0.99
    assert likeness(prepare(GOOD > 128).image, plain) > 0.95


@pytest.mark.parametrize(
    "array",
    [np.zeros((5,)), np.zeros((0, 0)), np.zeros((50, 50, 2)), np.full((50, 50), 255.0),
     np.full((50, 50), np.nan), np.array("seven"), np.full((30, 30), -1)],
)  # fmt: skip
def test_arrays_that_are_no_picture_are_refused(array):
    with pytest.raises(PhotoError) as caught:
        prepare(array)
    assert caught.value.reason == "not-a-picture"


def test_the_picture_is_left_as_it_was():
    before = GOOD.copy()
    prepare(GOOD)
    assert np.array_equal(before, GOOD)


# --- what comes out ----------------------------------------------------------------------------


def test_every_stage_can_be_drawn():
    prepared = prepare(GOOD)
    names = [stage.name for stage in prepared.stages]
    assert names[0] == "your picture" and names[-1] == "as MNIST"
    assert len(names) == len(set(names)) >= 6
    for stage in prepared.stages:
        array = np.asarray(stage.array)
        assert array.ndim == 2 or array.shape[2:] == (3,)
        assert array.min() >= 0 and array.max() <= 1 and stage.sentence.endswith(".")
    assert np.array_equal(np.rint(255 * prepared.stages[-1].array), prepared.image)


def test_an_enlarged_mnist_digit_comes_back_close(digits):
    rng = np.random.default_rng(0)
    found = []
    for image in digits.train_images[rng.integers(0, len(digits.train_labels), 12)]:
        large = 255 - ndimage.zoom(image, 8, order=1)
        found.append(likeness(prepare(large).image, image))
    assert np.median(found) > 0.93
    assert np.mean(np.array(found) > 0.85) >= 0.9


@pytest.mark.parametrize("pen", [0.02, 0.1, *np.linspace(0.19, 0.24, 11)])
def test_in_the_box_beside_the_digit_there_is_nothing_whatever_the_width_of_the_pen(pen):
    ink = draw_digit(7, np.random.default_rng(0), height=300, width=pen)
    image = prepare(1 - place(ink, (500, 500), (0.5, 0.5))).image
    rows, columns = np.nonzero(image)
    box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert max(box.shape) <= 20
    assert box[-4:, -2:].max() == 0  # to the right of the foot of a seven
    assert (box == 0).mean() > 0.15


@pytest.mark.parametrize("pen", [0.015, 0.03, 0.1])
def test_thin_and_thick_pens_arrive_with_the_width_of_mnist(pen):
    ink = draw_digit(2, np.random.default_rng(0), height=400, width=pen)
    image = prepare(1 - place(ink, (600, 600), (0.5, 0.5))).image
    assert image.max() == 255
    shape = ndimage.zoom(image, 8, order=1) > 127
    width = 4 * ndimage.distance_transform_edt(shape)[shape].mean() / 8
    assert 1.5 < width < 3.5


def two(gap, other=3):
    first, second = (draw_digit(k, np.random.default_rng(k), height=100) for k in (5, other))
    height = max(len(first), len(second))
    ink = np.zeros((height, first.shape[1] + gap + second.shape[1]))
    ink[: len(first), : first.shape[1]] = first
    ink[: len(second), first.shape[1] + gap :] = second
    return place(ink, (260, 320), (0.5, 0.5))


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.ones((200, 200)), "blank"),
        (np.zeros((200, 200)), "blank"),
        (np.random.default_rng(0).normal(0.8, 0.02, (200, 200)).clip(0, 1), "blank"),
        (np.linspace(0.3, 1, 200)[None] * np.linspace(0.5, 1, 150)[:, None], "blank"),
        (1 - two(30), "several"),
        (two(60, 1), "several"),
        (1 - two(30).T, "several"),
        (0.9 - 0.02 * place(draw_digit(8, np.random.default_rng(0)), (300, 300), (0.5, 0.5)),
         "faint"),
    ],
)  # fmt: skip
def test_what_shows_no_single_digit_is_refused(picture, reason):
    with pytest.raises(PhotoError) as caught:
        prepare(picture)
    assert caught.value.reason == reason


def test_pieces_of_one_digit_are_not_taken_for_two():
    ink = draw_digit(5, np.random.default_rng(1), height=200, style=1, width=0.08)
    ink[18:26] = 0  # the bar of the 5 hangs in the air
    image = prepare(1 - place(ink, (300, 300), (0.5, 0.5))).image
    assert image[4:8].max() == 255, "the bar is gone"
