import pickle
import re
import struct
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from benchmarks.datasets import Dataset, load, names
from benchmarks.datasets._order import check_counts, class_order
from benchmarks.published import published, ranpac

# folder, classes, training images, test images, test images per task (PAPER: T = 10, vtab T = 5)
PAPER = {
    "imagenet_r": ("imagenetr", 200, 24000, 6000, [689, 632, 606, 571, 487, 660, 569, 729, 478, 579]),
    "imagenet_a": ("imagenet-a", 200, 5981, 1519, [175, 185, 116, 222, 143, 134, 146, 127, 147, 124]),
    "cub": ("cub", 200, 9430, 2358, [247, 207, 218, 247, 269, 228, 225, 250, 237, 230]),
    "omnibenchmark": ("omnibenchmark", 300, 89697, 5985, [600, 599, 599, 597, 599, 598, 597, 599, 599, 598]),
    "vtab": ("vtab", 50, 1796, 8619, [1000, 400, 985, 5400, 834]),
    "cars": ("cars", 196, 8144, 8041, None),
}  # fmt: skip
STYLES = [
    *("sketch", "art", "cartoon", "deviantart", "embroidery", "graffiti", "graphic", "misc"),
    *("origami", "painting", "sculpture", "sticker", "tattoo", "toy", "videogame"),
]
SOURCES = ["gaugan", "biggan", "wild", "whichfaceisreal", "san"]
DOMAINS = ["real", "quickdraw", "painting", "sketch", "infograph", "clipart"]


@pytest.fixture
def root(tmp_path):
    """A root whose path holds names of domains."""
    root = tmp_path / "san" / "art" / "smart_real_painting"
    root.mkdir(parents=True)
    return root


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def touch(root, *paths):
    for path in paths:
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def below(root, paths):
    return [Path(path).relative_to(root).as_posix() for path in paths]


def load_small(name, root):
    with pytest.warns(
        UserWarning, match=r"differs from the paper's: \d+ classes instead of \d+\.$"
    ):
        return load(name, root)


# class folders


@pytest.mark.parametrize("name", PAPER)
def test_class_folders(name, root):
    folder, classes = root / PAPER[name][0], ["10", "9", "B c", "a"]  # sorted as text
    for part, n_images in (("train", 3), ("test", 2)):
        for label, class_name in reversed(list(enumerate(classes))):
            (folder / part / class_name).mkdir(parents=True)
            for i in range(n_images):
                suffix = (".jpg", ".JPEG", ".PNG")[i]
                image = Image.new("RGB", (8, 8), (60 * label, 80 * i, 0))
                image.save(folder / part / class_name / f"{i}{suffix}")
        touch(
            folder / part,
            "Thumbs.db", ".DS_Store", "readme.txt", "picture.jpg", ".cache/0.jpg",
            "a/Thumbs.db", "a/._0.jpg", "a/.DS_Store", "a/notes.txt", "a/inner.jpg/0.jpg",
        )  # fmt: skip
    dataset = load_small(name, root)
    assert_array_equal(dataset.y_train, np.repeat(range(4), 3))
    assert_array_equal(dataset.y_test, np.repeat(range(4), 2))
    for paths, y in ((dataset.train, dataset.y_train), (dataset.test, dataset.y_test)):
        assert len(paths) == len(y)
        for path, label in zip(paths, y):
            red, green, _ = Image.open(path).convert("RGB").getpixel((4, 4))
            assert abs(red - 60 * label) < 10 and abs(green - 80 * int(Path(path).stem)) < 10
    assert below(folder, dataset.train[:3]) == [
        "train/10/0.jpg",
        "train/10/1.JPEG",
        "train/10/2.PNG",
    ]
    assert dataset.domains is None and dataset.domain_train is None


def test_how_the_streams_arrive(root):
    for name, (folder, *_) in PAPER.items():
        touch(root, *(f"{folder}/{part}/{c}/0.jpg" for part in ("train", "test") for c in "abc"))
        dataset = load_small(name, root)
        assert dataset.n_tasks == (5 if name == "vtab" else 10)
        assert dataset.first_task_size == (16 if name == "cars" else None)
        if name == "vtab":
            assert_array_equal(dataset.class_order, [0, 1, 2])
        else:
            assert dataset.class_order is None


