"""The peer's process of `compare.py`: `peer.py <row> <folder> <threads>`.

Makes the row, writes `weights.safetensors`, `inputs.safetensors` and the output `peer.safetensors` into the
folder, says `ready`, and then answers each number of calls with the mean seconds of a call.
"""

import contextlib
import pathlib
import sys
import time

import torch
from safetensors.torch import save_file

from rows import ROWS, awake


def main():
    name, folder, threads = sys.argv[1:]
    folder = pathlib.Path(folder)
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    row = ROWS[name]()
    if row.network:
        awake(row.network)
        row.network.train(row.train)
        state = {key: value.contiguous() for key, value in row.network.state_dict().items()}
        floats = {key: value for key, value in state.items() if value.is_floating_point()}
        save_file(floats, folder / "weights.safetensors")
    save_file({key: value.contiguous() for key, value in row.inputs.items()}, folder / "inputs.safetensors")
    with contextlib.nullcontext() if row.train else torch.no_grad():
        save_file({"out": row.call().contiguous()}, folder / "peer.safetensors")
        print("ready", flush=True)
        for line in sys.stdin:
            start = time.perf_counter()
            for _ in range(int(line)):
                row.call()
            print((time.perf_counter() - start) / int(line), flush=True)


if __name__ == "__main__":
    main()
