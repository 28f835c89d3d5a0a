"""Peak memory of one call, in Gram matrices.

    python -m benchmarks.speed.memory

Each row is a process of its own: `partial_fit` on a fitted classifier, then a prediction
(the choice of the ridge and the solve). Its peak resident size, less the size just before
the calls, is divided by the size of the Gram matrix. The samples lie in a memory map.
"""

import subprocess
import sys
import tempfile

import numpy as np

N_FEATURES = 2304
CODE = """
import resource, sys
import numpy as np
from layup_sklearn import LayUPClassifier
path, n_samples, n_features = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
X = np.memmap(path, np.float32, "r", shape=(n_samples, n_features))
y = np.arange(n_samples) % 100
classifier = LayUPClassifier().partial_fit(X[:200], y[:200])
classifier.predict(X[:1])
current = 4096 * int(open("/proc/self/statm").read().split()[1])
state = classifier.statistics_.gram.nbytes + classifier.statistics_.class_sum.nbytes
classifier.partial_fit(X, y)
classifier.predict(X[:1])
mapped = sum(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssFile"))
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(current - state, peak, 1024 * mapped)
"""


def main():
    gram = 8 * N_FEATURES**2
    print(f"one Gram matrix of {N_FEATURES} features: {gram / 2**20:.0f} MiB")
    print("samples in the call  peak / Gram matrix (sums included)")
    for n_samples in (1_000, 100_000):
        with tempfile.NamedTemporaryFile() as file:
            array = np.memmap(file.name, np.float32, "w+", shape=(n_samples, N_FEATURES))
            rng = np.random.default_rng(0)
            for start in range(0, n_samples, 1000):
                array[start : start + 1000] = rng.standard_normal((1000, N_FEATURES))
            array.flush()
            arguments = [sys.executable, "-c", CODE, file.name, str(n_samples), str(N_FEATURES)]
            output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        base, peak, mapped = map(int, output.split())
        print(f"{n_samples:19,d}  {(peak - mapped - base) / gram:.2f}")


if __name__ == "__main__":
    main()
