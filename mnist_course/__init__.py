"""The helper package of the course "MNIST from the Bytes Up".

Importing it loads neither torch nor matplotlib: each module brings only what it needs.
"""

from mnist_course import moved as _moved
from mnist_course import printing as _printing

__version__ = "0.1.0"

_moved.announce()
_printing.allow_any_text()
