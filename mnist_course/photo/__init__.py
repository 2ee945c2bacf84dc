"""From any picture of one digit to 28×28 pixels in MNIST's form, or a refusal with its reason.

Taught in: chapter 11. What chapters use is handed on, and loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
