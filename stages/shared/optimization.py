"""AdamW as a run's parameters describe it: which weights decay, and the learning rate of every step."""

import math
from typing import Any

import torch
from torch import nn

from stages.shared.params import TrainingParams

_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def build_optimizer(model: nn.Module, params: TrainingParams, fused: bool) -> torch.optim.AdamW:
    """Return AdamW over what can be trained; its learning rate is set before every step.

    Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019, arXiv:1711.05101.

    Args:
        model: whose weights are trained.
        params: of the run.
        fused: whether a step is one operation for all weights, which is faster, but rules out scaled gradients
            (`16-mixed`) together with a limit to their norm.
    """
    first_beta, second_beta = params.adam_betas
    return torch.optim.AdamW(decay_groups(model, params), betas=(first_beta, second_beta), fused=fused)


def learning_rate(params: TrainingParams, step: int, steps_per_epoch: int) -> float:
    r"""Return the learning rate of one optimiser step.

    `inverse_sqrt` is the schedule of Crystalformer (Taniai et al., ICLR 2024, arXiv:2403.11686), without warm-up:

    $$ \eta_t = \eta_0 \sqrt{\frac{T}{T + t}}, \qquad t = 0, 1, \ldots $$

    with T = `schedule_steps`. `cosine` rises linearly and falls along half a cosine to zero at the end of the last
    epoch (Loshchilov and Hutter, *SGDR*, ICLR 2017, arXiv:1608.03983, equation 5 with a single period). While weights
    are averaged (`swa_epochs`), either stays where it was when averaging began. `constant` is $\eta_0$ throughout.

    Args:
        params: of the run.
        step: t, the number of steps taken before this one.
        steps_per_epoch: number of batches of an epoch.
    """
    if params.schedule == "constant":
        return params.learning_rate
    plain_epochs = params.epochs - params.swa_epochs
    if params.schedule == "inverse_sqrt":
        t = min(step, plain_epochs * steps_per_epoch)
        return params.learning_rate * math.sqrt(params.schedule_steps / (params.schedule_steps + t))
    epoch, row = divmod(step, steps_per_epoch)
    return _cosine(params, min(epoch + (row + 1) / steps_per_epoch, plain_epochs))


def _cosine(params: TrainingParams, epoch: float) -> float:
    """Return the rate of warm-up and cosine after a (fractional) number of epochs."""
    if epoch < params.warmup_epochs:
        return params.learning_rate * epoch / params.warmup_epochs
    remaining = max(1, params.epochs - params.warmup_epochs)
    return params.learning_rate * 0.5 * (1.0 + math.cos(math.pi * (epoch - params.warmup_epochs) / remaining))


def decay_groups(model: nn.Module, params: TrainingParams) -> list[dict[str, Any]]:
    """Return two groups of parameters, the first with weight decay and the second without.

    With `decay: matrices` the first holds everything of at least two dimensions, so no bias, norm or single number.
    With `all_but_bias` it holds what Crystalformer's optimiser decays: every parameter whose name lacks "bias", those
    of norms excepted. With `all` the second is empty, as in torch's optimiser of a whole model.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if params.decay == "all":
        decaying = set(parameters)
    elif params.decay == "matrices":
        decaying = {name for name, parameter in parameters.items() if parameter.ndim >= 2}
    else:
        norms = [module for module in model.modules() if isinstance(module, _NORMS)]
        of_norms = {id(parameter) for norm in norms for parameter in norm.parameters()}
        decaying = {
            name for name, parameter in parameters.items() if "bias" not in name and id(parameter) not in of_norms
        }
    first = [parameter for name, parameter in parameters.items() if name in decaying]
    second = [parameter for name, parameter in parameters.items() if name not in decaying]
    return [{"params": first, "weight_decay": params.weight_decay}, {"params": second, "weight_decay": 0.0}]
