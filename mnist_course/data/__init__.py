"""From four files to batches: IDX, download, verification, the practice set, normalizing, batches.

Taught in: chapters 1 and 2. What chapters use is handed on, and loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
