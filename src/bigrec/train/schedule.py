"""Learning-rate schedules: the factor on every step size of an epoch."""

from __future__ import annotations

import math

from bigrec.models.options import GradientOptions


def learning_rate_factor(options: GradientOptions, epoch: int) -> float:
    """The factor of one epoch, above 0 and at most 1.

    With w = warmup and e = epoch, the first w epochs rise as e / (w + 1); after that the schedule
    starts, so that epoch w + 1 has the full step size. cosine is that of Loshchilov
    and Hutter, "SGDR" (ICLR 2017), without restarts and one value an epoch.

    Args:
        options: schedule, decay, warmup and epochs.
        epoch: from 1.
    """
    if epoch <= options.warmup:
        return epoch / (options.warmup + 1)
    done = epoch - options.warmup - 1
    if options.schedule == "exponential":
        return options.decay**done
    if options.schedule == "cosine":
        return (1 + math.cos(math.pi * done / (options.epochs - options.warmup))) / 2
    return 1.0
