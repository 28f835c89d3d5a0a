"""First-session training of an adapter: epochs and checkpoints."""

import os
import warnings
from contextlib import suppress
from tempfile import NamedTemporaryFile

import numpy as np

from ._augmentation import augmented, draw
from ._torch import first_line, inference, mixed_precision, on_device
from ._training_set import crop_side

LOGIT_SCALE = 30.0
BATCH_SIZE = 48
WEIGHT_DECAY = 5e-4


class Training:
    """New parameters of a network learn a first task with a temporary cosine head.

    Parameters
    ----------
    network : timm VisionTransformer
    parameters : dict of str -> torch.nn.Parameter
        Those to train.
    data : TrainingSet
    preprocessing : tuple (preprocess, mean, std)
    normalised : callable
        ``normalised(pixels, mean, std)``
    epochs, patience : int
        At most so many passes over the data; so many without improvement end it.
    learning_rate : float
    precision : {"float32", "tf32", "bfloat16"}
        Of the network's matrix products.
    checkpoint : str, default=None
        File that holds the training after each epoch and lets it go on after an interrupt.
    verbose : int

    Notes
    -----
    f(x) is the network's usual output, before any classifier; logits and loss are ::

        30 * cos(f(x), w_c)      cross-entropy over the classes c

    Random numbers are torch's global ones.
    """

    def __init__(
        self,
        network,
        parameters,
        data,
        preprocessing,
        normalised,
        *,
        epochs,
        learning_rate,
        patience,
        precision,
        checkpoint=None,
        verbose=0,
    ):
        import torch

        self.network, self.parameters, self.data = network, parameters, data
        preprocess, self.mean, self.std = preprocessing
        self.normalised, self.side = normalised, crop_side(preprocess)
        self.mode = preprocess.transforms[0].interpolation.value
        self.epochs, self.patience, self.precision = epochs, patience, precision
        self.checkpoint, self.verbose = checkpoint, verbose
        self.device = next(network.parameters()).device
        n_classes = int(max(data.y.max(), data.y_held_out.max(initial=0))) + 1
        self.head = torch.randn(n_classes, network.num_features, device=self.device)
        self.head.requires_grad_()
        self.optimizer = torch.optim.AdamW(
            [*parameters.values(), self.head],
            lr=learning_rate,
            weight_decay=WEIGHT_DECAY,
            fused=self.device.type == "cuda",
        )
        self.n_steps = epochs * -(-len(data.y) // BATCH_SIZE)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, self.n_steps)
        self.history, self.best = [], None

    def run(self):
        """Train; afterwards the network holds the parameters of the best epoch.

        Returns
        -------
        history : list of dict
            Of every epoch: epoch, loss, validation_loss, validation_accuracy.

        Raises
        ------
        ValueError
            When the loss becomes infinite or NaN.
        """
        from tqdm.auto import tqdm

        self._resume()
        steps = self.n_steps * len(self.history) // self.epochs
        with tqdm(
            total=self.n_steps, initial=steps, unit="step", disable=not self.verbose
        ) as progress:
            while len(self.history) < self.epochs and not self._is_out_of_patience():
                self._one_epoch(progress)
                self._save()
        self._take(self.best["weights"])
        if self.checkpoint is not None:
            with suppress(OSError):  # another process did, or the folder is gone
                os.unlink(self.checkpoint)
        return self.history

    def _one_epoch(self, progress):
        epoch = len(self.history) + 1
        scores = {"epoch": epoch, "loss": self._train_epoch(progress)}
        if not np.isfinite(scores["loss"]):
            learning_rate = self.optimizer.defaults["lr"]
            raise ValueError(
                f"The loss is {scores['loss']} in epoch {epoch}: lower "
                f"learning_rate={learning_rate}."
            )
        scores |= validation_scores(self._validation_logits(), self.data.y_held_out)
        self.history.append(scores)
        progress.set_postfix(scores)
        nothing_held_out = not len(self.data.y_held_out)
        if self.best is None or nothing_held_out or _rank(scores) > _rank(self.best["scores"]):
            weights = {name: value.detach().clone() for name, value in self.parameters.items()}
            self.best = {"scores": scores, "weights": weights}

    def _train_epoch(self, progress):
        import torch
        from torch.nn.functional import cross_entropy

        self.network.train()
        order = torch.randperm(len(self.data.y)).numpy()
        # all at once: a small copy in each step would wait for the device
        drawn = [part.to(self.device) for part in draw(self.data.ratios[order])]
        y = torch.as_tensor(self.data.y[order], device=self.device)
        total = torch.zeros((), device=self.device)
        for start in range(0, len(y), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            pictures = on_device(self.data.whole[order[rows]], self.device)
            pixels = augmented(pictures, *(part[rows] for part in drawn), self.side, self.mode)
            loss = cross_entropy(self._logits(pixels), y[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += loss.detach() * len(y[rows])
            progress.update()
        return total.item() / len(y)

    def _validation_logits(self):
        import torch

        self.network.eval()
        with inference(self.device, self.precision):
            parts = [
                self._logits(on_device(part, self.device))
                for part in np.split(self.data.held_out, range(256, len(self.data.held_out), 256))
                if len(part)
            ]
            return torch.cat([self.head.new_empty(0, len(self.head)), *parts]).cpu()

    def _logits(self, pixels):
        from torch.nn.functional import linear, normalize

        images = self.normalised(pixels, self.mean, self.std)
        with mixed_precision(self.device, self.precision):
            states = self.network.forward_features(images)
            features = self.network.forward_head(states, pre_logits=True)
        return LOGIT_SCALE * linear(normalize(features.float()), normalize(self.head))

    def _is_out_of_patience(self):
        return bool(self.best) and (
            len(self.history) - self.best["scores"]["epoch"] >= self.patience
        )

    def _take(self, weights):
        import torch

        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(weights[name])

    def _save(self):
        """The whole training, so that it can go on as if it had never stopped."""
        if self.checkpoint is None:
            return
        import torch

        state = {
            "parameters": {name: value.detach() for name, value in self.parameters.items()},
            "head": self.head.detach(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "best": self.best,
            "random": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        folder = os.path.dirname(self.checkpoint)
        try:
            os.makedirs(folder, exist_ok=True)
            with NamedTemporaryFile(dir=folder, delete=False) as file:
                torch.save(state, file)
                os.fsync(file.fileno())
            os.replace(file.name, self.checkpoint)
        except OSError as error:
            self._go_on_without(error)

    def _go_on_without(self, error):
        warnings.warn(
            f"The training cannot be kept in {self.checkpoint!r} ({first_line(error)}): it goes on, but "
            "would begin anew after an interrupt.",
            stacklevel=2,
        )
        self.checkpoint = None

    def _resume(self):
        if self.checkpoint is None or not os.path.exists(self.checkpoint):
            return
        import torch

        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        except FileNotFoundError:  # another process has just ended the same training
            return
        except Exception as error:  # a damaged file; of many kinds
            return self._go_on_without(error)
        self._take(state["parameters"])
        with torch.no_grad():
            self.head.copy_(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.best = state["history"], state["best"]
        torch.set_rng_state(state["random"].cpu())
        if "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)


def validation_scores(logits, y):
    """Loss and accuracy on held-out samples, NaN where there are none."""
    import torch
    from torch.nn.functional import cross_entropy

    y = torch.as_tensor(y)
    return {
        "validation_loss": cross_entropy(logits, y).item(),
        "validation_accuracy": (logits.argmax(dim=1) == y).double().mean().item(),
    }


def _rank(scores):
    return scores["validation_accuracy"], -scores["validation_loss"]
