"""The helper package of the course "MNIST from the Bytes Up".

Importing it loads neither torch nor matplotlib: each module brings only what it needs. It sets
what their threads need, so chapters import it before them.
"""

from mnist_course import moved as _moved
from mnist_course import printing as _printing
from mnist_course import threads as _threads

__version__ = "0.1.0"

_threads.set_threads()
_moved.announce()
_printing.allow_any_text()
