"""The helper package of the course "MNIST from the Bytes Up".

Importing it loads neither torch nor matplotlib: each module brings only what it needs. It sets
what their threads need, so chapters import it before them.
"""

from mnist_course.threads import set_threads

set_threads()

__version__ = "0.1.0"
