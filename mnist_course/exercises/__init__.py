"""What the learner's answers are checked against, and what typical slips are told.

One file a chapter. What chapters use is handed on, and loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
