import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from _helpers import assert_same_model, make_samples
from layup_sklearn import ImageEncoder, LayUPClassifier
from layup_sklearn.datasets import as_X_y, load_image_folder, partial_fit_batches

X, y = make_samples(25)


def make_folder(root, *names):
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.lower().endswith((".png", ".jpg", ".webp")):
            Image.new("RGB", (9, 8), (i, 90, 200)).save(root / name)
        else:
            (root / name).write_text("no picture")
    return root


class Pairs:
    """As a data set of torch: rows by number, without an end; counts what is read."""

    def __init__(self, X=X, y=y, **attributes):
        self.X, self.y, self.read = X, y, []
        vars(self).update(attributes)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        self.read.append(index)
        return self.X[index % len(self)], self.y[index % len(self)]


class Rows(Pairs):
    """As a data set of Hugging Face: rows are dicts, columns have names."""

    column_names = ("picture", "kind", "more")

    def __getitem__(self, index):
        if index == "kind":
            return self.y.tolist()
        sample, label = super().__getitem__(index)
        return {"picture": sample, "kind": label, "more": None}


COLUMNS = ("picture", "kind")


class Subset:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


# ---- a folder for each class


def test_pictures_of_a_folder_by_class_and_name(tmp_path):
    names = ["owl/2.JPG", "owl/10.png", "cat/b.webp", "cat/a.jpg"]
    hidden = [".git/1.png", "cat/.a.jpg", "owl/.thumbs/1.png"]
    others = ["cat/notes.txt", "owl/clip.mp4", "README.md", "cover.png", "owl/raw/1.cr2"]
    make_folder(tmp_path, *names, *hidden, *others)
    (tmp_path / "owl" / ".empty").mkdir()
    paths, labels = load_image_folder(tmp_path)
    found = [str(Path(path).relative_to(tmp_path)) for path in paths]
    assert found == ["cat/a.jpg", "cat/b.webp", "owl/10.png", "owl/2.JPG"]
    assert labels.tolist() == ["cat", "cat", "owl", "owl"]
    assert all(type(path) is str for path in paths)
    owls = [str(tmp_path / "owl" / name) for name in ("10.png", "2.JPG")]
    assert_array_equal(paths[labels == "owl"], owls)


def test_some_classes_and_linked_folders(tmp_path):
    make_folder(tmp_path / "photos", "cat/1.png", "owl/1.png", "empty/notes.txt")
    make_folder(tmp_path / "elsewhere", "1.png")
    os.symlink(tmp_path / "elsewhere", tmp_path / "photos" / "ant")
    _, labels = load_image_folder(tmp_path / "photos", classes=["owl", "ant"])
    assert labels.tolist() == ["ant", "owl"]


def test_relative_folders(tmp_path, monkeypatch):
    make_folder(tmp_path, "photos/cat/1.png")
    monkeypatch.chdir(tmp_path)
    assert load_image_folder("photos")[0].tolist() == [os.path.join("photos", "cat", "1.png")]
    assert load_image_folder("photos/")[0].tolist() == [os.path.join("photos", "cat", "1.png")]


@pytest.mark.parametrize(
    "names, classes, message",
    [
        (["1.png"], None, "holds no folders: expected one for each class, .*give the folder above"),
        (["train/cat/1.png"], None, "train.cat.1.png lies too deep: .*whose folders are the class"),
        (["cat/1.png", "cat/old/2.png"], None, "cat.old.2.png lies too deep"),
        (["cat/1.png", "owl/1.heic", "owl/2.mov"], None, "owl holds no pictures, only.*heic, .mov"),
        (["cat/1.png", "owl/.x.png"], None, r"owl holds no pictures\.$"),
        (["cat/1.png", "owl/1.png"], ["cat", "dog"], "no folder 'dog'; it has cat, owl"),
    ],
)
def test_folders_that_are_no_folders_of_classes(tmp_path, names, classes, message):
    with pytest.raises(ValueError, match=message):
        load_image_folder(make_folder(tmp_path, *names), classes)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_image_folder(tmp_path / "nowhere")


