# ruff: noqa: F821
import numpy as np
from datasets import Dataset
from joblib import Memory, dump, load
from peft import LoraConfig
from PIL import Image
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.losses import BatchAllTripletLoss
from sklearn.datasets import load_files
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

# %% Embed a folder of photos
files = load_files("week1", load_content=False)
features = SentenceTransformer(net).encode([Image.open(path) for path in files.filenames])

# %% Train a classifier
encoder = SentenceTransformer(net)
head = LogisticRegression().fit(encoder.encode(X), y)

# %% Learn new classes later
# trains anew on all samples
head.fit(encoder.encode([*X, *X2]), [*y, *y2])

# %% Predict
answers = head.predict(encoder.encode(new))

# %% Probabilities
probabilities = head.predict_proba(encoder.encode(new))

# %% The three most likely classes
p = head.predict_proba(encoder.encode(new))
best = p.argsort(axis=1)[:, :-4:-1]
top, probabilities = head.classes_[best], np.take_along_axis(p, best, axis=1)

# %% Refuse what is unsure
p = head.predict_proba(encoder.encode(new))
answers, accepted = head.classes_[p.argmax(axis=1)], p.max(axis=1) >= 0.9

# %% Score what looks like nothing seen
# keeps all features
novelty = LocalOutlierFactor(novelty=True).fit(encoder.encode(X))
scores = novelty.score_samples(encoder.encode(new))

# %% Save and load
dump(head, "animals.joblib")
encoder, head = SentenceTransformer(net), load("animals.joblib")

# %% A Pipeline with another transformer
model = make_pipeline(FunctionTransformer(encoder.encode), Normalizer(), LogisticRegression()).fit(
    X, y
)

# %% Grid search over the regularisation
search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}).fit(encoder.encode(X), y)

# %% Cross-validation
accuracies = cross_val_score(LogisticRegression(), encoder.encode(X), y)


# %% Embed every photo once, over all runs
# whole calls, by joblib
@Memory("features").cache
def embed(X):
    return SentenceTransformer(net).encode(X)


# %% Train on a GPU
# takes the GPU it finds
head = LogisticRegression().fit(encoder.encode(X), y)

# %% A torch module of one's own
# wants a class for it

# %% Train on texts
encoder = SentenceTransformer(text_net)
head = LogisticRegression().fit(encoder.encode(texts), topics)

# %% Train on a Hugging Face data set
head = LogisticRegression().fit(encoder.encode(hub["image"]), hub["label"])

# %% Train on a torchvision data set
pictures, labels = zip(*vision)
head = LogisticRegression().fit(encoder.encode(pictures), labels)

# %% Train on batches, more than memory holds
# all classes named before
head = SGDClassifier()
for X, y in batches:
    head.partial_fit(encoder.encode(X), y, classes=classes)

# %% Evaluate a stream of tasks, with forgetting
# no streams

# %% Plot the accuracy of every task after every task
# no streams

# %% Adapt the network to the first task
# of texts
encoder = SentenceTransformer(text_net)
encoder.add_adapter(LoraConfig(task_type="FEATURE_EXTRACTION"))
data, loss = Dataset.from_dict({"text": X, "label": y}), BatchAllTripletLoss(encoder)
SentenceTransformerTrainer(encoder, train_dataset=data, loss=loss).train()
head = LogisticRegression().fit(encoder.encode(X), y)

# %% Let rare classes count like frequent ones
# trains anew
head = LogisticRegression(class_weight="balanced").fit(encoder.encode(X), y)

# %% Take samples out again
# trains anew on all others
head.fit(encoder.encode(X[2:]), y[2:])

# %% Merge two learners, without their samples
# needs the samples

# %% Join two classes
# trains anew on all samples
head.fit(encoder.encode(X), [names.get(label, label) for label in y])

# %% Explain an answer in the picture
# features only

# %% Choose the number of layers
# the last layer only

# %% A progress bar
head = LogisticRegression().fit(encoder.encode(X, show_progress_bar=True), y)

# %% Small batches, where memory is short
head = LogisticRegression().fit(encoder.encode(X, batch_size=8), y)

# %% Class names alone, without samples
similarity = encoder.similarity(encoder.encode(new), encoder.encode(classes))
answers = np.array(classes)[similarity.argmax(dim=1)]

# %% Several labels for a sample
head = OneVsRestClassifier(LogisticRegression()).fit(encoder.encode(X), indicators)

# %% Predict numbers
head = Ridge().fit(encoder.encode(X), numbers)

# %% Publish on the Hugging Face hub
# the encoder, without the head
encoder.push_to_hub("me/animals")
