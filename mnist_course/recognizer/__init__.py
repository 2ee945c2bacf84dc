"""A trained network that answers with numpy alone, how sure it is, and how its weights are made.

Taught in: chapter 11. What chapters use is handed on, and loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