def test_same_order_as_torchvision(tmp_path):
    pytest.importorskip("torch")
    ImageEncoder("test_vit", pretrained=False).fit()  # imports torchvision, wherever it can be
    from torchvision.datasets import ImageFolder

    make_folder(tmp_path, "b/10.png", "b/2.png", "a/Z.png", "a/a.jpg", "b/É.png", "C/1.png")
    reference = ImageFolder(tmp_path)
    paths, labels = load_image_folder(tmp_path)
    assert paths.tolist() == [path for path, _ in reference.samples]
    assert labels.tolist() == [reference.classes[target] for target in reference.targets]
    samples, targets = as_X_y(reference)
    assert_array_equal(np.unique(labels)[targets], labels)
    assert_array_equal(samples[3], reference[3][0])


# ---- data sets of pairs


@pytest.mark.parametrize(
    "dataset, n_read, columns",
    [
        (Pairs(targets=list(y)), 1, ()),  # the first one, to see that targets are its labels
        (Pairs(targets=y), 1, ()),
        (Subset(Pairs(targets=y), range(len(y))), 1, ()),
        (Rows(), 0, (COLUMNS,)),
        (Pairs(), 25, ()),
        (Pairs(targets=["a.xml"] * len(y)), 26, ()),
        (Pairs(targets=y[:3]), 25, ()),
        (Pairs(targets=y, target_transform=abs), 25, ()),
    ],
)
def test_no_sample_is_read_twice(dataset, n_read, columns):
    counted = getattr(dataset, "dataset", dataset)
    counted.read.clear()
    samples, labels = as_X_y(dataset, *columns)
    assert len(counted.read) == n_read
    assert_array_equal(labels, y)
    assert len(samples) == len(y)
    assert_same_model(LayUPClassifier().fit(samples, labels), LayUPClassifier().fit(X, y), X)
    assert len(counted.read) <= len(y) + 1


def test_a_part_of_a_data_set():
    part = Subset(Pairs(targets=y), [7, 3, 11])
    samples, labels = as_X_y(Subset(part, [2, 0]))
    assert_array_equal(labels, y[[11, 7]])
    assert_array_equal(samples[0], X[11])
    assert_array_equal(samples[-1], X[7])
    assert_array_equal(samples[:1], X[[11]])
    assert len(list(samples)) == 2


def test_labels_keep_their_kind():
    pairs = [(row, label) for row, label in zip(X, ["b", "a"] * 12)]
    assert as_X_y(pairs)[1].tolist() == ["b", "a"] * 12
    assert as_X_y(zip(X, y))[1].dtype == np.int64
    with pytest.raises(ValueError, match="y holds 7 at position 1"):
        as_X_y([(X[0], "a"), (X[1], 7)])


@pytest.mark.parametrize(
    "dataset, message",
    [
        ({"train": Rows(), "test": Rows()}, r"give one of them, of \['train', 'test'\]"),
        (Rows(), r"no column 'image' among \['picture', 'kind', 'more'\]: say columns="),
        ([{"image": 1}], r"no column 'label' among \['image'\]"),
        (X, r"got a ndarray of 5\."),
        ([(1, 2, 3)], r"got a tuple of 3\."),
        ([1, 2], r"got a int\."),
    ],
)
def test_data_sets_that_are_no_pairs(dataset, message):
    with pytest.raises(ValueError, match=message):
        as_X_y(dataset)


# ---- batches


def batches_of(size):
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(y), size)]


@pytest.mark.parametrize(
    "batches, n_batches, options",
    [
        (batches_of(10), "3/3", {}),
        (iter(batches_of(10)), "3/3", {}),  # iterators of lists know their length
        ((batch for batch in batches_of(10)), "3batch", {}),
        ([{"picture": X, "kind": y.tolist()}], "1/1", {"columns": COLUMNS}),
        (Pairs(), "1/1", {}),
        (Pairs(), "3/3", {"batch_size": 10}),
        (Pairs(), "5/5", {"batch_size": 5}),
        (Rows(), "3/3", {"batch_size": 10, "columns": COLUMNS}),
        (zip(X, y), "3batch", {"batch_size": 10}),
        (Subset(Pairs(), range(25)), "3/3", {"batch_size": 10}),
    ],
)
def test_batches_are_one_fit(batches, n_batches, options, capsys):
    classifier = partial_fit_batches(LayUPClassifier(), batches, **options)
    assert_same_model(classifier, LayUPClassifier().fit(X, y), X)
    assert n_batches in capsys.readouterr().err.replace(" ", "")


