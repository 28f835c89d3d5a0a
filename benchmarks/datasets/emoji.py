"""Emoji: 789 of them as Google and Twitter draw them, 20 subcategories as classes; 5 tasks.

From the npm package emoji-datasource 16.0.0 (Google's art Apache-2.0, Twitter's CC-BY-4.0). The
20 largest subcategories without flags; both drawings of an emoji are on one side of the split.
"""

import json

import numpy as np
import pandas as pd
from PIL import Image

from . import Dataset
from ._download import download_npm

VENDORS = ["google", "twitter"]


def load(root):
    images, y, train, vendor = drawings(root)
    return Dataset(_take(images, train), y[train], _take(images, ~train), y[~train])


def drawings(root):
    """Images, classes, training mask and vendors."""
    folder = download_npm("emoji-datasource@16.0.0", root / "downloads")
    items = [
        item
        for item in json.loads((folder / "emoji.json").read_text())
        if item["has_img_google"]
        and item["has_img_twitter"]
        and item["category"] not in ("Component", "Flags")
    ]
    names = list(pd.Series([item["subcategory"] for item in items]).value_counts().index[:20])
    items = [item for item in items if item["subcategory"] in names]
    images = []
    for vendor in VENDORS:
        sheet = Image.open(folder / f"img/{vendor}/sheets/32.png").convert("RGBA")
        for item in items:
            left, top = 34 * item["sheet_x"] + 1, 34 * item["sheet_y"] + 1
            images.append(sheet.crop((left, top, left + 32, top + 32)))
    y = np.array([names.index(item["subcategory"]) for item in items])
    train = np.random.default_rng(0).random(len(items)) < 0.7
    return images, np.tile(y, 2), np.tile(train, 2), np.repeat(VENDORS, len(items))


def _take(images, mask):
    return [image for image, taken in zip(images, mask) if taken]
