"""Set what threads need, before numpy and torch load: both look only once, when they start."""

import os
import sys

SETTINGS = {
    # Threads that spin while they wait make a busy machine several times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
    # The matrices are small: a second BLAS thread would mostly wait for the first.
    "OPENBLAS_NUM_THREADS": "1",
}


def set_threads() -> None:
    """Choose for numpy and torch, here and in the processes that start here, what is not chosen.

    If numpy is loaded already, its OpenBLAS is told. torch, once it is loaded, cannot be told.
    """
    chosen = "OPENBLAS_NUM_THREADS" in os.environ
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if "numpy" in sys.modules and not chosen:
        from threadpoolctl import ThreadpoolController

        pools = ThreadpoolController().select(internal_api="openblas")
        pools.limit(limits=int(SETTINGS["OPENBLAS_NUM_THREADS"]))
