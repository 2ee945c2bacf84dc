"""The practice set: what the course runs on when there is no MNIST and no network.

scikit-learn bundles 1,797 real digits, written by 13 people and reduced to 8×8 pixels
(Alpaydin & Kaynak, 1998). They are prepared as MNIST was (LeCun et al., 1998, section III.A):
scaled into a 20×20 box and placed by their center of mass in a 28×28 picture. The result has
MNIST's form and runs every chapter, but it is smaller and blurrier: no number of the book comes
from it.
"""

import json
from pathlib import Path

import numpy as np

from mnist_course.data.download import FILES
from mnist_course.data.idx import IdxError, idx_header, read_idx, write_idx
from mnist_course.data.mnist_form import BOX, center
from mnist_course.files import atomic_write, sha256_of

NUM_TRAIN = 1_400  # the other 397 digits are the test set
GAIN = 2.0  # spreading 8×8 gray levels over 20×20 pixels washes them out; this restores the ink
MANIFEST = "practice-set-2.json"  # a number of its own for every way of preparing them


def enlarge_8x8(image: np.ndarray) -> np.ndarray:
    """Scale a small gray picture into MNIST's 20×20 box and center its mass in 28×28.

    Other than `mnist_form.to_mnist`, which averages pixels as MNIST's makers did, it draws a smooth
    (cubic) surface through them and makes it steeper: eight pixels averaged over twenty would stay
    eight visible squares.

    Parameters
    ----------
    image : np.ndarray
        ``(H, W)``, any non-negative numbers; 0 is background. At least one pixel is not 0.

    Returns
    -------
    np.ndarray
        ``(28, 28)`` uint8, white (255) ink on black (0).
    """
    from scipy import ndimage

    rows, columns = np.nonzero(image.max(axis=1))[0], np.nonzero(image.max(axis=0))[0]
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    crop = crop / crop.max()
    scale = BOX / max(crop.shape)
    box = np.clip(GAIN * ndimage.zoom(crop, scale, order=3, mode="constant") - 0.5, 0, 1)
    return np.rint(255 * center(box)).astype(np.uint8)


def make_practice_set(folder: str | Path) -> Path:
    """Write the practice set as four IDX files, unless it is there already and intact.

    Parameters
    ----------
    folder : str or Path
        Where the files go; made if missing.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SaveError
        If the folder cannot be written.
    """
    folder = Path(folder)
    if _intact(folder):
        return folder
    from sklearn.datasets import load_digits

    bundled = load_digits()
    images = np.stack([enlarge_8x8(image) for image in bundled.images])
    labels = bundled.target.astype(np.uint8)
    arrays = dict(
        zip(
            FILES,
            (images[:NUM_TRAIN], labels[:NUM_TRAIN], images[NUM_TRAIN:], labels[NUM_TRAIN:]),
            strict=True,
        )
    )
    for name, array in arrays.items():
        write_idx(folder / f"{name}.gz", array)
    with atomic_write(folder / MANIFEST) as file:  # last, so that it vouches for all four
        hashes = {name: _hash(array) for name, array in arrays.items()}
        file.write(json.dumps(hashes, indent=1).encode())
    return folder


def _intact(folder: Path) -> bool:
    """Return whether the four files in ``folder`` are those that its manifest vouches for."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text())
        return hashes.keys() == FILES.keys() and all(
            _hash(read_idx(folder / f"{name}.gz")) == hashes[name] for name in FILES
        )
    except (OSError, ValueError, IdxError, AttributeError):
        return False


def _hash(array: np.ndarray) -> str:
    """Return the hash of ``array`` as an unpacked IDX file."""
    return sha256_of(idx_header(array), array.tobytes())
