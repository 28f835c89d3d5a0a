import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks

pytest.importorskip("transformers", reason="pip install transformers")

from layup_sklearn import FeatureCache, LayUPClassifier, TextEncoder
from layup_sklearn.encoders import _text_encoder
from layup_sklearn.encoders._transformers import import_transformers
from layup_sklearn.explanation import layer_contributions, token_contributions

transformers = import_transformers()
import torch

WORDS = [
    "the",
    "a",
    "red",
    "blue",
    "ball",
    "car",
    "runs",
    "fast",
    "slow",
    "over",
    "under",
    "hill",
    "road",
    "and",
    "then",
    "it",
    "stops",
]
TEXTS = [
    "the red ball runs fast over the hill",
    "stops",
    "",
    "a blue car and then a red car and then a ball runs slow under the road and it stops",
    "the road",
    "it runs unknownword",
    "the car",
    "then it stops over the hill and the ball runs",
]


def save_tokenizer(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=16)
    tokenizer.save_pretrained(folder)
    return len(words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of three blocks."""
    folder = tmp_path_factory.mktemp("bert")
    config = transformers.BertConfig(
        vocab_size=save_tokenizer(folder),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=20,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def passes(monkeypatch):
    """Tokens of every pass of the network."""
    batches = []
    text_features = _text_encoder.text_features

    def counting(network, ids, *args):
        batches.append([len(tokens) for tokens in ids])
        return text_features(network, ids, *args)

    monkeypatch.setattr(_text_encoder, "text_features", counting)
    return batches


def direct(folder, text, pool, max_length=16):
    """Features of one text alone, without padding, deepest layer first."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer([text], truncation=True, max_length=max_length, return_tensors="pt")
    with torch.inference_mode():
        states = network(**inputs, output_hidden_states=True).hidden_states[1:]
    states = [state[0].numpy() for state in states[::-1]]
    pooled = {
        "token": lambda state: state[0],
        "avg": lambda state: state.mean(axis=0),
        "avg+std": lambda state: np.hstack([state.mean(axis=0), state.std(axis=0)]),
    }
    return [pooled[pool](state) for state in states]


@pytest.mark.parametrize("pool", ["avg", "avg+std", "token"])
def test_features_are_those_of_a_direct_pass_of_each_text(pool, folder):
    expected = np.array([np.hstack(direct(folder, text, pool)) for text in TEXTS])
    width = 64 if pool == "avg+std" else 32
    for n_layers, batch_size in ((1, 3), (3, 8), (6, 1)):
        encoder = TextEncoder(
            folder,
            n_layers=n_layers,
            pool=pool,
            layer_norm=False,
            batch_size=batch_size,
            device="cpu",
        )
        features = encoder.fit_transform(TEXTS)
        assert encoder.layer_sizes_ == [width] * min(n_layers, 3)
        assert features.dtype == np.float32
        assert_allclose(features, expected[:, : width * n_layers], rtol=1e-4, atol=1e-5)


def test_layer_norm_is_per_layer(folder):
    features = TextEncoder(folder, device="cpu").transform(TEXTS).reshape(len(TEXTS), 3, 64)
    assert_allclose(features.mean(axis=2), 0, atol=1e-5)
    assert_allclose(features.std(axis=2), 1, atol=1e-4)


def test_texts_are_cut(folder):
    long = TEXTS[3]
    assert_allclose(
        TextEncoder(folder, device="cpu", pool="avg", layer_norm=False, max_length=6).transform(
            [long]
        )[0],
        np.hstack(direct(folder, long, "avg", max_length=6)),
        rtol=1e-4,
        atol=1e-5,
    )
    cut = TextEncoder(folder, device="cpu").transform([long, long + " and it stops"])
    assert_array_equal(cut[0], cut[1])  # both end at the tokenizer's 16
    longer = TextEncoder(folder, device="cpu", max_length=20).transform(
        [long, long + " and it stops"]
    )
    assert (longer[0] != cut[0]).any()


def test_batches_are_of_like_length(folder, passes):
    TextEncoder(folder, device="cpu", batch_size=2, max_length=20).transform(TEXTS)
    assert passes == [[20, 12], [10, 5], [4, 4], [3, 2]]


def test_every_form_of_the_texts_gives_the_same_features(folder):
    expected = TextEncoder(folder, device="cpu").transform(TEXTS)
    for form in (
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, np.newaxis],
        pd.Series(TEXTS, index=range(10, 18)),
        pd.DataFrame({"text": TEXTS}),
        pd.Series(TEXTS, dtype="string"),
    ):
        assert_array_equal(TextEncoder(folder, device="cpu").transform(form), expected)


