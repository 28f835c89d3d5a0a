import os

from hypothesis import settings

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's battery has a check for it

# The same examples in every run; other ones with pytest --hypothesis-profile=default
settings.register_profile("the same", derandomize=True)
settings.load_profile("the same")