def test_batches_of_a_torch_loader(capsys):
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, IterableDataset, TensorDataset, random_split

    class Stream(IterableDataset):
        def __iter__(self):
            return zip(torch.tensor(X), torch.tensor(y))

    reference = LayUPClassifier().fit(X, y)
    data = TensorDataset(torch.tensor(X), torch.tensor(y))
    parts = random_split(data, [10, 15])
    for batches in (
        [DataLoader(data, batch_size=10, shuffle=True)],
        [DataLoader(Stream(), batch_size=10)],
        [data],
        [Stream()],
        parts,
    ):
        classifier = LayUPClassifier()
        for some in batches:
            partial_fit_batches(classifier, some, verbose=0)
        assert_same_model(classifier, reference, X)
    assert capsys.readouterr().err == ""
    samples, labels = as_X_y(parts[1])
    assert_array_equal(labels, y[parts[1].indices])
    assert_array_equal(torch.stack(samples), X[parts[1].indices])


def test_pictures_of_a_folder_in_batches(tmp_path):
    pytest.importorskip("torch")
    make_folder(tmp_path, "owl/1.png", "owl/2.png", "cat/1.png", "cat/2.png", "ant/1.png")
    paths, labels = load_image_folder(tmp_path)
    classifier = LayUPClassifier(ImageEncoder("test_vit", pretrained=False, image_size=32))
    pairs = list(zip(paths, labels))
    partial_fit_batches(classifier, pairs, batch_size=2, verbose=0)
    reference = LayUPClassifier(classifier.encoder).fit(paths, labels)
    assert_same_model(classifier, reference, paths, rtol=1e-5)  # float32, batches of other sizes


def test_what_was_learned_before_an_error_stays():
    classifier = LayUPClassifier()
    batches = batches_of(10)
    batches[2] = (batches[2][0] * np.nan, batches[2][1])
    with pytest.raises(ValueError, match="NaN") as caught:
        partial_fit_batches(classifier, batches, verbose=0)
    assert caught.value.__notes__ == ["20 samples were learned before this error and stay learned."]
    assert_same_model(classifier, LayUPClassifier().fit(X[:20], y[:20]), X)


@pytest.mark.parametrize(
    "batches, message",
    [([], "nothing to learn"), (X, "got a ndarray of 5"), ([(X, y, y)], "got a tuple of 3")],
)
def test_what_is_no_batch(batches, message):
    with pytest.raises(ValueError, match=message):
        partial_fit_batches(LayUPClassifier(), batches)


@pytest.mark.slow
def test_data_sets_of_hugging_face(tmp_path):
    """Needs ``pip install datasets``."""
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("torch")
    make_folder(tmp_path, "train/owl/1.png", "train/owl/2.png", "train/cat/1.png")
    dataset = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path), cache_dir=str(tmp_path / "cache")
    )
    with pytest.raises(ValueError, match="give one of them"):
        as_X_y(dataset)
    dataset = dataset["train"]
    paths, names = load_image_folder(tmp_path / "train")
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32)
    reference = LayUPClassifier(encoder).fit(paths, np.unique(names, return_inverse=True)[1])
    samples, labels = as_X_y(dataset)
    assert sorted(dataset.features["label"].int2str(labels)) == sorted(names)
    assert_same_model(LayUPClassifier(encoder).fit(samples, labels), reference, paths)
    for batches in (
        dataset,
        dataset.to_iterable_dataset(),
        dataset.iter(batch_size=2),
        dataset.shuffle(seed=0).select(range(3)),
    ):
        classifier = partial_fit_batches(LayUPClassifier(encoder), batches, batch_size=2, verbose=0)
        assert_same_model(classifier, reference, paths, rtol=1e-5)


def test_torch_is_not_imported():
    code = (
        "import sys, layup_sklearn.datasets\n"
        "assert not {'torch', 'torchvision', 'timm', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
