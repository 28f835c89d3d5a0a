"""Lines of code of the first hour, here and in four other libraries.

    python -m benchmarks.first_hour

Thirty things that users do first, and some that this package cannot do, each as the shortest
usual code in benchmarks/snippets, one file a library, one cell a thing. The cells of this package
are run, one after the other, on small random data; benchmarks/results/first_hour.md is written.

A statement that is broken over several lines counts as one line; imports and comments are not
counted. A comment at the head of a cell says what it does not do, or why there is no code.
"""

import ast
import contextlib
import os
import re
import tempfile
from collections import OrderedDict
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
RESULT = HERE / "results" / "first_hour.md"
N_MISSING = 4  # the last things, which this package cannot do
LIBRARIES = {
    "layup_sklearn": "this package",
    "embetter": "embetter + scikit-learn",
    "setfit": "SetFit",
    "sentence_transformers": "sentence-transformers + scikit-learn",
    "avalanche": "Avalanche",
}
INTRODUCTION = """# Lines of code of the first hour

Written by `python -m benchmarks.first_hour`, which ran the code of this package, one cell after the
other, on random pictures through small networks with random weights; data sets of Hugging Face and
torchvision were lists of rows as these give them. The code of the others was written from the
documentation and source in their repositories, read on 2026-11-27 (embetter 0.9.0, SetFit
1.2.0.dev0, sentence-transformers 5.2.0.dev0, Avalanche 0.6.0a), and was **not run**.

Samples begin as each library takes them: `X`, `y` and `new` are paths of photos and names here and in
embetter, opened pictures in sentence-transformers, texts in SetFit, with `data`, a data set of texts
and labels; in Avalanche tensors, whole numbers and `experience`. What was made in earlier cells is
there: `clf`, `model`, `encoder` and `head`, `strategy`. A statement that is broken over several
lines counts as one; imports are not counted. "-": not without writing the method oneself. Where the
others train anew, all samples have to be there still, and go through the network again.
"""


def cells(library):
    """The imports of a library's file, and its code by thing."""
    text = (HERE / "snippets" / f"{library}.py").read_text()
    imports, *parts = re.split(r"^# %% ", text, flags=re.MULTILINE)
    named = (part.split("\n", 1) for part in parts)
    return imports.partition("\n")[2].strip(), {name: code.strip() for name, code in named}


def n_lines(code):
    """Statements, and heads of loops, functions and their decorators."""
    statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
    return len(statements) + sum(len(getattr(node, "decorator_list", ())) for node in statements)


def cell_of_table(code):
    note = code.partition("\n")[0].removeprefix("# ") if code.startswith("#") else ""
    lines = n_lines(code)
    return " ".join(filter(None, [str(lines) if lines else "-", f"({note})" if note else ""]))


def report():
    """The text of the result file."""
    imports, codes = zip(*map(cells, LIBRARIES))
    things = list(codes[0])
    parts = [INTRODUCTION, summary(codes, things[:-N_MISSING]), ""]
    parts += [table(codes, things[:-N_MISSING]), "\n## What this package cannot do\n"]
    parts += [table(codes, things[-N_MISSING:]), "\n## The code\n"]
    for name, lines in zip(LIBRARIES.values(), imports):
        parts.append(f"Imports, {name}:\n\n```python\n{lines}\n```\n")
    for thing in things:
        parts.append(f"### {thing}\n")
        for name, code in zip(LIBRARIES.values(), codes):
            if n_lines(code[thing]):
                parts.append(f"{name}\n\n```python\n{code[thing]}\n```\n")
    return "\n".join(parts)


def summary(codes, things):
    """How often this package takes fewer, as many or more lines than the shortest of the others."""
    groups = {"fewer": [], "as many": [], "more": [], "nothing to compare": []}
    for thing in things:
        ours, *others = (n_lines(code[thing]) for code in codes)
        best = min(filter(None, others), default=None)
        if best is None:
            groups["nothing to compare"].append(thing)
        else:
            groups["fewer" if ours < best else "as many" if ours == best else "more"].append(thing)
    counts = [f"{name} in {len(group)}" for name, group in groups.items()]
    text = f"Lines of this package beside the shortest of the others, {len(things)} things: "
    return text + ", ".join(counts) + "." + "".join(f" More: {thing}." for thing in groups["more"])


def table(codes, things):
    rows = [["", *LIBRARIES.values()], ["---"] * (1 + len(LIBRARIES))]
    rows += [[thing, *(cell_of_table(code[thing]) for code in codes)] for thing in things]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def run():
    """Run the cells of this package; gives all names that they have made."""
    imports, code = cells("layup_sklearn")
    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        names = given(Path(folder))
        exec(imports, names)
        for thing, lines in code.items():
            exec(compile(lines, thing, "exec"), names)
    return names


def given(folder):
    """What the cells begin with: two weeks of photos, small networks, data sets, another learner."""
    import torch

    from layup_sklearn import LayUPClassifier
    from layup_sklearn.datasets import load_image_folder

    torch.manual_seed(0)
    conv = torch.nn.Conv2d
    rng = np.random.default_rng(0)
    for name in ("week1/cat", "week1/dog", "week2/owl", "week2/fox"):
        (folder / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.jpg")
    net = f"local-dir:{small_network(folder / 'network')}"
    (X, y), (X2, y2) = map(load_image_folder, ("week1", "week2"))
    pictures = [Image.open(path) for path in X]
    texts = ["the red ball runs", "a blue car", "the ball is red", "a car is blue"]
    return {
        "net": net,
        "text_net": small_text_network(folder / "text_network", texts),
        **{"X": X, "y": y, "X2": X2, "y2": y2, "X_test": X[::2], "y_test": y[::2], "new": X2[:4]},
        **{"texts": texts, "topics": ["ball", "car", "ball", "car"]},
        "module": torch.nn.Sequential(OrderedDict(layer1=conv(3, 4, 3), layer2=conv(4, 4, 3))),
        "preprocess": lambda picture: np.moveaxis(np.asarray(picture, np.float32), -1, 0) / 255,
        "hub": [{"image": image, "label": name} for image, name in zip(pictures, y)],
        "vision": list(zip(pictures, y)),
        "batches": [(X[::2], y[::2]), (X[1::2], y[1::2])],
        "names": {"cat": "pet", "dog": "pet"},
        "other": LayUPClassifier(net).fit(X2, y2),
    }


def small_network(folder):
    """A vision transformer of timm with random weights, in a folder."""
    from layup_sklearn.encoders._timm import import_timm

    timm = import_timm()
    network = timm.create_model("test_vit", pretrained=False, img_size=32)
    timm.models.save_for_hf(network, folder, model_args={"img_size": 32})
    return folder


def small_text_network(folder, texts):
    """A BERT with random weights, in a folder."""
    from layup_sklearn.encoders._transformers import import_transformers

    transformers = import_transformers()
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(" ".join(texts).split()))]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=16)
    tokenizer.save_pretrained(folder)
    sizes = dict.fromkeys(["hidden_size", "intermediate_size", "max_position_embeddings"], 32)
    config = transformers.BertConfig(
        vocab_size=len(words), num_hidden_layers=2, num_attention_heads=2, **sizes
    )
    transformers.BertModel(config).save_pretrained(folder)
    return os.fspath(folder)


if __name__ == "__main__":
    run()
    RESULT.write_text(report())