@pytest.mark.parametrize(
    "X, message",
    [
        ("one text", r"must be a collection of texts, got one str: use \[X\]"),
        ([], "0 sample"),
        (["a", 3], r"X\[1\]: is 3 of type int; texts are of type str"),
        (pd.Series(["a", None, "b"], dtype="string"), r"X\[1\]: is <NA>"),
        ([b"a"], r"X\[0\]: .*bytes"),
        (["a", "\ud800"], r"X\[1\]: is not valid Unicode"),
        (np.array([["a", "b"]]), r"shape \(1, 2\)"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "one column, got 2: .*'a', 'b'"),
    ],
)
def test_what_is_no_text_is_named(X, message, folder):
    with pytest.raises(ValueError, match=message):
        TextEncoder(folder, device="cpu").transform(X)


def test_the_classifier_names_the_position_in_the_whole_call(folder, monkeypatch):
    monkeypatch.setattr("layup_sklearn._rows.CHUNK_ROWS", 3)
    classifier = LayUPClassifier(TextEncoder(folder, device="cpu"), ridge=1.0).fit(
        TEXTS, [0, 1] * 4
    )
    before = classifier.statistics_.gram.copy()
    with pytest.raises(ValueError, match=r"X\[7\]: is None"):
        classifier.partial_fit([*TEXTS[:7], None], [0, 1] * 4)
    assert_array_equal(classifier.statistics_.gram, before)


def test_the_cache_holds_a_text_once_with_all_layers(folder, tmp_path, passes):
    expected = TextEncoder(folder, device="cpu").transform(TEXTS)
    passes.clear()
    texts = TEXTS[:4] + TEXTS
    features = TextEncoder(folder, device="cpu", n_layers=1, memory=tmp_path).transform(texts)
    assert sum(map(len, passes)) == 8
    assert_allclose(features[4:], expected[:, :64], rtol=1e-4, atol=1e-5)
    again = TextEncoder(folder, device="cpu", memory=tmp_path).transform(TEXTS)
    assert_allclose(again, expected, rtol=1e-4, atol=1e-5)
    assert sum(map(len, passes)) == 8
    assert len(FeatureCache(tmp_path)) == 8
    for other in {"pool": "token"}, {"max_length": 5}, {"precision": "bfloat16"}:
        TextEncoder(folder, device="cpu", memory=tmp_path, **other).transform(TEXTS[:1])
    assert len(FeatureCache(tmp_path)) == 11


def test_grid_search_sends_every_text_through_once(folder, passes):
    y = np.array([0, 1] * 4)
    encoder = TextEncoder(folder, device="cpu", memory=FeatureCache())
    grid = {"encoder__n_layers": [1, 3], "ridge": [0.1, 1.0]}
    GridSearchCV(LayUPClassifier(encoder), grid, cv=2, error_score="raise").fit(TEXTS, y)
    pipeline = Pipeline([("encoder", encoder), ("classifier", LayUPClassifier(ridge=1.0))])
    cross_val_score(pipeline, TEXTS, y, cv=2, error_score="raise")
    assert sum(map(len, passes)) == 8


def test_stream_is_the_joint_fit(folder):
    encoder = TextEncoder(folder, device="cpu")
    stream = LayUPClassifier(encoder, ridge=1.0)
    stream.partial_fit(TEXTS[:4], ["a", "b"] * 2).partial_fit(TEXTS[4:], ["c", "d"] * 2)
    joint = LayUPClassifier(ridge=1.0).fit(
        encoder.transform(TEXTS), ["a", "b"] * 2 + ["c", "d"] * 2
    )
    assert_allclose(stream.coef_, joint.coef_, rtol=1e-3, atol=1e-5)


def test_stateless(folder):
    encoder = TextEncoder(folder, device="cpu").fit()
    assert len(pickle.dumps(encoder)) < 2000
    again = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(again.transform(TEXTS), encoder.transform(TEXTS))
    assert clone(encoder).fingerprint() == encoder.fingerprint()
    named = clone(encoder).set_output(transform="pandas").transform(TEXTS)
    assert list(named.columns[:2]) == ["textencoder0", "textencoder1"]


def test_fingerprint_is_of_the_content(folder, tmp_path):
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    mark = TextEncoder(folder, device="cpu").fingerprint()
    assert TextEncoder(copy, device="cpu").fingerprint() == mark
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_attention_heads": 4}))
    assert TextEncoder(copy, device="cpu").fingerprint() != mark
    assert TextEncoder(folder, device="cpu", max_length=16).fingerprint() == mark
    tokens = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config))
    for other in {"truncation_side": "left"}, {"split_special_tokens": True}:
        (copy / "tokenizer_config.json").write_text(json.dumps({**tokens, **other}))
        assert TextEncoder(copy, device="cpu").fingerprint() != mark
    for other in {"layer_norm": False}, {"pool": "avg"}:
        assert TextEncoder(folder, device="cpu", **other).fingerprint() != mark