def test_training_and_test_classes_must_agree(root):
    touch(root, "cub/train/a/0.jpg", "cub/train/b/0.jpg", "cub/test/a/0.jpg")
    with pytest.raises(ValueError, match="'b' is in only one of"):
        load("cub", root)
    touch(root, "cub/test/b/Thumbs.db")
    with pytest.raises(FileNotFoundError, match=f"no image in {root}/cub/test/b"):
        load("cub", root)


# what is missing


@pytest.mark.parametrize(
    "name, path, layout",
    [
        *((name, f"{row[0]}/train", f"{row[0]}/train/CLASS/*") for name, row in PAPER.items()),
        ("imagenet_r_dil", "imagenetr/train", "imagenetr/train/CLASS/*"),
        ("cifar100", "cifar-100-python/train", "cifar-100-python/test"),
        ("cddb", "CDDB/gaugan/train", "CDDB/gaugan/train/0_real/*"),
        ("domainnet", "domainnet/real", "domainnet/DOMAIN_train.txt"),
    ],
)
def test_missing_folder_says_what_to_put_where(name, path, layout, root):
    for missing in (root, root / "nowhere"):
        with pytest.raises(FileNotFoundError) as error:
            load(name, str(missing))
        message = str(error.value)
        assert message.startswith(f"There is no {missing}/{path}: put the data into {missing} as ")
        assert layout in message and message.count(". ") == 0


def test_missing_parts(root):
    touch(root, "cub/train/a/0.jpg")
    with pytest.raises(FileNotFoundError, match="no .*cub/test: put"):
        load("cub", root)
    touch(root, "cars/train/Thumbs.db", "cars/test/Thumbs.db")
    with pytest.raises(FileNotFoundError, match="cars/train is empty: put"):
        load("cars", root)


# the paper's order and counts


def test_class_order():
    first = {
        100: [68, 56, 78, 8, 23, 84, 90, 65, 74, 76],
        200: [168, 136, 51, 9, 183, 101, 171, 99, 42, 159],
        300: [169, 221, 146, 296, 92, 229, 49, 70, 126, 77],
        196: [59, 134, 162, 9, 42, 72, 118, 99, 109, 79],
    }
    for n_classes, expected in first.items():
        assert_array_equal(class_order(n_classes)[:10], expected)
    for seed in (0, 1993, 1997):
        np.random.seed(seed)
        assert_array_equal(class_order(100, seed), np.random.permutation(100))


def spread(total, n):
    """total as n numbers that differ by at most one."""
    return [len(part) for part in np.array_split(range(total), n)]


def paper_counts(name):
    """Numbers of training and test images by class that fit the paper's."""
    _, n_classes, n_train, n_test, per_task = PAPER[name]
    order = np.arange(n_classes) if name == "vtab" else class_order(n_classes)
    test = np.zeros(n_classes, int)
    tasks = np.split(order, len(per_task)) if per_task else [order]
    for task, count in zip(tasks, per_task or [n_test]):
        test[task] = spread(count, len(task))
    return spread(n_train, n_classes), test


@pytest.mark.parametrize("name", PAPER)
def test_counts_of_the_paper_pass_and_others_warn(name, monkeypatch, quiet):
    module, (train, test) = import_module(f"benchmarks.datasets.{name}"), paper_counts(name)

    def load_with(train, test):
        y_train, y_test = (np.repeat(np.arange(len(counts)), counts) for counts in (train, test))

        def load_class_folders(root, folder, **attributes):
            return Dataset(y_train, y_train, y_test, y_test, **attributes)

        monkeypatch.setattr(module, "load_class_folders", load_class_folders)
        return module.load("anywhere")

    load_with(train, test)
    _, n_classes, n_train, n_test, per_task = PAPER[name]
    changed = test.copy()
    changed[0] += 1
    sentence = f"{name} differs from the paper's: {n_test + 1} test images instead of {n_test}"
    if per_task:
        order = list(range(n_classes) if name == "vtab" else class_order(n_classes))
        task = order.index(0) * len(per_task) // n_classes
        n = per_task[task]
        sentence += f", {n + 1} test images in task {task + 1} instead of {n}"
    with pytest.warns(UserWarning, match=f"^{re.escape(sentence)}\\.$"):
        load_with(train, changed)
    with pytest.warns(UserWarning, match=f"{n_train - 1} training images instead of {n_train}\\.$"):
        load_with([train[0] - 1, *train[1:]], test)


