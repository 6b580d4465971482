"""While one visitor's network is being traced by torch.fx, everybody else's forward passes go on as always."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import cnn_core as cc
from cnn_core.network import build_network


def test_forward_passes_go_on_while_networks_are_traced() -> None:
    """torch.fx patches nn.Module for the whole process while it traces, and two tracings must not interleave."""
    call, getattribute = nn.Module.__call__, nn.Module.__getattr__
    lenet = cc.load_model("lenet5", device="cpu")
    x = torch.linspace(-1, 1, 28 * 28).reshape(1, 1, 28, 28)
    with torch.no_grad():
        wanted = lenet.module(x)
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)
                stop.set()

        return run

    def forward() -> None:
        while not stop.is_set():
            with torch.no_grad():
                np.testing.assert_array_equal(lenet.module(x).numpy(), wanted.numpy())
                (logits,) = lenet.network.run(x).values()
                np.testing.assert_array_equal(logits.numpy(), wanted.numpy())

    def trace() -> None:
        for _ in range(6):
            module = nn.Sequential(*[nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()) for _ in range(40)]).eval()
            assert len(build_network(module, (1, 8, 8)).operations) == 82  # 80, the input and the softmax

    visitors = [threading.Thread(target=guarded(forward)) for _ in range(2)]
    loaders = [threading.Thread(target=guarded(trace)) for _ in range(3)]
    for thread in [*visitors, *loaders]:
        thread.start()
    for thread in loaders:
        thread.join()
    stop.set()
    for thread in visitors:
        thread.join()
    assert errors == []
    assert nn.Module.__call__ is call and nn.Module.__getattr__ is getattribute
