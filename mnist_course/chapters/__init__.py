"""The chapters: found, run as scripts, and made into notebooks whose outputs are kept.

What others use is handed on, and loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
