# ruff: noqa: F821
import numpy as np
import torch
from embetter.multi import ClipEncoder
from embetter.text import SentenceEncoder
from embetter.utils import cached
from embetter.vision import ImageLoader, TimmEncoder
from joblib import dump, load
from sklearn.datasets import load_files
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer
from skpartial.pipeline import make_partial_pipeline

# %% Embed a folder of photos
files = load_files("week1", load_content=False)
features = make_pipeline(ImageLoader(), TimmEncoder(net)).fit_transform(files.filenames)

# %% Train a classifier
model = make_pipeline(ImageLoader(), TimmEncoder(net), LogisticRegression()).fit(X, y)

# %% Learn new classes later
# trains anew on all samples
model.fit([*X, *X2], [*y, *y2])

# %% Predict
answers = model.predict(new)

# %% Probabilities
probabilities = model.predict_proba(new)

# %% The three most likely classes
p = model.predict_proba(new)
best = p.argsort(axis=1)[:, :-4:-1]
top, probabilities = model.classes_[best], np.take_along_axis(p, best, axis=1)

# %% Refuse what is unsure
p = model.predict_proba(new)
answers, accepted = model.classes_[p.argmax(axis=1)], p.max(axis=1) >= 0.9

# %% Score what looks like nothing seen
# keeps all features
novelty = make_pipeline(*model[:-1], LocalOutlierFactor(novelty=True)).fit(X)
scores = novelty.score_samples(new)

# %% Save and load
dump(model, "animals.joblib")
model = load("animals.joblib")

# %% A Pipeline with another transformer
model = make_pipeline(ImageLoader(), TimmEncoder(net), Normalizer(), LogisticRegression()).fit(X, y)

# %% Grid search over the regularisation
search = GridSearchCV(model, {"logisticregression__C": [0.1, 1, 10]}).fit(X, y)

# %% Cross-validation
accuracies = cross_val_score(model, X, y)

# %% Embed every photo once, over all runs
# a pickle of each picture is its key
encoder = cached("features", TimmEncoder(net))

# %% Train on a GPU
# with CLIP, TimmEncoder stays on the CPU
model = make_pipeline(ImageLoader(), ClipEncoder(), LogisticRegression()).fit(X, y)


# %% A torch module of one's own
def embed(pictures):
    with torch.no_grad():
        return module(torch.stack([preprocess(picture) for picture in pictures])).numpy()


model = make_pipeline(ImageLoader(), FunctionTransformer(embed), LogisticRegression()).fit(X, y)

# %% Train on texts
model = make_pipeline(SentenceEncoder(text_net), LogisticRegression()).fit(texts, topics)

# %% Train on a Hugging Face data set
model = make_pipeline(TimmEncoder(net), LogisticRegression()).fit(hub["image"], hub["label"])

# %% Train on a torchvision data set
pictures, labels = zip(*vision)
model = make_pipeline(TimmEncoder(net), LogisticRegression()).fit(pictures, labels)

# %% Train on batches, more than memory holds
# by scikit-partial, all classes named before
model = make_partial_pipeline(ImageLoader(), TimmEncoder(net), SGDClassifier())
for X, y in batches:
    model.partial_fit(X, y, classes=classes)

# %% Evaluate a stream of tasks, with forgetting
# no streams

# %% Plot the accuracy of every task after every task
# no streams

# %% Adapt the network to the first task
# trains layers on top of it only

# %% Let rare classes count like frequent ones
# trains anew
model.set_params(logisticregression__class_weight="balanced").fit(X, y)

# %% Take samples out again
# trains anew on all others
model.fit(X[2:], y[2:])

# %% Merge two learners, without their samples
# needs the samples

# %% Join two classes
# trains anew on all samples
model.fit(X, [names.get(label, label) for label in y])

# %% Explain an answer in the picture
# features only

# %% Choose the number of layers
# the last layer only

# %% A progress bar
# none

# %% Small batches, where memory is short
# opens all pictures at once

# %% Class names alone, without samples
encoder = ClipEncoder()
pictures, names = encoder.transform(ImageLoader().transform(new)), encoder.transform(classes)
answers = np.array(classes)[cosine_similarity(pictures, names).argmax(axis=1)]

# %% Several labels for a sample
head = OneVsRestClassifier(LogisticRegression())
model = make_pipeline(ImageLoader(), TimmEncoder(net), head).fit(X, indicators)

# %% Predict numbers
model = make_pipeline(ImageLoader(), TimmEncoder(net), Ridge()).fit(X, numbers)

# %% Publish on the Hugging Face hub
# files only
