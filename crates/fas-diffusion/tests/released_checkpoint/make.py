"""Writes data.pkl: the pickle of a checkpoint as the released training script saves it.

    python make.py FIXTURES/difffas_unet_small_official.safetensors

The script saves `{"model", "ema", "scheduler", "optimizer", "conf"}` (FAS_train.py of murphytju/DiffFAS at
23f4051). Names, order and shapes of `model` and `ema` are the reference's own, from the header of the parity
fixture; `conf` is an object of a class that only the training script knows. PyTorch 2.15 writes the file, of
which the pickle is kept alone: the test adds the stored numbers, those of the procedural fill, one entry
`data/N` a tensor in the order of the pickle.
"""

import json
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent


class DiffusionConfig:
    def __init__(self):
        self.batch_size = 4


fixture = Path(sys.argv[1]).read_bytes()
length = struct.unpack("<Q", fixture[:8])[0]
params = json.loads(json.loads(fixture[8 : 8 + length])["__metadata__"]["fixture"])["params"]


def state():
    kinds = {"counter": torch.int64}
    return OrderedDict((p["name"], torch.zeros(p["shape"], dtype=kinds.get(p["kind"]))) for p in params)


checkpoint = {
    "model": state(),
    "ema": state(),
    "scheduler": {"base_lrs": [1e-5], "last_epoch": 10000},
    "optimizer": {"state": {0: {"step": torch.tensor(10000.0), "exp_avg": torch.zeros(64, 32)}}, "param_groups": []},
    "conf": DiffusionConfig(),
}
stored = HERE / "stored.pt"
torch.save(checkpoint, stored)
with zipfile.ZipFile(stored) as source:
    (HERE / "data.pkl").write_bytes(source.read("stored/data.pkl"))
stored.unlink()
