"""Change training images in ways that leave the digit the same: augmentation.

torchvision's transforms (v2) turn and shift all images of a batch alike; these give each its own.

Taught in: chapter 9, "Images are not vectors".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mnist_course.data import MEAN, STD

PAPER = -MEAN / STD  # the value of background after normalizing


@dataclass(frozen=True)
class RandomAffine:
    """Turn, scale, slant and shift every image of a batch by its own random amount.

    The whole batch is resampled at once, on the device where it lies. Random numbers come from
    torch's global generator of that device.

    Attributes
    ----------
    degrees : float
        Largest rotation to either side.
    scale : float
        Largest relative change of size, 0.1 for 90 to 110 %.
    shear : float
        Largest slant: how many pixels a point moves sideways per pixel of height.
    shift : float
        Largest shift along each axis, in pixels.
    """

    degrees: float = 10.0
    scale: float = 0.1
    shear: float = 0.1
    shift: float = 1.5

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return a changed copy of the normalized images ``X``.

        Parameters
        ----------
        X : torch.Tensor
            ``(B, 1, H, W)`` float32, normalized.

        Returns
        -------
        torch.Tensor
            ``(B, 1, H, W)``; what moves in from outside is paper.
        """
        num_images, _, height, width = X.shape
        # Five random numbers per image, each from -1 to 1.
        r = 2 * torch.rand(5, num_images, device=X.device) - 1  # (5, B)
        angle = r[0] * math.radians(self.degrees)
        size = 1 + r[1] * self.scale
        cos, sin = size * angle.cos(), size * angle.sin()
        across = 2 * self.shift / width * r[3]  # affine_grid counts the image from -1 to 1
        down = 2 * self.shift / height * r[4]
        rows = [cos, self.shear * r[2] - sin, across, sin, cos, down]
        matrices = torch.stack(rows, dim=1).view(-1, 2, 3)  # (B, 2, 3)
        grid = F.affine_grid(matrices, list(X.shape), align_corners=False)  # (B, H, W, 2)
        # grid_sample fills with 0 what lies outside; with PAPER subtracted, 0 is paper.
        return F.grid_sample(X - PAPER, grid, align_corners=False) + PAPER


@dataclass(frozen=True)
class Elastic:
    """Bend every image of a batch a little, differently everywhere, as a hand does (chapter 11).

    A coarse grid of random displacements is interpolated to one displacement per pixel
    (the idea is that of Simard, Steinkraus & Platt, 2003, who smooth a fine grid instead).

    Attributes
    ----------
    pixels : float
        Largest displacement of a grid point along each axis.
    knots : int
        Grid points along each axis: the more, the finer the bends.
    """

    pixels: float = 1.0
    knots: int = 5

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return a bent copy of the normalized images ``X``.

        Parameters
        ----------
        X : torch.Tensor
            ``(B, 1, H, W)`` float32, normalized.

        Returns
        -------
        torch.Tensor
            ``(B, 1, H, W)``; what moves in from outside is paper.
        """
        num_images, _, height, width = X.shape
        # torch.rand draws from 0 to 1; affine_grid counts the image from -1 to 1.
        bends = 2 * torch.rand(num_images, 2, self.knots, self.knots, device=X.device) - 1
        bends[:, 0] *= 2 * self.pixels / width
        bends[:, 1] *= 2 * self.pixels / height
        fine = F.interpolate(bends, (height, width), mode="bicubic", align_corners=True)
        still = torch.eye(2, 3, device=X.device).expand(num_images, 2, 3)
        grid = F.affine_grid(still, list(X.shape), align_corners=False)  # (B, H, W, 2)
        moved = grid + fine.permute(0, 2, 3, 1)
        return F.grid_sample(X - PAPER, moved, align_corners=False) + PAPER


@dataclass(frozen=True)
class StrokeWidth:
    """Make some strokes of a batch thicker and some thinner, as pens differ (chapter 11).

    Works on images of twice the size, where a 3×3 window adds or takes about one pixel of the
    original stroke's width, and blends the result with the image itself.

    Attributes
    ----------
    part : float
        Which part of the images is changed; half of these get thicker, the others thinner.
    most : float
        Largest share of the blend that is the changed image.
    """

    part: float = 0.5
    most: float = 0.9

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return a copy of the normalized images ``X`` with other strokes.

        Parameters
        ----------
        X : torch.Tensor
            ``(B, 1, H, W)`` float32, normalized.

        Returns
        -------
        torch.Tensor
            ``(B, 1, H, W)``.
        """
        # A batch comes in random order, so its first images are as good as any others.
        num_changed = int(self.part * len(X))
        changed, unchanged = X[:num_changed], X[num_changed:]
        sign = torch.ones(num_changed, 1, 1, 1, device=X.device)
        sign[num_changed // 2 :] = -1  # thinner ink is thicker paper
        large = F.interpolate(sign * changed, scale_factor=2, mode="bilinear")
        grown = sign * F.avg_pool2d(F.max_pool2d(large, 3, 1, 1), 2)
        share = self.most * torch.rand(num_changed, 1, 1, 1, device=X.device)
        return torch.cat([changed + share * (grown - changed), unchanged])


@dataclass(frozen=True)
class Ink:
    """Change how dark ink is, and how sharp its edge, as pens and cameras do (chapter 11).

    Attributes
    ----------
    contrast : float
        Largest power of 2 by which the ink is multiplied or divided before it is cut off at
        black.
    blur : float
        Largest share of the blend that is the blurred image.
    """

    contrast: float = 0.7
    blur: float = 0.5

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return a copy of the normalized images ``X`` with other ink.

        Parameters
        ----------
        X : torch.Tensor
            ``(B, 1, H, W)`` float32, normalized.

        Returns
        -------
        torch.Tensor
            ``(B, 1, H, W)``.
        """
        share, power = torch.rand(2, len(X), 1, 1, 1, device=X.device)  # each (B, 1, 1, 1)
        blurred = F.avg_pool2d(X, 3, 1, 1, count_include_pad=False)
        X = X + self.blur * share * (blurred - X)
        gain = 2 ** (self.contrast * (2 * power - 0.5))
        return PAPER + (gain * (X - PAPER)).clamp(max=1 / STD)


@dataclass(frozen=True)
class Chain:
    """Several changes, one after the other.

    Attributes
    ----------
    changes : tuple of callable
        Each maps a batch to a batch.
    """

    changes: tuple[Callable[[torch.Tensor], torch.Tensor], ...]

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return ``X`` after all changes.

        Parameters
        ----------
        X : torch.Tensor
            ``(B, 1, H, W)`` float32, normalized.

        Returns
        -------
        torch.Tensor
            ``(B, 1, H, W)``.
        """
        for change in self.changes:
            X = change(X)
        return X


def nudge(X: torch.Tensor) -> torch.Tensor:
    """Move a whole batch by -1, 0 or 1 pixels in each direction; chapter 8 shows it.

    Random numbers come from torch's global generator of the CPU.

    Parameters
    ----------
    X : torch.Tensor
        ``(B, 1, H, W)``.

    Returns
    -------
    torch.Tensor
        ``(B, 1, H, W)``; what leaves on one side comes in on the other.
    """
    down, right = torch.randint(-1, 2, (2,)).tolist()
    return X.roll((down, right), dims=(2, 3))
