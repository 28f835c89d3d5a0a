# ruff: noqa: F821
from datasets import Dataset, concatenate_datasets
from sentence_transformers import SentenceTransformer
from setfit import SetFitModel, Trainer, TrainingArguments, get_templated_dataset
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

# %% Embed a folder of photos
# texts only

# %% Train a classifier
# fine-tunes the network, too
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data).train()

# %% Learn new classes later
# trains anew on all samples
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=concatenate_datasets([data, data2])).train()

# %% Predict
answers = model.predict(new)

# %% Probabilities
probabilities = model.predict_proba(new)

# %% The three most likely classes
probabilities, best = model.predict_proba(new).topk(3)
top = model.model_head.classes_[best]

# %% Refuse what is unsure
p, best = model.predict_proba(new).max(dim=1)
answers, accepted = model.model_head.classes_[best], p >= 0.9

# %% Score what looks like nothing seen
# keeps all features
novelty = LocalOutlierFactor(novelty=True).fit(model.encode(X))
scores = novelty.score_samples(model.encode(new))

# %% Save and load
model.save_pretrained("animals")
model = SetFitModel.from_pretrained("animals")

# %% A Pipeline with another transformer
# as the head
head = make_pipeline(Normalizer(), LogisticRegression())
model = SetFitModel(SentenceTransformer(text_net), head)
Trainer(model, train_dataset=data).train()


# %% Grid search over the regularisation
# by optuna
def model_init(params):
    return SetFitModel.from_pretrained(text_net, head_params=params or {})


def hp_space(trial):
    return {"C": trial.suggest_categorical("C", [0.1, 1, 10])}


trainer = Trainer(None, None, data, data_test, model_init=model_init)
best = trainer.hyperparameter_search(direction="maximize", hp_space=hp_space, n_trials=3)

# %% Cross-validation
accuracies = []
for train, test in StratifiedKFold().split(X, y):
    model = SetFitModel.from_pretrained(text_net)
    trainer = Trainer(model, None, data.select(train), data.select(test))
    trainer.train()
    accuracies.append(trainer.evaluate()["accuracy"])

# %% Embed every photo once, over all runs
# its network changes

# %% Train on a GPU
# takes the GPU it finds
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data).train()

# %% A torch module of one's own
# wants a class for it

# %% Train on texts
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data).train()

# %% Train on a Hugging Face data set
# of texts
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=hub).train()

# %% Train on a torchvision data set
# texts only

# %% Train on batches, more than memory holds
# all samples at once

# %% Evaluate a stream of tasks, with forgetting
# no streams

# %% Plot the accuracy of every task after every task
# no streams

# %% Adapt the network to the first task
# all its weights
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data).train()

# %% Let rare classes count like frequent ones
# trains anew
model = SetFitModel.from_pretrained(text_net, head_params={"class_weight": "balanced"})
Trainer(model, train_dataset=data).train()

# %% Take samples out again
# trains anew on all others
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data.select(range(2, len(data)))).train()

# %% Merge two learners, without their samples
# needs the samples

# %% Join two classes
# trains anew on all samples
model = SetFitModel.from_pretrained(text_net)
data = Dataset.from_dict({"text": X, "label": [names.get(label, label) for label in y]})
Trainer(model, train_dataset=data).train()

# %% Explain an answer in the picture
# texts only

# %% Choose the number of layers
# the last layer only

# %% A progress bar
# always there
model = SetFitModel.from_pretrained(text_net)
Trainer(model, train_dataset=data).train()

# %% Small batches, where memory is short
model = SetFitModel.from_pretrained(text_net)
Trainer(model, TrainingArguments(batch_size=8), data).train()

# %% Class names alone, without samples
# of texts
model = SetFitModel.from_pretrained(text_net, labels=classes)
Trainer(model, train_dataset=get_templated_dataset(candidate_labels=classes)).train()
answers = model.predict(new)

# %% Several labels for a sample
model = SetFitModel.from_pretrained(text_net, multi_target_strategy="one-vs-rest")
Trainer(model, train_dataset=Dataset.from_dict({"text": X, "label": indicators})).train()

# %% Predict numbers
# classes only

# %% Publish on the Hugging Face hub
model.push_to_hub("me/animals")
