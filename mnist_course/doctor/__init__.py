"""The doctor: examine a training program that does not learn, and say what is wrong with it.

Taught in: chapter 12, "It does not learn". What chapters use is handed on, and loaded when it is
asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
