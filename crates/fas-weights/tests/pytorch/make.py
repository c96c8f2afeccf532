"""Writes the checkpoints beside this file with PyTorch itself (2.15): python make.py"""

import os
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent


class Conf:
    """What training scripts save beside the weights: an object of a class the reader does not know."""

    def __init__(self):
        self.steps = 5


class Evil:
    """Unpickled by Python, this would run a command."""

    def __reduce__(self):
        return os.system, ("touch owned",)


def ramp(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) / 8 - 1).reshape(shape).to(dtype)


def model():
    whole = ramp(4, 6)
    return OrderedDict(
        f32=ramp(2, 3),
        f64=ramp(3, dtype=torch.float64),
        f16=ramp(5, dtype=torch.float16),
        bf16=ramp(5, dtype=torch.bfloat16),
        scalar=torch.tensor(2.5),
        counter=torch.tensor(123456),
        transposed=ramp(2, 3).t(),
        part=whole[1:3, ::2],
        tied=whole,
        parameter=torch.nn.Parameter(ramp(2)),
    )


parallel = OrderedDict((f"module.{name}", value) for name, value in model().items())
checkpoint = {
    "model": model(),
    "ema": {name: value * 2 if value.is_floating_point() else value for name, value in model().items()},
    "state_dict": parallel,
    "optimizer": {"state": {0: {"exp_avg": ramp(2)}}, "param_groups": [{"lr": 1e-5}]},
    "conf": Conf(),
}
torch.save(checkpoint, HERE / "zip.pt")
torch.save(checkpoint, HERE / "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(model(), HERE / "state_dict.pt")
network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
with torch.no_grad():
    network[0].weight.copy_(ramp(2, 1, 1, 1))
torch.save(network, HERE / "module.pkl")
torch.save({"model": {"weight": ramp(2), "evil": Evil()}}, HERE / "evil_inside.pt")
torch.save({"model": {"weight": ramp(2)}, "conf": Evil()}, HERE / "evil_beside.pt")
torch.save({"weight": torch.zeros(1).expand(1 << 20, 1 << 9)}, HERE / "expanded.pt")
torch.save({"index": torch.tensor([(1 << 24) + 1])}, HERE / "index.pt")
torch.save({"complex": torch.zeros(2, dtype=torch.complex64)}, HERE / "complex.pt")
torch.save({"mask": torch.tensor([True, False])}, HERE / "mask.pt")
