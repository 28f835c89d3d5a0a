"""Pictures of the results, one question each; the same bytes for the same results."""

import math

import numpy as np

OURS, QUIET, BOUND = "#D55E00", "#56606B", "#FFFFFF"  # vermilion of Okabe and Ito, grey, hollow
PALETTE = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
FAR = 15.0  # points behind the best, where the axis ends


def _pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _save(figure, path):
    figure.savefig(path, dpi=80, metadata={"Software": None})
    _pyplot().close(figure)


def draw_final(accuracy, error, path, *, ours, bound):
    """How good is every method in the end? Sorted dots, a panel for each stream.

    Parameters
    ----------
    accuracy, error : dict of str to dict of str to float
        By stream and method: accuracy on all test samples and its standard error, in %.
    path : path
        Of the picture.
    ours, bound : str
        The method that is drawn strongly, and the one that keeps all samples, drawn hollow.
    """
    n_columns = min(3, len(accuracy))
    n_rows = math.ceil(len(accuracy) / n_columns)
    most = max(map(len, accuracy.values()))
    size = (4.4 * n_columns, (0.19 * most + 0.9) * n_rows)
    figure, axes = _pyplot().subplots(
        n_rows, n_columns, figsize=size, layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(accuracy) :]:
        ax.set_axis_off()
    for ax, (stream, values) in zip(axes.flat, accuracy.items()):
        names = sorted(values, key=lambda name: (values[name], name))
        reach = {name: 1.96 * error[stream][name] for name in names}
        shown = [name for name in names if values[name] >= max(values.values()) - FAR]
        low = min(values[name] - reach[name] for name in shown) - 0.5
        high = min(max(values[name] + reach[name] for name in shown), 100.0) + 0.5
        for height, name in enumerate(names):
            color, width = (OURS, 2) if name == ours else (QUIET, 1)
            if name not in shown:
                ax.text(low, height, f" ◂ {values[name]:.1f}", va="center", size=7, color=color)
                continue
            ends = values[name] - reach[name], min(values[name] + reach[name], 100.0)
            ax.plot(ends, [height] * 2, color=color, lw=width)
            fill = BOUND if name == bound else color
            marker = {"markerfacecolor": fill, "markeredgecolor": color, "ms": 4 + width}
            ax.plot(values[name], height, "o", **marker)
        ax.set(xlim=(low, high), ylim=(-0.7, len(names) - 0.3))
        ax.set_yticks(range(len(names)), names, fontsize=7)
        for label in ax.get_yticklabels():
            if label.get_text() == ours:
                label.set(color=OURS, fontweight="bold")
        ax.set_title(stream, fontsize=9)
        ax.tick_params(axis="x", labelsize=7)
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"accuracy on all test samples, %, and its 95 % interval ({bound}: hollow)", fontsize=9
    )
    _save(figure, path)


def draw_memory(accuracy, megabytes, path, *, ours, bound):
    """What does accuracy cost in memory? Mean over the streams against the state.

    Parameters
    ----------
    accuracy, megabytes : dict of str to float
        By method, means over the same streams.
    path : path
        Of the picture.
    ours, bound : str
        As in `draw_final`.
    """
    figure, ax = _pyplot().subplots(figsize=(8, 5), layout="constrained")
    low = max(accuracy.values()) - FAR
    shown = sorted((n for n in accuracy if accuracy[n] >= low), key=lambda n: -accuracy[n])
    heights = _apart([accuracy[name] for name in shown], 0.035 * (FAR + 1))
    right = 3.0 * max(megabytes[name] for name in shown)
    for name, height in zip(shown, heights):
        color = OURS if name == ours else QUIET
        fill = BOUND if name == bound else color
        place = megabytes[name], accuracy[name]
        top = 4 if name == ours else 3
        ax.plot(*place, "o", markerfacecolor=fill, markeredgecolor=color, ms=7, zorder=top)
        arrow = {"arrowstyle": "-", "color": color, "lw": 0.4}
        weight = "bold" if name == ours else "normal"
        ax.annotate(
            f"{name} {accuracy[name]:.1f}",
            place,
            (right, height),
            va="center",
            color=color,
            fontsize=8,
            fontweight=weight,
            arrowprops=arrow,
        )
    far = [f"{name} {accuracy[name]:.1f}" for name in sorted(accuracy) if name not in shown]
    if far:
        ax.set_title(f"below the axis: {', '.join(far)}", fontsize=8, color=QUIET)
    ax.set(xscale="log", xlabel="memory between calls, MB")
    ax.set_ylabel("accuracy, %, mean over the streams that all of them ran")
    ax.set_xlim(right=12 * right)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def draw_anytime(curves, stream, path, *, ours):
    """How good is every method while a stream goes on? Accuracy against samples.

    Parameters
    ----------
    curves : dict of str to (n_seen, accuracy)
        By method, in % on the test samples of the classes seen so far.
    stream : str
    path : path
        Of the picture.
    ours : str
        As in `draw_final`.
    """
    figure, ax = _pyplot().subplots(figsize=(8, 4.5), layout="constrained")
    names = sorted(curves, key=lambda name: (name != ours, -np.mean(curves[name][1])))
    for name, color in zip(names, PALETTE):
        n_seen, accuracy = curves[name]
        label = f"{name} {np.mean(accuracy):.1f}"
        ax.plot(n_seen, accuracy, color=color, lw=2.5 if name == ours else 1.2, label=label)
    ax.set(title=stream, xlabel="samples learned")
    ax.set_ylabel("accuracy on the classes seen so far, %")
    ax.legend(title="mean over the stream", frameon=False, fontsize=8)
    ax.grid(alpha=0.3)
    _save(figure, path)


def _apart(values, gap):
    """Descending values moved as far as neighbours need to be `gap` apart."""
    heights = []
    for value in values:
        heights.append(min(value, heights[-1] - gap) if heights else value)
    return heights
