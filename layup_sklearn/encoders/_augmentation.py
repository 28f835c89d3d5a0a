"""Random crops, flips and colours of a batch of pictures on their device, each picture its own."""

import math

import numpy as np

AREA, SHAPE, JITTER, HUE = (0.7, 1.0), (3 / 4, 4 / 3), 0.1, 0.1
_ROOM = 1.15  # of the side of whole pictures over that of crops: crops keep their resolution


def whole_side(side):
    """Side of the square that whole pictures are held in, for crops of some side."""
    return math.ceil(_ROOM * side)


def draw(ratios):
    """Draw the crops, flips and colours of some pictures.

    Parameters
    ----------
    ratios : ndarray of shape (n,)
        Width over height of the pictures.

    Returns
    -------
    crops : tensor of shape (n, 2, 3)
    colours : tensor of shape (n, 3, 3)
    contrast : tensor of shape (n, 1, 1)
        What `augmented` takes.

    Notes
    -----
    The paper's recipe: 70 to 100 % of the area in a shape of 3/4 to 4/3, a flip of every second
    picture, brightness, contrast, saturation and hue within 10 %. Random numbers are torch's
    global ones of the CPU.
    """
    return _random_crops(ratios), *_random_colours(len(ratios))


def augmented(pictures, crops, colours, contrast, side, mode):
    """Crop, flip and recolour pictures.

    Parameters
    ----------
    pictures : tensor of uint8 of shape (n, 3, whole, whole)
        Whole pictures, squeezed into a square.
    crops, colours, contrast : tensor
        Of `draw`, on the device of the pictures.
    side : int
        Of the crops.
    mode : {"bilinear", "bicubic"}

    Returns
    -------
    pixels : tensor of float32 of shape (n, 3, side, side)
        Between 0 and 255.

    Notes
    -----
    Colours change by one linear map a picture, with the hue turned in the plane of the two colour
    axes of YIQ, and some of its mean grey is added.
    """
    from torch.nn.functional import affine_grid, grid_sample

    grid = affine_grid(crops, (len(pictures), 3, side, side), align_corners=False)
    pixels = grid_sample(
        pictures.float(), grid, mode=mode, padding_mode="border", align_corners=False
    )
    flat = pixels.flatten(2)
    red, green, blue = _GREY
    mean = flat.mean(dim=2)
    grey = (red * mean[:, 0] + green * mean[:, 1] + blue * mean[:, 2])[:, None, None]
    return (colours @ flat + contrast * grey).view_as(pixels).clamp_(0, 255)


def _random_crops(ratios):
    """Affine maps (n, 2, 3) from a crop, with sides from -1 to 1, to the whole picture."""
    import torch

    ratios = torch.as_tensor(np.asarray(ratios), dtype=torch.float32)[:, None]
    tries = len(ratios), 10
    area = torch.empty(tries).uniform_(*AREA)
    shape = torch.empty(tries).uniform_(*map(math.log, SHAPE)).exp()
    usual = ratios.clamp(*SHAPE)  # the last one fits always: of usual shape, as large as can be
    area = torch.cat([area, torch.minimum(usual / ratios, ratios / usual)], dim=1)
    shape = torch.cat([shape, usual], dim=1)
    sizes = torch.stack([(area * shape / ratios).sqrt(), (area * ratios / shape).sqrt()])
    fits = (sizes <= 1 + 1e-6).all(dim=0)
    fits[:, -1] = True
    first = fits.int().argmax(dim=1)
    width, height = sizes[:, torch.arange(len(ratios)), first].clamp(max=1)
    x, y = ((2 * torch.rand(len(ratios)) - 1) * (1 - size) for size in (width, height))
    flip = torch.where(torch.rand(len(ratios)) < 0.5, -1.0, 1.0)
    nothing = torch.zeros(len(ratios))
    return torch.stack([flip * width, nothing, x, nothing, height, y], dim=1).view(-1, 2, 3)


_GREY = [0.299, 0.587, 0.114]
_YIQ = [_GREY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]]


def _random_colours(n):
    """Linear maps (n, 3, 3) of colours, and factors (n, 1, 1) of the mean grey to be added."""
    import torch

    brightness, contrast, saturation = torch.empty(3, n, 1, 1).uniform_(1 - JITTER, 1 + JITTER)
    angle = 2 * math.pi * torch.empty(n).uniform_(-HUE, HUE)
    turn = torch.eye(3).repeat(n, 1, 1)
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos()
    turn[:, 2, 1] = angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    yiq = torch.tensor(_YIQ)
    hue = torch.linalg.inv(yiq) @ turn @ yiq
    to_grey = torch.tensor(_GREY).repeat(3, 1)
    colours = hue @ (saturation * torch.eye(3) + (1 - saturation) * to_grey)
    return brightness * contrast * colours, brightness * (1 - contrast)
