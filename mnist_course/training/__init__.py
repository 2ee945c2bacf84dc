"""From batches to a trained network: the loop and its guards, networks, recipes, checkpoints.

Taught in: chapters 4 and 7 to 10. What chapters use is handed on, and loaded when it is asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
