"""
One model from many processes
=============================

A stream lies in pieces. Is the model that a cluster learns from the pieces the model that one
process learns from all of them, even when a worker dies on the way?

``python examples/clusters.py dask`` needs ``distributed``, ``ray`` needs ``ray``, ``spark``
needs ``joblibspark``, ``pyspark`` and a Java runtime. Each starts two workers on this machine;
with many machines only the address of the cluster changes.
"""

import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits

from layup_sklearn import LayUPClassifier, parallel_fit


# %%
# Each engine is a backend of joblib. Dask learns the shard of a dead worker again without being
# told; Ray and Spark are told how often.
@contextmanager
def dask():
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster):
        with joblib.parallel_config("dask"):
            yield


@contextmanager
def ray():
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=2, include_dashboard=False)
    again = {"max_restarts": -1, "max_task_retries": -1}
    with joblib.parallel_config("ray", n_jobs=2, ray_remote_args=again):
        yield
    ray.shutdown()


@contextmanager
def spark():
    from joblibspark import register_spark
    from pyspark.sql import SparkSession

    register_spark()
    session = SparkSession.builder.master("local[2, 4]").getOrCreate()  # 2 workers, 4 tries
    with joblib.parallel_config("spark", n_jobs=2):
        yield
    session.stop()


# %%
# A piece is a function that loads it, so that only its name travels to the workers. The
# third one kills the worker that reads it, once.
def load_piece(folder, piece):
    data = np.load(folder / f"{piece}.npz")
    if piece == 2 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return data["X"], data["y"]


def main(engine="dask"):
    X, y = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for piece in range(8):
            np.savez(folder / f"{piece}.npz", X=X[piece::8], y=y[piece::8])
        pieces = [partial(load_piece, folder, piece) for piece in range(8)]
        with {"dask": dask, "ray": ray, "spark": spark}[engine]():
            classifier = parallel_fit(LayUPClassifier(), pieces)
        print("a worker was killed:", (folder / "killed").exists())

    joint = LayUPClassifier().fit(X, y)
    difference = np.abs(classifier.statistics_.gram - joint.statistics_.gram).max()
    print(f"largest difference of the Gram matrices: {difference:g}")
    print("same labels as one process:", (classifier.predict(X) == joint.predict(X)).all())


if __name__ == "__main__":
    main(*sys.argv[1:])
