# ruff: noqa: F821
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from layup_sklearn import (
    AdaptedImageEncoder,
    ImageEncoder,
    LayUPClassifier,
    ModuleEncoder,
    TextEncoder,
)
from layup_sklearn.datasets import load_image_folder, partial_fit_batches
from layup_sklearn.evaluation import (
    AccuracyMatrixDisplay,
    class_incremental_tasks,
    evaluate_continual,
)
from layup_sklearn.explanation import ExplanationDisplay

# %% Embed a folder of photos
paths, labels = load_image_folder("week1")
features = ImageEncoder(net).transform(paths)

# %% Train a classifier
clf = LayUPClassifier(net).fit(X, y)

# %% Learn new classes later
clf.partial_fit(X2, y2)

# %% Predict
answers = clf.predict(new)

# %% Probabilities
probabilities = clf.predict_proba(new)

# %% The three most likely classes
top, probabilities = clf.predict_top_k(new, k=3)

# %% Refuse what is unsure
answers, accepted = clf.predict_or_refuse(new, min_probability=0.9)

# %% Score what looks like nothing seen
scores = clf.score_samples(new)

# %% Save and load
clf.save("animals.safetensors")
clf = LayUPClassifier.load("animals.safetensors")

# %% A Pipeline with another transformer
model = make_pipeline(ImageEncoder(net), Normalizer(), LayUPClassifier()).fit(X, y)

# %% Grid search over the regularisation
search = GridSearchCV(LayUPClassifier(net), {"ridge": [1, 10, 100]}).fit(X, y)

# %% Cross-validation
accuracies = cross_val_score(LayUPClassifier(net), X, y)

# %% Embed every photo once, over all runs
encoder = ImageEncoder(net, memory="features")

# %% Train on a GPU
# takes the GPU it finds
model = LayUPClassifier(net).fit(X, y)

# %% A torch module of one's own
model = LayUPClassifier(ModuleEncoder(module, ["layer1", "layer2"], preprocess)).fit(X, y)

# %% Train on texts
model = LayUPClassifier(TextEncoder(text_net)).fit(texts, topics)

# %% Train on a Hugging Face data set
model = partial_fit_batches(LayUPClassifier(net), hub)

# %% Train on a torchvision data set
model = partial_fit_batches(LayUPClassifier(net), vision)

# %% Train on batches, more than memory holds
model = partial_fit_batches(LayUPClassifier(net), batches)

# %% Evaluate a stream of tasks, with forgetting
tasks = class_incremental_tasks(y, y_test, 2)
result = evaluate_continual(LayUPClassifier(net), tasks, X, y, X_test, y_test)

# %% Plot the accuracy of every task after every task
AccuracyMatrixDisplay.from_result(result)

# %% Adapt the network to the first task
model = LayUPClassifier(AdaptedImageEncoder(ImageEncoder(net), method="lora")).fit(X, y)

# %% Let rare classes count like frequent ones
clf.set_params(priors="uniform")

# %% Take samples out again
clf.forget(X[:2], y[:2])

# %% Merge two learners, without their samples
clf.merge(other)

# %% Join two classes
clf.rename_classes({"cat": "pet", "dog": "pet"})

# %% Explain an answer in the picture
ExplanationDisplay.from_estimator(clf, new[0])

# %% Choose the number of layers
model = LayUPClassifier(net, n_layers="auto").fit(X, y)

# %% A progress bar
model = LayUPClassifier(ImageEncoder(net, verbose=1)).fit(X, y)

# %% Small batches, where memory is short
model = LayUPClassifier(ImageEncoder(net, batch_size=8)).fit(X, y)

# %% Class names alone, without samples
# no text encoder beside the images

# %% Several labels for a sample
# one label for each sample

# %% Predict numbers
# classes only

# %% Publish on the Hugging Face hub
# files only
