import io
import os
import struct
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from layup_sklearn.encoders._images import ImageReadError, as_image_list, image_key, read_image


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def pixels(image):
    picture = read_image(image)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_every_form_of_one_image_gives_the_same_pixels(rgb, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(rgb).save(path)
    forms = [
        path,
        str(path),
        Image.open(path),
        rgb,
        rgb.transpose(2, 0, 1),
        rgb / 255,
        (rgb / 255).astype(np.float32),
        rgb.astype(np.int64),
        rgb.astype(np.uint16) * 257,
        torch.tensor(rgb),
        torch.tensor(rgb).permute(2, 0, 1) / 255,
        np.asfortranarray(rgb),
    ]
    for form in forms:
        assert_array_equal(pixels(form), rgb)


def test_grey_in_every_form(rgb, tmp_path):
    grey = rgb[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    expected = np.repeat(grey[..., np.newaxis], 3, axis=2)
    for form in (
        grey,
        grey[..., np.newaxis],
        grey[np.newaxis],
        grey / 255,
        tmp_path / "grey.png",
        tmp_path / "deep.png",
        grey.astype(np.uint16) * 257,
        Image.fromarray(grey),
    ):
        assert_array_equal(pixels(form), expected)
    assert_array_equal(pixels(grey > 100), np.where(expected > 100, 255, 0))


def test_transparent_parts_are_white(rgb):
    alpha = np.full((12, 10, 1), 255, np.uint8)
    alpha[:6] = 0
    rgba = np.dstack([rgb, alpha])
    expected = np.where(alpha == 0, 255, rgb)
    for form in (rgba, rgba.transpose(2, 0, 1), Image.fromarray(rgba)):
        assert_array_equal(pixels(form), expected)
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    palette.info["transparency"] = 0
    assert_array_equal(pixels(palette)[0], [[255, 255, 255], [40, 50, 60]])


def test_exif_orientation_is_applied(rgb, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(rgb).save(tmp_path / "turned.png", exif=exif)
    assert_array_equal(pixels(tmp_path / "turned.png"), np.rot90(rgb, -1))


def test_other_modes(rgb):
    cmyk = Image.fromarray(rgb).convert("CMYK")
    assert_array_equal(pixels(cmyk), np.asarray(cmyk.convert("RGB")))


def test_collections(rgb, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(rgb).save(path)
    batch = np.stack([rgb, rgb])
    frame = pd.DataFrame({"image": [str(path)] * 2})
    for collection in (
        batch,
        batch.transpose(0, 3, 1, 2),
        torch.tensor(batch),
        [rgb, rgb[:5]],
        (path, str(path)),
        frame,
        frame["image"],
        frame.to_numpy(),
        np.array([str(path), str(path)]),
        [Image.fromarray(rgb)] * 2,
        pd.Series([rgb, rgb[:5]]),
        batch[..., 0],
    ):
        images = as_image_list(collection)
        assert len(images) == 2
        assert pixels(images[0]).shape == rgb.shape
    ragged = np.empty(2, object)
    ragged[:] = [rgb, rgb[:5]]
    assert len(as_image_list(ragged)) == 2


def test_what_could_be_one_image_is_refused(rgb):
    for array in (rgb, rgb.transpose(2, 0, 1), np.zeros((5, 6, 1)), np.zeros((3, 8, 9))):
        with pytest.raises(ValueError, match=r"could be one image or .* one image is \[image\]"):
            as_image_list(array)
    assert len(as_image_list(np.zeros((5, 8, 9)))) == 5


@pytest.mark.parametrize(
    "collection, message",
    [
        ("image.png", "use \\[X\\]"),
        ([], "0 sample"),
        (np.zeros((0, 4, 4, 3)), "0 sample"),
        (np.zeros((5, 64)), "not a collection of images"),
        (["a.png", np.zeros((4, 4))], r"X\[1\]: is an array, but X\[0\] is a path"),
        ([np.zeros((4, 4)), 3], r"X\[1\]: is of type int"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "one column, got 2"),
    ],
)
def test_no_collection_of_images(collection, message):
    with pytest.raises(ValueError, match=message):
        as_image_list(collection)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.full((4, 4), 300), "expected 0 to 255"),
        (np.full((4, 4), 2.0), "expected 0 to 1"),
        (np.full((4, 4), -0.5), "expected 0 to 1"),
        (np.full((4, 4), np.nan), "expected 0 to 1"),
        (np.zeros((4, 4), complex), "pixels of type complex"),
        (np.zeros((2, 5, 5)), "expected \\(height, width\\)"),
        (np.zeros((0, 5)), "no pixels"),
        ("missing.png", "cannot read the image 'missing.png'"),
    ],
)
def test_unreadable_images_are_named(image, message):
    with pytest.raises(ValueError, match=r"X\[7\]: .*" + message):
        read_image(image, position=7)


def test_damaged_files_are_named(rgb, tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.tile(rgb, (20, 20, 1))).save(whole)
    content = whole.read_bytes()
    for name, data in {
        "half.jpg": content[: len(content) // 2],
        "empty.png": b"",
        "text.png": b"no",
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"X\[2\]: cannot read the image .*{name}"):
            read_image(path, position=2)
    with pytest.raises(ValueError, match="cannot read"):
        read_image(tmp_path, position=0)


def test_decompression_bombs_are_refused(rgb, tmp_path, monkeypatch):
    Image.fromarray(rgb).save(tmp_path / "big.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="big.png.*(exceeds limit|more than)"):
        read_image(tmp_path / "big.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert_array_equal(pixels(tmp_path / "big.png"), rgb)


def test_a_file_cut_at_any_place_is_named(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    for length in range(len(content) - 20):  # behind that there are checksums and an empty chunk
        (tmp_path / "cut.png").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"X\[1\]: cannot read the image .*cut.png"):
            read_image(tmp_path / "cut.png", position=1)


def test_the_content_counts_and_not_the_extension(rgb, tmp_path):
    for name in ("image.jpg", "image.gif", "image.txt", "image"):
        Image.fromarray(rgb).save(tmp_path / name, format="png")
        assert_array_equal(pixels(tmp_path / name), rgb)
    (tmp_path / "script.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n")
    for name in ("script.png", "page.jpg"):
        with pytest.raises(ValueError, match=f"cannot read the image .*{name}"):
            read_image(tmp_path / name)


def test_a_small_file_that_claims_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(ValueError, match="bomb.png.*decompression bomb"):
        read_image(tmp_path / "bomb.png")
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(10**8)))
    small = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = (
        chunk(b"IHDR", small) + text + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")
    )
    (tmp_path / "text.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(ValueError, match="text.png.*too large"):
        read_image(tmp_path / "text.png")


ENTRY = struct.Struct("<HHII")  # tag, type, count, value or offset
HOSTILE_EXIF = {
    "orientation 99": ENTRY.pack(0x0112, 3, 1, 99),
    "orientation 0": ENTRY.pack(0x0112, 3, 1, 0),
    "orientation of two billion": ENTRY.pack(0x0112, 4, 1, 2**31),
    "orientation as text": ENTRY.pack(0x0112, 2, 4, int.from_bytes(b"abc\0", "little")),
    "orientation beyond the end": ENTRY.pack(0x0112, 3, 4000, 2**31),
    "unknown type": ENTRY.pack(0x0112, 77, 1, 6),
    "directory within itself": ENTRY.pack(0x8769, 4, 1, 8),
    "endless array": ENTRY.pack(0x0112, 3, 2**32 - 1, 8),
}


@pytest.mark.parametrize("name", [*HOSTILE_EXIF, "cut", "noise", "many entries"])
@pytest.mark.parametrize("form", ["jpeg", "png"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hostile_exif_is_an_error_or_ignored(rgb, tmp_path, name, form):
    head = b"II*\0" + struct.pack("<I", 8)
    if name == "cut":
        exif = head[:6]
    elif name == "noise":
        exif = np.random.default_rng(0).bytes(3000)
    elif name == "many entries":
        exif = head + struct.pack("<H", 65535) + ENTRY.pack(0x0112, 3, 1, 6) * 2000
    else:
        exif = head + struct.pack("<H", 1) + HOSTILE_EXIF[name] + bytes(4)
    path = tmp_path / f"image.{form}"
    Image.fromarray(rgb).save(path, exif=b"Exif\0\0" + exif)
    try:
        assert pixels(path).shape in (rgb.shape, (10, 12, 3))
    except ValueError as error:
        assert "cannot read the image" in str(error)


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="needs symbolic links")
def test_links(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "image.png")
    (tmp_path / "link.png").symlink_to("image.png")
    assert_array_equal(pixels(tmp_path / "link.png"), rgb)
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    for name in ("a.png", "dangling.png"):
        with pytest.raises(ValueError, match=rf"X\[3\]: cannot read the image .*{name}"):
            read_image(tmp_path / name, position=3)


@pytest.mark.parametrize("order", "<>")
def test_16_bits_of_either_byte_order(order, rgb):
    assert_array_equal(pixels((257 * rgb.astype(np.uint16)).astype(f"{order}u2")), rgb)


def test_pictures_opened_and_not_loaded_may_come_twice(rgb, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path in paths:
        Image.fromarray(rgb).resize((300, 300)).save(path)
    expected = pixels(paths[0])
    for path in paths:
        opened = Image.open(path)
        with ThreadPoolExecutor(4) as pool:
            for picture in pool.map(read_image, [opened] * 4):
                assert_array_equal(np.asarray(picture), expected)


@pytest.mark.parametrize(
    "X", [None, {1}, iter(["a.png"]), {"a": 1}], ids=["None", "set", "iterator", "dict"]
)
def test_what_is_no_collection_is_named(X):
    with pytest.raises(ValueError, match="X must be a collection of images, got"):
        as_image_list(X)


def test_a_transparent_grey_of_16_bits_is_white(tmp_path):
    grey = np.array([[0, 1000], [1000, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.png", transparency=1000)
    assert_array_equal(pixels(tmp_path / "grey.png")[..., 0], [[0, 255], [255, 255]])


def test_a_picture_much_longer_than_wide_is_refused():
    for image in (Image.new("RGB", (2, 201)), np.zeros((201, 2, 3), np.uint8)):
        with pytest.raises(ImageReadError, match=r"X\[7\]: .*sides too different"):
            read_image(image, position=7)
    assert read_image(Image.new("RGB", (2, 200))).size == (2, 200)


def test_a_picture_without_pixels_and_premultiplied_grey():
    with pytest.raises(ValueError, match=r"X\[3\]: .*\(0, 0\) has no pixels"):
        read_image(Image.new("L", (0, 0)), position=3)
    premultiplied = Image.new("LA", (4, 4), (0, 255)).convert("La")
    assert_array_equal(pixels(premultiplied), 0)


# depths, palettes, photometrics


def png(path, depth, kind, row, transparent, width=2):
    """A file of one row, as libraries other than Pillow write it, with one transparent colour."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    parts = (
        chunk(b"IHDR", head),
        chunk(b"tRNS", transparent),
        chunk(b"IDAT", zlib.compress(b"\0" + row)),
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    "depth, kind, row, transparent, other",
    [
        (1, 0, bytes([0b01000000]), (0,), 255),
        (2, 0, bytes([0b01100000]), (1,), 170),
        (4, 0, bytes([0x7A]), (7,), 170),
        (8, 0, bytes([7, 170]), (7,), 170),
        (16, 0, struct.pack(">2H", 1000, 170 * 257), (1000,), 170),
        (8, 2, bytes([128, 16, 48, 170, 170, 170]), (128, 16, 48), 170),
        (
            16,
            2,
            struct.pack(">6H", 32832, 4128, 12289, *[170 * 257] * 3),
            (32832, 4128, 12289),
            170,
        ),
    ],
)
def test_a_transparent_colour_of_any_depth_is_white(depth, kind, row, transparent, other, tmp_path):
    png(tmp_path / "a.png", depth, kind, row, struct.pack(f">{len(transparent)}H", *transparent))
    assert pixels(tmp_path / "a.png")[0].tolist() == [[255] * 3, [other] * 3]


def test_a_palette_that_holds_alpha_is_transparent():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = [200, 0, 0, 255]
    for form in (Image.fromarray(rgba), Image.fromarray(rgba).quantize(4)):
        assert pixels(form)[[0, 3], 0].tolist() == [[200, 0, 0], [255, 255, 255]]


def test_whole_numbers_of_32_bits_are_the_same_in_every_form(tmp_path):
    array = np.arange(256, dtype=np.int32).reshape(16, 16)
    Image.fromarray(array).save(tmp_path / "a.tif")
    for form in (array, Image.fromarray(array), tmp_path / "a.tif"):
        assert_array_equal(pixels(form)[..., 0], array)
    deep = Image.fromarray(array * 257)
    assert_array_equal(pixels(deep)[..., 0], array)


@pytest.mark.parametrize("bits", [8, 16])
def test_white_may_be_zero(bits, tmp_path):
    data = bytes([0, 100, 255, 0]) if bits == 8 else struct.pack("<3H", 0, 25700, 65535)
    tags = [(256, 3, 3), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, 0), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 3, 1), (279, 4, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    (tmp_path / "a.tif").write_bytes(head + struct.pack("<H", len(tags)) + entries + bytes(4))
    assert pixels(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 155, 0]


# where pictures come from


def test_files_and_their_bytes_are_read_and_left_as_they_were(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    with open(tmp_path / "a.png", "rb") as file:
        upload = io.BytesIO(content)
        upload.seek(5)
        for form in (content, bytearray(content), upload, file):
            assert_array_equal(pixels(as_image_list([form])[0]), rgb)
            assert image_key("", form, 0) == image_key("", tmp_path / "a.png", 0)
        assert upload.tell() == 5 and file.read() == content
    with open(tmp_path / "a.png") as text, pytest.raises(ImageReadError, match="mode 'rb'|codec"):
        read_image(text)


def test_every_sequence_is_the_list_of_its_items(rgb):
    class Sequence:
        """Without an end that says so, as data sets are."""

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return rgb[i:] if isinstance(i, int) else rgb

    class Labelled(Sequence):
        def __getitem__(self, i):
            return rgb[i:], i

    expected = [rgb[i:] for i in range(3)]
    for form in (expected, tuple(expected), deque(expected), Sequence(), Labelled()):
        for image, other in zip(as_image_list(form), expected, strict=True):
            assert_array_equal(image, other)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF"])
def test_a_closed_picture_is_named(form, rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a", form)
    with Image.open(tmp_path / "a") as picture:
        pass
    with pytest.raises(ImageReadError, match=r"X\[5\]: cannot read the image: .*closed"):
        read_image(picture, 5)


def test_only_pictures_of_pixels_in_regular_files_are_opened(tmp_path):
    (tmp_path / "a.jpg").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    )
    with pytest.raises(ImageReadError, match="not a picture of a known format"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageReadError, match="not a regular file"):
        read_image("/dev/zero" if os.path.exists("/dev/zero") else tmp_path)
    for text, message in (
        ("https://x.org/a.png", "download it"),
        ("data:image/png;base64,xx", "decode"),
    ):
        with pytest.raises(ImageReadError, match=message):
            read_image(text)
