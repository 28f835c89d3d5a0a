"""
One model from many processes
=============================

A stream lies in pieces. Is the model that a cluster learns from the pieces the model that one
process learns from all of them, even when a worker dies on the way?

Needs ``distributed`` (Dask). With many machines only the address of the scheduler changes:
``Client("tcp://scheduler:8786")``.
"""

import os
import signal
import tempfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits

from layup_sklearn import LayUPClassifier, parallel_fit


# %%
# A piece is a function that loads it, so that only its name travels to the workers. The
# third one kills the worker that reads it, once.
def load_piece(folder, piece):
    data = np.load(folder / f"{piece}.npz")
    if piece == 2 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return data["X"], data["y"]


def main():
    X, y = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for piece in range(8):
            np.savez(folder / f"{piece}.npz", X=X[piece::8], y=y[piece::8])
        pieces = [partial(load_piece, folder, piece) for piece in range(8)]

        # A scheduler and two workers on this machine.
        cluster = LocalCluster(n_workers=2, threads_per_worker=1)
        with cluster, Client(cluster), joblib.parallel_config("dask"):
            classifier = parallel_fit(LayUPClassifier(), pieces)
        print("a worker was killed:", (folder / "killed").exists())

    joint = LayUPClassifier().fit(X, y)
    difference = np.abs(classifier.statistics_.gram - joint.statistics_.gram).max()
    print(f"largest difference of the Gram matrices: {difference:g}")
    print("same labels as one process:", (classifier.predict(X) == joint.predict(X)).all())


if __name__ == "__main__":
    main()
