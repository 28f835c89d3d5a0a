"""Resizing and crop on the device, here the CPU: the same pixels as Pillow's, to rounding."""

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.datasets import load_sample_images

from layup_sklearn import ImageEncoder
from layup_sklearn.encoders._device_pixels import Resizing, device_batches, is_plain_jpeg
from layup_sklearn.encoders._timm import import_timm

import_timm()
import torch
from timm.data import create_transform
from torchvision import transforms

PHOTOS = load_sample_images().images  # two photographs of 427 x 640
CPU = torch.device("cpu")
PREPROCESSINGS = {
    "bicubic": create_transform(
        (3, 224, 224), use_prefetcher=True, interpolation="bicubic", crop_pct=0.9
    ),
    "bilinear": create_transform(
        (3, 96, 96), use_prefetcher=True, interpolation="bilinear", crop_pct=0.875
    ),
    "squash": create_transform(
        (3, 112, 112),
        use_prefetcher=True,
        interpolation="bicubic",
        crop_pct=1.0,
        crop_mode="squash",
    ),
    "paper": transforms.Compose(
        [transforms.Resize(224), transforms.CenterCrop(224), transforms.PILToTensor()]
    ),
}


def pixels_of(images, preprocess, batch_size=4):
    batches = device_batches(images, range(len(images)), Resizing.of(preprocess), batch_size, CPU)
    positions, pixels = zip(*batches)
    assert [i for part in positions for i in part] == list(range(len(images)))
    return torch.cat(pixels).numpy()


def pillow(images, preprocess):
    images = [
        image if hasattr(image, "size") and not hasattr(image, "shape") else Image.fromarray(image)
        for image in images
    ]
    return np.stack([np.asarray(preprocess(image)) for image in images])


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_pixels_are_those_of_pillow(name):
    images = [*PHOTOS, PHOTOS[0][:300, :200], PHOTOS[1][::2, ::2], PHOTOS[1][100:160, 100:180]]
    expected = pillow(images, PREPROCESSINGS[name])
    ours = pixels_of(images, PREPROCESSINGS[name])
    assert ours.dtype == np.uint8 and ours.shape == expected.shape
    difference = np.abs(ours.astype(int) - expected.astype(int))
    assert difference.mean() <= 0.5 and difference.max() <= 12


def test_more_than_resizing_and_a_crop_is_left_to_pillow():
    border = create_transform((3, 64, 64), use_prefetcher=True, crop_mode="border")
    assert Resizing.of(border) is None
    assert Resizing.of(PREPROCESSINGS["squash"]) is not None


def test_arrays_paths_and_pictures_may_come_in_one_size_or_many(tmp_path):
    images = [PHOTOS[0], PHOTOS[1], PHOTOS[1][:200]]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    expected = pixels_of(images, PREPROCESSINGS["bilinear"])
    assert_array_equal(pixels_of(paths, PREPROCESSINGS["bilinear"], batch_size=2), expected)
    pictures = [Image.fromarray(image) for image in images]
    assert_array_equal(pixels_of(pictures, PREPROCESSINGS["bilinear"]), expected)
    read_only = np.stack(images[:2])
    read_only.flags.writeable = False
    assert_array_equal(pixels_of(list(read_only), PREPROCESSINGS["bilinear"]), expected[:2])


def test_a_broken_image_is_named(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path in paths:
        Image.fromarray(PHOTOS[0]).save(path)
    paths[3].write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"X\[3\]: cannot read the image .*3.png"):
        pixels_of(paths, PREPROCESSINGS["bilinear"], batch_size=2)


def jpeg(image, **options):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", **options)
    return content.getvalue()


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(PHOTOS[0], exif=exif)


@pytest.mark.parametrize(
    "content, plain",
    [
        (jpeg(PHOTOS[0]), True),
        (jpeg(PHOTOS[0], progressive=True), True),
        (jpeg(PHOTOS[0][..., 0]), True),
        (oriented(1), True),
        (oriented(6), False),
        (jpeg(np.zeros((20, 20, 4), np.uint8)[..., :3])[:-2], False),
        (jpeg(np.zeros((1, 200, 3), np.uint8)), False),
        (b"", False),
        (b"\xff\xd8\xff\xd9", False),
        (b"GIF89a", False),
    ],
    ids=[
        "rgb",
        "progressive",
        "grey",
        "upright",
        "turned",
        "cut off",
        "thin",
        "empty",
        "bare",
        "gif",
    ],
)
def test_what_the_device_may_decode(content, plain):
    assert is_plain_jpeg(content) is plain


def test_cmyk_is_left_to_pillow():
    content = io.BytesIO()
    Image.fromarray(PHOTOS[0]).convert("CMYK").save(content, "JPEG")
    assert not is_plain_jpeg(content.getvalue())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "auto"])
def test_features_on_cuda_are_those_of_the_cpu(precision, tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(2)]
    for path, image in zip(paths, PHOTOS):
        Image.fromarray(image).save(path, quality=95)
    here = ImageEncoder("test_vit", pretrained=False, device="cpu")
    there = ImageEncoder("test_vit", pretrained=False, device="cuda", precision=precision)
    for images in (PHOTOS, paths):
        ours, expected = there.transform(images), here.transform(images)
        error = np.linalg.norm(ours - expected) / np.linalg.norm(expected)
        assert error < 1e-2
    if precision == "auto":
        assert there.fingerprint() == here.fingerprint()
