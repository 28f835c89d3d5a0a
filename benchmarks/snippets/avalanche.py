# ruff: noqa: F821
import matplotlib.pyplot as plt
from avalanche.benchmarks import benchmark_from_datasets, class_incremental_benchmark
from avalanche.benchmarks.scenarios import split_online_stream
from avalanche.benchmarks.utils import as_classification_dataset
from avalanche.checkpointing import maybe_load_checkpoint, save_checkpoint
from avalanche.evaluation.metrics import forgetting_metrics
from avalanche.evaluation.metrics.acc_matrix import AccuracyMatrixPluginMetric
from avalanche.models import SLDAResNetModel
from avalanche.training import LearningToPrompt, StreamingLDA
from avalanche.training.plugins import EvaluationPlugin
from torch import cat, no_grad
from torch.nn import CrossEntropyLoss
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import ResNet18_Weights

# %% Embed a folder of photos
pictures = ImageFolder("week1", ResNet18_Weights.DEFAULT.transforms())
model = SLDAResNetModel().eval()
with no_grad():
    features = cat([model(batch) for batch, _ in DataLoader(pictures, 64)])

# %% Train a classifier
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(experience)

# %% Learn new classes later
# number of classes fixed at the start
strategy.train(experience2)

# %% Predict
answers = strategy.predict(strategy.model(new)).argmax(dim=1)

# %% Probabilities
# softmax of its scores
probabilities = strategy.predict(strategy.model(new)).softmax(dim=1)

# %% The three most likely classes
probabilities, top = strategy.predict(strategy.model(new)).softmax(dim=1).topk(3)

# %% Refuse what is unsure
p, answers = strategy.predict(strategy.model(new)).softmax(dim=1).max(dim=1)
accepted = p >= 0.9

# %% Score what looks like nothing seen
# none

# %% Save and load
# a strategy has to be there to load into
save_checkpoint(strategy, "animals.pkl")
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy, _ = maybe_load_checkpoint(strategy, "animals.pkl")

# %% A Pipeline with another transformer
# no scikit-learn estimator

# %% Grid search over the regularisation
# no scikit-learn estimator

# %% Cross-validation
# no scikit-learn estimator

# %% Embed every photo once, over all runs
# none

# %% Train on a GPU
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(device="cuda"),
    criterion=CrossEntropyLoss(),
    input_size=512,
    num_classes=4,
    device="cuda",
)
strategy.train(experience)

# %% A torch module of one's own
strategy = StreamingLDA(
    slda_model=module, criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(experience)

# %% Train on texts
# wants a strategy class of one's own

# %% Train on a Hugging Face data set
# wants a strategy class of one's own

# %% Train on a torchvision data set
benchmark = benchmark_from_datasets(train=[as_classification_dataset(vision)])
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(benchmark.train_stream)

# %% Train on batches, more than memory holds
# cut from a data set
benchmark = benchmark_from_datasets(train=[as_classification_dataset(data)])
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(split_online_stream(benchmark.train_stream, experience_size=64))

# %% Evaluate a stream of tasks, with forgetting
benchmark = class_incremental_benchmark({"train": data, "test": data_test}, num_experiences=2)
matrix = AccuracyMatrixPluginMetric()
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(),
    criterion=CrossEntropyLoss(),
    input_size=512,
    num_classes=4,
    evaluator=EvaluationPlugin(matrix, forgetting_metrics(stream=True)),
)
for experience in benchmark.train_stream:
    strategy.train(experience)
    result = strategy.eval(benchmark.test_stream)

# %% Plot the accuracy of every task after every task
plt.imshow(matrix.result())

# %% Adapt the network to the first task
# prompts, in every task
strategy = LearningToPrompt(model_name="vit_base_patch16_224", num_classes=4)
strategy.train(experience)

# %% Let rare classes count like frequent ones
# none in this strategy

# %% Take samples out again
# wants the data set without them
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(experience_without)

# %% Merge two learners, without their samples
# needs the samples

# %% Join two classes
# wants a data set with other labels

# %% Explain an answer in the picture
# none

# %% Choose the number of layers
# one layer only

# %% A progress bar
# always there
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(), criterion=CrossEntropyLoss(), input_size=512, num_classes=4
)
strategy.train(experience)

# %% Small batches, where memory is short
strategy = StreamingLDA(
    slda_model=SLDAResNetModel(),
    criterion=CrossEntropyLoss(),
    input_size=512,
    num_classes=4,
    train_mb_size=8,
)
strategy.train(experience)

# %% Class names alone, without samples
# none

# %% Several labels for a sample
# one label for each sample

# %% Predict numbers
# not in this strategy

# %% Publish on the Hugging Face hub
# none
