"""Times PyTorch and our kernels side by side, on the same numbers, in one run.

    cargo build --release -p fas-benches --bin peer-kernels
    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benches/peers/kernels/compare.py

The sides take turns; a turn is as many calls in a row as take about 50 ms, and counts as their mean.
`ratio` is the peer's median over ours; `spread` is the middle half of the ratios turn by turn.
`forward` runs without a graph; `backward` times the gradients of all operands, given ones for the
output's. Both sides add up the absolute values of their results, which must agree to 1e-3, relative to 1 or more.

Arguments are parts of the rows' names: `compare.py conv3x3 backward` runs rows that have both.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import time

import numpy
import torch
import torch.nn.functional as F

from network import Network

ROOT = pathlib.Path(__file__).resolve().parents[3]
LAYERS, GROUPS = 8, 32

CONVOLUTIONS = [
    "8x64x8x8",
    "8x64x32x32",
    "4x64x64x64",
    "2x64x128x128",
    "8x128x8x8",
    "8x128x32x32",
    "8x256x8x8",
    "8x256x16x16",
    "8x512x8x8",
    "4x512x16x16",
]
OPERATIONS = (
    [f"conv3x3 {size}" for size in CONVOLUTIONS]
    + ["conv3x3/2 8x64x32x32", "conv1x1 8x64x32x32", "conv1x1 8x256x8x8"]
    + ["depthwise 8x128x32x32", "depthwise/2 8x128x32x32", "depthwise 8x320x8x8"]
    + [f"group_norm_silu {s}" for s in ("8x64x32x32", "8x256x8x8", "4x64x128x128")]
    + [f"{name} 524288" for name in ("silu", "gelu", "gelu_tanh")]
    + ["softmax 4096x256", "softmax 64x16384"]
    + ["attention 8x1024x64", "attention 8x256x32", "attention 8x26x64"]
    + ["stack 8x64x32x32", "stack_norm 8x64x32x32"]
)
ROWS = [f"{row} {way}" for row in OPERATIONS for way in ("forward", "backward")]
ROWS.append("small_unet 16 step")


def values(seed, dims):
    """The same numbers as `values` in cases.rs."""
    h = numpy.arange(numpy.prod(dims), dtype=numpy.uint32) * numpy.uint32(0x9E3779B1)
    h ^= numpy.uint32(seed * 0x85EBCA77 % 2**32)
    h ^= h >> numpy.uint32(15)
    h *= numpy.uint32(0x2C1B3C6D)
    h ^= h >> numpy.uint32(13)
    floats = (h >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(8388608) - numpy.float32(1)
    return torch.from_numpy(floats.reshape(dims))


def run(operation, tensors):
    """One forward pass."""
    x, rest = tensors[0], tensors[1:]
    match operation:
        case "conv3x3":
            return F.conv2d(x, *rest, padding=1)
        case "conv3x3/2":
            return F.conv2d(x, *rest, padding=1, stride=2)
        case "conv1x1":
            return F.conv2d(x, *rest)
        case "depthwise":
            return F.conv2d(x, *rest, padding=1, groups=x.shape[1])
        case "depthwise/2":
            return F.conv2d(x, *rest, padding=1, stride=2, groups=x.shape[1])
        case "group_norm_silu":
            return F.silu(F.group_norm(x, GROUPS, *rest))
        case "silu":
            return F.silu(x)
        case "gelu":
            return F.gelu(x)
        case "gelu_tanh":
            return F.gelu(x, approximate="tanh")
        case "softmax":
            return F.softmax(x, 1)
        case "attention":
            return F.scaled_dot_product_attention(*tensors)
        case "stack":
            for i in range(0, len(rest), 2):
                x = F.conv2d(x, rest[i], rest[i + 1], padding=1)
            return x
        case "stack_norm":
            for i in range(0, len(rest), 4):
                x = F.conv2d(x, rest[i], rest[i + 1], padding=1)
                x = F.silu(F.group_norm(x, GROUPS, rest[i + 2], rest[i + 3]))
            return x


def operand_sizes(operation, sizes):
    c = sizes[1] if len(sizes) > 1 else 0
    k = 1 if operation == "conv1x1" else 3
    match operation.split("/")[0]:
        case "conv3x3" | "conv1x1":
            return [sizes, (c, c, k, k), (c,)]
        case "depthwise":
            return [sizes, (c, 1, 3, 3), (c,)]
        case "group_norm_silu":
            return [sizes, (c,), (c,)]
        case "attention":
            return [sizes] * 3
        case "stack":
            return [sizes] + [(c, c, 3, 3), (c,)] * LAYERS
        case "stack_norm":
            return [sizes] + [(c, c, 3, 3), (c,), (c,), (c,)] * LAYERS
        case _:
            return [sizes]


class Peer:
    """PyTorch: one row at a time."""

    def __init__(self, name):
        self.operation, sizes, way = name.split(" ")
        sizes = tuple(int(size) for size in sizes.split("x"))
        self.backward = way == "backward"
        self.network = Network(sizes[0], values) if self.operation == "small_unet" else None
        if self.network:
            return
        self.tensors = []
        for i, dims in enumerate(operand_sizes(self.operation, sizes)):
            gain, shift = 3.0, 0.0
            if i > 0 and len(dims) == 4:
                gain = (3.0 / numpy.prod(dims[1:])) ** 0.5
            elif i > 0 and len(dims) == 1:
                gain, shift = 0.1, 1.0
            tensor = values(i, dims) * float(gain) + shift
            self.tensors.append(tensor.requires_grad_(self.backward))
        if self.backward:
            self.ones = torch.ones_like(run(self.operation, self.tensors))

    def time(self, calls):
        seconds = 0.0
        for _ in range(calls):
            if self.network:
                start = time.perf_counter()
                total = self.network.step()
            elif self.backward:
                output = run(self.operation, self.tensors)
                start = time.perf_counter()
                results = torch.autograd.grad(output, self.tensors, self.ones)
            else:
                with torch.no_grad():
                    start = time.perf_counter()
                    results = [run(self.operation, self.tensors)]
            seconds += time.perf_counter() - start
        if not self.network:
            total = sum(result.double().abs().sum().item() for result in results)
        return seconds / calls, total


class Ours:
    """The program `peer-kernels`."""

    def __init__(self, program, threads):
        pipe = subprocess.PIPE
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            [program], stdin=pipe, stdout=pipe, text=True, bufsize=1, env=environment
        )

    def time(self, name, calls):
        self.process.stdin.write(f"{calls} {name}\n")
        seconds, total = self.process.stdout.readline().split()
        return float(seconds), float(total)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", default=ROOT / "target/release/peer-kernels", type=pathlib.Path)
    parser.add_argument("--turns", default=15, type=int, help="turns of either side (15)")
    parser.add_argument("--threads", default=2, type=int, help="threads of either side (2)")
    parser.add_argument("--turn-ms", default=50, type=float, help="aim of a turn's length (50)")
    parser.add_argument("parts", nargs="*", help="parts of the names of the rows to run")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    ours = Ours(arguments.ours, arguments.threads)
    print(f"PyTorch {torch.__version__}, threads: {arguments.threads}, turns: {arguments.turns}")
    print(f"{'row':38} {'peer ms':>9} {'ours ms':>9} {'ratio':>6}  spread")
    for name in ROWS:
        words = name.split(" ")
        if not all(any(part in word for word in words) for part in arguments.parts):
            continue
        torch.manual_seed(0)
        peer = Peer(name)
        sides = [peer.time, lambda calls: ours.time(name, calls)]
        (_, theirs), (_, mine) = (side(1) for side in sides)
        if not peer.network and abs(theirs - mine) > 1e-3 * max(abs(theirs), 1.0):
            raise SystemExit(f"{name}: the peer's results add up to {theirs}, ours to {mine}")
        calls = [max(1, round(arguments.turn_ms / 1e3 / side(2)[0])) for side in sides]
        turns = []
        for _ in range(arguments.turns):
            turns.append([])
            for side, count in zip(sides, calls):
                time.sleep(0.01)  # idle threads of the other side stop spinning
                turns[-1].append(side(count)[0])
        theirs, mine = (statistics.median(side) for side in zip(*turns))
        low, _, high = statistics.quantiles([a / b for a, b in turns], n=4)
        print(
            f"{name:38} {theirs * 1e3:9.3f} {mine * 1e3:9.3f} "
            f"{theirs / mine:6.2f}  {low:.2f} to {high:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