@pytest.mark.parametrize(
    "params, message",
    [
        ({"n_layers": 4}, "n_layers=4, but .* has 3 layers"),
        ({"max_length": 21}, "max_length=21, but .* has 20 positions"),
        ({"max_length": 2}, "leaves no room for text beside the 2 special tokens"),
        ({"pool": "auto"}, "'pool' parameter"),
        ({"device": "nonsense"}, "device='nonsense' cannot be used here"),
    ],
)
def test_bad_parameters(params, message, folder):
    with pytest.raises(ValueError, match=message):
        TextEncoder(folder, **{"device": "cpu", **params}).fit()


def test_a_folder_that_is_none_or_holds_no_network(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        TextEncoder(tmp_path / "missing").fit()
    with pytest.raises((OSError, ValueError), match="could not be loaded"):
        TextEncoder(tmp_path, device="cpu").fit()


def test_weights_that_are_missing_are_no_random_ones(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    pooler = {name: value for name, value in weights.items() if "pooler" not in name}
    save_file(pooler, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_array_equal(
        TextEncoder(tmp_path, device="cpu").transform(TEXTS),
        TextEncoder(folder, device="cpu").transform(TEXTS),
    )
    pooler.pop("encoder.layer.1.output.dense.weight")
    save_file(pooler, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 weights of a BertModel.*layer.1.output.dense"):
        TextEncoder(tmp_path, device="cpu").fit()


def small(kind, n_words):
    config = {
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=n_words, n_positions=32, n_embd=16, n_layer=2, n_head=2
        ),
        "t5": lambda: transformers.T5Config(
            vocab_size=n_words, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
        ),
        "distilbert": lambda: transformers.DistilBertConfig(
            vocab_size=n_words, dim=16, hidden_dim=32, n_layers=2, n_heads=2
        ),
        "fnet": lambda: transformers.FNetConfig(
            vocab_size=n_words, hidden_size=16, intermediate_size=32, num_hidden_layers=2
        ),
        "roberta": lambda: transformers.RobertaConfig(
            vocab_size=n_words,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=20,
            pad_token_id=0,
        ),
        "opt": lambda: transformers.OPTConfig(
            vocab_size=n_words,
            hidden_size=16,
            ffn_dim=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            word_embed_proj_dim=12,
            max_position_embeddings=20,
        ),
        "funnel": lambda: transformers.FunnelConfig(
            architectures=["FunnelModel"],
            vocab_size=n_words,
            d_model=16,
            n_head=2,
            d_head=8,
            d_inner=32,
            block_sizes=[1, 1],
        ),
    }[kind]()
    torch.manual_seed(0)
    return transformers.AutoModel.from_config(config)


def test_networks_that_see_padding_get_none(tmp_path, passes):
    small("fnet", save_tokenizer(tmp_path)).save_pretrained(tmp_path)
    together = TextEncoder(tmp_path, device="cpu").transform(TEXTS)
    assert all(len(set(lengths)) == 1 for lengths in passes)
    alone = TextEncoder(tmp_path, device="cpu", batch_size=1).transform(TEXTS)
    assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_positions_of_roberta_begin_behind_its_padding(tmp_path):
    small("roberta", save_tokenizer(tmp_path)).save_pretrained(tmp_path)
    assert TextEncoder(tmp_path, device="cpu", max_length=19).transform([TEXTS[3]]).shape == (1, 64)
    with pytest.raises(ValueError, match="max_length=20, but .* has 19 positions"):
        TextEncoder(tmp_path, device="cpu", max_length=20).fit()


def test_widths_are_those_of_the_states(tmp_path):
    small("opt", save_tokenizer(tmp_path)).save_pretrained(tmp_path)
    encoder = TextEncoder(tmp_path, device="cpu", pool="avg").fit()
    assert encoder.layer_sizes_[1] == 16  # the last one may be projected
    assert encoder.transform(TEXTS).shape == (len(TEXTS), sum(encoder.layer_sizes_))


def test_states_that_are_not_one_for_each_token_are_refused(tmp_path):
    small("funnel", save_tokenizer(tmp_path)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="does not give the hidden states of its blocks"):
        TextEncoder(tmp_path, device="cpu").fit()


@pytest.mark.parametrize("kind", ["gpt2", "t5", "distilbert"])
def test_decoders_encoder_decoders_and_others(kind, tmp_path):
    network = small(kind, save_tokenizer(tmp_path)).eval()
    network.save_pretrained(tmp_path)
    options = {"n_layers": 2, "pool": "avg", "layer_norm": False}
    features = TextEncoder(tmp_path, device="cpu", **options).fit_transform(TEXTS)
    encoder = network.get_encoder() if kind == "t5" else network
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text, row in zip(TEXTS, features):
        ids = torch.tensor(tokenizer([text], truncation=True, max_length=16)["input_ids"])
        with torch.inference_mode():
            states = encoder(input_ids=ids, output_hidden_states=True).hidden_states[:0:-1]
        expected = np.hstack([state[0].mean(dim=0) for state in states])
        assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_without_class_token_and_without_any_token(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="it"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    plain = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    plain.save_pretrained(tmp_path)  # no special tokens, no limit
    small("gpt2", len(WORDS)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no class token: use pool='avg'"):
        TextEncoder(tmp_path, device="cpu", pool="token").fit()
    features = TextEncoder(tmp_path, device="cpu").transform(["", "the red ball", ""])
    assert_array_equal(features[[0, 2]], 0)
    assert np.isfinite(features).all() and features[1].any()
    assert_array_equal(TextEncoder(tmp_path, device="cpu").transform([""]), 0)
    long = TextEncoder(tmp_path, device="cpu").transform(["the " * 32, "the " * 50])
    assert_array_equal(long[0], long[1])
    classifier = LayUPClassifier(TextEncoder(tmp_path, device="cpu"), ridge=1.0)
    classifier.fit(["the red ball", "a car"], [0, 1])
    assert token_contributions(classifier, "the ball").tokens == ["the", "ball"]
    with pytest.raises(ValueError, match="no token"):
        token_contributions(classifier, "")


def test_memory_that_runs_out_halves_the_batches(folder, monkeypatch):
    expected = TextEncoder(folder, device="cpu").transform(TEXTS)
    text_features = _text_encoder.text_features

    def small(network, ids, *args):
        if len(ids) > 2:
            raise RuntimeError("CUDA out of memory.")
        return text_features(network, ids, *args)

    monkeypatch.setattr(_text_encoder, "text_features", small)
    with pytest.warns(UserWarning, match="Memory ran out with 64 texts"):
        assert_allclose(
            TextEncoder(folder, device="cpu").transform(TEXTS), expected, rtol=1e-4, atol=1e-5
        )


def test_progress_shows_texts_per_second(folder, capsys):
    TextEncoder(folder, device="cpu", verbose=1).transform(TEXTS)
    assert "8/8" in (text := capsys.readouterr().err) and "text/s" in text


def test_missing_transformers_is_one_clear_error():
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'transformers':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from layup_sklearn import TextEncoder\n"
        "TextEncoder().fit()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: TextEncoder needs torch and transformers, and 'transformers' is missing: "
        "install them (pip install torch transformers)."
    )


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learn_checks_that_need_no_data(check):
    check("TextEncoder", TextEncoder())


@pytest.mark.parametrize(
    "options",
    [
        {"n_layers": 3},
        {"n_layers": 2, "layers": "spread"},
        {"n_layers": 2, "pool": "avg", "layer_norm": False},
    ],
)
def test_tokens_add_up_to_layers_and_scores(folder, options):
    encoder = TextEncoder(folder, device="cpu", precision="float32", **options)
    classifier = LayUPClassifier(encoder, ridge=1.0).fit(TEXTS, ["car", "ball", "hill", "car"] * 2)
    for text in ("the red ball runs", "stops", "unknownword " * 30):
        found = token_contributions(classifier, text)
        [layers], baseline = layer_contributions(classifier, [text])
        scale = np.abs(layers).max()
        assert_allclose(found.layers, layers, atol=1e-4 * scale)
        scores = classifier.decision_function([text])[0]
        assert_allclose(found.layers.sum(axis=0) + found.baseline, scores, atol=1e-3 * scale)
        assert found.values.shape == (options["n_layers"], len(found.tokens), 3)
        assert found.spread.any() == ("pool" not in options)
    assert found.tokens == ["[CLS]", *["[UNK]"] * 14, "[SEP]"]  # as far as the network saw it
    assert token_contributions(classifier, "the ball").tokens == ["[CLS]", "the", "ball", "[SEP]"]


def test_pairs_of_texts_are_not_read_as_labelled_texts(folder):
    encoder = TextEncoder(folder, device="cpu")
    assert_array_equal(encoder.transform([("the ball", 0)]), encoder.transform(["the ball"]))
    with pytest.raises(ValueError, match="pair of texts"):
        encoder.transform([("the ball", "a car"), ("the ball", "a hill")])


def test_what_has_no_tokens_is_one_clear_error(folder):
    token = TextEncoder(folder, pool="token", device="cpu")
    X = np.random.default_rng(0).standard_normal((8, 3))
    for classifier, message in (
        (LayUPClassifier(token, ridge=1.0).fit(TEXTS, [0, 1] * 4), "over no positions"),
        (LayUPClassifier(ridge=1.0).fit(X, [0, 1] * 4), "without an encoder have no tokens"),
    ):
        with pytest.raises(ValueError, match=message):
            token_contributions(classifier, "the ball")
