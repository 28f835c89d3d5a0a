import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's battery has a check for it
