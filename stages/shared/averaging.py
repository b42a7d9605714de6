"""Stochastic weight averaging: the mean of the weights that the last epochs pass through."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn


class WeightAverage:
    r"""The mean of a model's weights after every optimiser step, each with the same weight.

    $$ \bar\theta_n = \bar\theta_{n-1} + \frac{\theta_n - \bar\theta_{n-1}}{n} $$

    Izmailov et al., *Averaging Weights Leads to Wider Optima and Better Generalization*, UAI 2018, arXiv:1803.05407,
    algorithm 1. There one set of weights per cycle counts; here every step does, as in Crystalformer (Taniai et al.,
    ICLR 2024, arXiv:2403.11686).

    Buffers are the model's latest, not averages. The running statistics of BatchNorm among them describe activations
    of other weights: `renew_batch_norm` computes them for the averaged ones.

    Args:
        model: the module that is trained, on its device; the average lives in a copy of it.
    """

    def __init__(self, model: nn.Module) -> None:
        self._average = AveragedModel(model)

    @property
    def model(self) -> nn.Module:
        """The module with the averaged weights; those of the start before the first step is added."""
        return self._average.module

    @property
    def n_steps(self) -> int:
        """Number of steps in the average."""
        return int(self._average.n_averaged)

    def add(self, model: nn.Module) -> None:
        """Let the present weights of `model` count as one more step."""
        self._average.update_parameters(model)

    def restore(self, weights: Mapping[str, Tensor], n_steps: int) -> None:
        """Go on from the state dictionary of an average over `n_steps` steps."""
        self.model.load_state_dict(weights)
        self._average.n_averaged.fill_(n_steps)

    def renew_batch_norm(self, loss_module: nn.Module, batches: Iterable[Any]) -> None:
        """Compute the running statistics of BatchNorm as plain means over training batches (section 3.2).

        Without a BatchNorm in the model no batch is looked at.

        Args:
            loss_module: holds `self.model` and takes a batch.
            batches: one pass over the training split, on the model's device.
        """
        update_bn(batches, loss_module)


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dictionary of a module as it is now, unaffected by further training."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