def test_full_size_copy_on_disk(root, quiet):
    for part, counts in zip(("train", "test"), paper_counts("imagenet_a")):
        for label, count in enumerate(counts):
            folder = root / "imagenet-a" / part / f"n{label:08}"
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.jpg").touch()
    load("imagenet_a", root)
    (root / "imagenet-a/test/n00000051/0.jpg").unlink()  # of the first task
    expected = "1518 test images instead of 1519, 174 test images in task 1 instead of 175"
    with pytest.warns(UserWarning, match=f"^imagenet_a differs from the paper's: {expected}\\.$"):
        load("imagenet_a", root)


def test_unknown_counts_are_not_compared(quiet):
    y = np.arange(4)
    check_counts("any", Dataset(y, y, y, y), n_classes=4)


# CIFAR-100


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 did, by bytes; enough for a batch of CIFAR."""

    def save_text(self, text):
        data = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)

    dispatch = pickle._Pickler.dispatch | {str: save_text, bytes: save_text}


def write_batch(path, batch):
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        Python2Pickler(file, protocol=2).dump(batch)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))


@pytest.fixture
def cifar(root):
    rng, pictures = np.random.default_rng(0), {}
    for part, n in (("train", 6), ("test", 4)):
        pictures[part] = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        batch = {
            "filenames": [f"{i}.png" for i in range(n)],
            "batch_label": f"{part}ing batch 1 of 1",
            "fine_labels": [i % 3 for i in range(n)],
            "coarse_labels": [0] * n,
            "data": pictures[part].transpose(0, 3, 1, 2).reshape(n, 3072),
        }
        write_batch(root / "cifar-100-python" / part, batch)
    return pictures


def test_cifar100_reads_the_original_batches(root, cifar):
    dataset = load_small("cifar100", root)
    for images, part in ((dataset.train, "train"), (dataset.test, "test")):
        assert images.dtype == np.uint8 and images.flags.c_contiguous
        assert_array_equal(images, cifar[part])
    assert_array_equal(dataset.y_train, [0, 1, 2, 0, 1, 2])
    assert_array_equal(dataset.y_test, [0, 1, 2, 0])
    assert dataset.n_tasks == 10 and dataset.class_order is None


class Exploit:
    def __reduce__(self):
        return eval, ("open('ran', 'w').close()",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_cifar100_runs_no_code(protocol, root, cifar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = root / "cifar-100-python/train"
    path.write_bytes(pickle.dumps({"data": Exploit()}, protocol))
    with pytest.raises(pickle.UnpicklingError, match=r"does not hold \w+\.eval\."):
        load("cifar100", root)
    assert not (tmp_path / "ran").exists()


# domains


def test_imagenet_r_domains_are_the_beginning_of_the_file_name(root):
    for part in ("train", "test"):
        folder = f"imagenetr/{part}"
        touch(root, *(f"{folder}/n0{c}_toy/{style}_{c}.jpg" for c in (1, 2) for style in STYLES))
    dataset = load_small("imagenet_r_dil", root)
    assert dataset.domains == STYLES
    for paths, domains in (
        (dataset.train, dataset.domain_train),
        (dataset.test, dataset.domain_test),
    ):
        assert sorted(domains) == sorted(2 * STYLES)
        for path, domain in zip(paths, domains):
            assert re.fullmatch(rf"{domain}_\d\.jpg", Path(path).name)
    assert_array_equal(dataset.y_train, np.repeat([0, 1], 15))


@pytest.mark.parametrize("file", ["smart_1.jpg", "Art_1.jpg", "art.jpg", "real_art_1.jpg"])
def test_imagenet_r_file_of_no_domain(file, root):
    touch(root, "imagenetr/train/a/art_0.jpg", f"imagenetr/test/a/{file}")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=f"{file} is of no domain"):
        load("imagenet_r_dil", root)


def test_cddb(root):
    for part in ("train", "val"):
        for source in [*SOURCES, "cyclegan", "san_old"]:
            folder = f"CDDB/{source}/{part}"
            subs = ["real/", "wild/"] if source == "biggan" else [""]
            for sub in subs:
                touch(root, f"{folder}/{sub}0_real/1.PNG", f"{folder}/{sub}1_fake/san.jpg")
                touch(root, f"{folder}/{sub}1_fake/wild.jpg", f"{folder}/{sub}1_fake/Thumbs.db")
            touch(root, f"{folder}/.DS_Store", f"{folder}/Thumbs.db")
    touch(root, "CDDB/san/train/thumbnails/0.jpg")
    dataset = load("cddb", root)
    assert dataset.domains == SOURCES
    for paths, y, domains, part in (
        (dataset.train, dataset.y_train, dataset.domain_train, "train"),
        (dataset.test, dataset.y_test, dataset.domain_test, "val"),
    ):
        assert len(paths) == len(y) == len(domains) == 3 * 6
        for path, label, domain in zip(below(root, paths), y, domains):
            assert path.startswith(f"CDDB/{domain}/{part}/")
            assert path.split("/")[-2] == ("0_real", "1_fake")[label]


def test_cddb_incomplete(root):
    for source in SOURCES:
        touch(root, *(f"CDDB/{source}/{p}/0_real/0.jpg" for p in ("train", "val")))
        touch(root, *(f"CDDB/{source}/{p}/1_fake/0.jpg" for p in ("train", "val")))
    load("cddb", root)
    (root / "CDDB/wild/val/1_fake/0.jpg").unlink()
    (root / "CDDB/wild/val/1_fake").rmdir()
    with pytest.raises(
        FileNotFoundError, match="no .*CDDB/wild/val/1_fake: put .* CDDB/wild/val/0"
    ):
        load("cddb", root)


def write_lists(root, n_train=12, n_test=2):
    """Two classes in each domain, images in descending order, labels not the sorted ids."""
    for domain in DOMAINS:
        (root / "domainnet" / domain).mkdir(parents=True)
        for part, n in (("train", n_train), ("test", n_test)):
            lines = [
                f"{domain}/{name}/sketch_real_{i}.jpg {label}\n"
                for i in reversed(range(n))
                for name, label in (("painting", 1), ("a real sketch", 0))
            ]
            (root / f"domainnet/{domain}_{part}.txt").write_text("".join(lines))


def test_domainnet(root):
    write_lists(root)
    dataset = load_small("domainnet", root)
    assert dataset.domains == DOMAINS
    assert len(dataset.train) == 6 * 2 * 10 and len(dataset.test) == 6 * 2 * 2
    for paths, y, domains in (
        (dataset.train, dataset.y_train, dataset.domain_train),
        (dataset.test, dataset.y_test, dataset.domain_test),
    ):
        for path, label, domain in zip(below(root, paths), y, domains):
            assert path.startswith(f"domainnet/{domain}/{('a real sketch', 'painting')[label]}/")
    first = below(root, np.array(dataset.train)[dataset.y_train == 1][:10])
    assert first == [f"domainnet/real/painting/sketch_real_{i}.jpg" for i in range(11, 1, -1)]


@pytest.mark.parametrize("line", ["clipart/a/0.jpg 0", "real/a/0.jpg", "really/a/0.jpg 3", ""])
def test_domainnet_wrong_line(line, root):
    write_lists(root)
    (root / "domainnet/real_test.txt").write_text(f"real/a/0.jpg 0\n{line}\n")
    with pytest.raises(ValueError, match=r"real_test\.txt, line 2: .* expected"):
        load("domainnet", root)


def test_domainnet_counts(root, monkeypatch, quiet):
    write_lists(root)
    for i, domain in enumerate(DOMAINS):
        for part, n in (("train", 345), ("test", spread(176_743, 6)[i])):
            lines = (f"{domain}/c/{j}.jpg {j % 345}\n" for j in range(n))
            (root / f"domainnet/{domain}_{part}.txt").write_text("".join(lines))
    load("domainnet", root)


# all of them


def test_every_data_set_is_listed_with_a_line_of_its_own():
    ours = {*PAPER, "cifar100", "imagenet_r_dil", "cddb", "domainnet"}
    assert ours <= set(names()) and not any(name.startswith("_") for name in names())
    for name in ours:
        line = import_module(f"benchmarks.datasets.{name}").__doc__.partition("\n")[0]
        assert line.endswith(".") and "classes" in line


def test_published_numbers():
    assert published("cifar100")["RanPAC"] == 92.2
    assert published("cars")["joint full fine-tune"] == 86.9
    assert published("cddb")["nearest class mean, no FSA"] == 69.8
    assert "joint linear probe" not in published("cddb")
    assert published("digits") == published("domainnet") == {}
    assert set(ranpac.NETWORKS) - {"domainnet_full"} <= set(names())
    assert all(len(row) == len(ranpac.NETWORKS) for row in ranpac.ACCURACY.values())
    assert not any("layup" in method.lower() for method in ranpac.ACCURACY)
