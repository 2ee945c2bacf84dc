"""Python reads this when it starts, if this folder is on its path: every seed is another one.

``MNIST_COURSE_SEED_SHIFT`` says by how much. Children and kernels inherit both, so a chapter that
starts processes of its own compares like with like.
"""

import os

SHIFT = int(os.environ.get("MNIST_COURSE_SEED_SHIFT", "0"))


def _shift_all():
    import random

    import numpy as np
    import torch

    far = 7919 * SHIFT  # a prime, so that seeds 0, 1, 2, ... of two shifts do not meet

    def moved(seed):
        if isinstance(seed, (int, np.integer)):
            return int(seed) + far
        return (*seed, far) if isinstance(seed, (tuple, list)) else seed

    def shifted(function):
        return lambda seed=None, *rest, **named: function(moved(seed), *rest, **named)

    class Generator(torch._C.Generator):
        def manual_seed(self, seed):
            return super().manual_seed(moved(seed))

    # numpy's legacy seed is a 32-bit number; the course's own seeds of a step come as such.
    legacy = np.random.seed
    np.random.seed = lambda seed=None: legacy(None if seed is None else moved(seed) % 2**32)
    np.random.default_rng = shifted(np.random.default_rng)
    random.seed = shifted(random.seed)
    torch.manual_seed = shifted(torch.manual_seed)
    torch.Generator = Generator


if SHIFT:
    _shift_all()
