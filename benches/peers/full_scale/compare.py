"""Times whole networks of PyTorch and ours side by side, with the same weights and inputs, in one run.

    cargo build --release -p fas-benches --bin peer-full-scale
    python3 -m venv venv && venv/bin/pip install torch torchvision timm diffusers transformers
    venv/bin/python benches/peers/full_scale/compare.py unet stfm_32

Each side of a row is a process. The peer makes weights, inputs and its output; ours reads them, and its own
output must agree to 1e-3 of the largest value. Then the sides take turns; `ratio` is the peer's median
over ours, `spread` the lowest and highest ratio of a turn. `memory` is the most that a process
holds resident while it is timed, libraries and weights included, in GB.

`stfm_*_step` is a step of a sampler: the style's keys and values are ours once for all steps, the released
code makes them in each. `edit` is 25 guided steps; the released sampler takes three minutes on two cores
for it: `--turns 1`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
from safetensors.numpy import load_file

HERE = pathlib.Path(__file__).resolve().parent
ROWS = [
    "unet", "guided_step", "edit", "stfm_32", "stfm_16", "stfm_8", "stfm_32_step", "stfm_16_step",
    "stfm_8_step", "group_norm_silu", "conv3x3", "style_encoder", "training_step", "sd_unet",
    "kl_decode", "resnet18", "mobilevit", "vit", "rq_loss",
]  # fmt: skip
TOLERANCE = 1e-3


class Side:
    def __init__(self, *command, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
        environment.setdefault("MIMALLOC_PURGE_DELAY", "100")  # as .cargo/config.toml has it for `cargo run`
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=pipe, stdout=pipe, text=True, bufsize=1, env=environment
        )
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{command}: not ready")

    def seconds(self, calls):
        self.process.stdin.write(f"{calls}\n")
        return float(self.process.stdout.readline())

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def difference(folder):
    """Largest difference of the outputs, relative to the largest value."""
    peer, ours = (load_file(folder / f"{side}.safetensors")["out"].ravel() for side in ("peer", "ours"))
    if peer.shape != ours.shape:
        raise SystemExit(f"outputs of {peer.shape} and {ours.shape}")
    return float(numpy.abs(peer - ours).max() / numpy.abs(peer).max())


def compare(name, arguments):
    threads = 1 if name == "rq_loss" else arguments.threads
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        peer = Side(sys.executable, HERE / "peer.py", name, folder, threads, threads=threads)
        ours = Side(arguments.ours, name, folder, threads=threads)
        error = difference(folder)
    if not error < TOLERANCE:
        raise SystemExit(f"{name}: the outputs differ by {error:.1e}")
    sides = (peer, ours)
    if name != "edit":
        # What loading left is given back in the first calls.
        for side in sides:
            side.seconds(2)
    calls = [1 if name == "edit" else max(1, round(arguments.turn_s / side.seconds(1))) for side in sides]
    for side in sides:
        side.forget_peak()
    turns = []
    for _ in range(arguments.turns):
        turns.append([])
        for side, count in zip(sides, calls):
            time.sleep(0.05)  # idle threads of the other side stop spinning
            turns[-1].append(side.seconds(count))
    theirs, mine = (1e3 * statistics.median(side) for side in zip(*turns))
    ratios = [a / b for a, b in turns]
    memory = [side.peak_bytes() / 1e9 for side in sides]
    for side in sides:
        side.stop()
    print(
        f"{name:16} {theirs:10.2f} {mine:10.2f} {theirs / mine:6.2f}  {min(ratios):.2f} to {max(ratios):.2f}"
        f"  {memory[0]:6.2f} {memory[1]:6.2f}  {error:.0e}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = HERE.parents[2]
    parser.add_argument("--ours", default=root / "target/release/peer-full-scale", type=pathlib.Path)
    parser.add_argument("--turns", default=5, type=int, help="turns of either side (5)")
    parser.add_argument("--turn-s", default=0.3, type=float, help="aim of a turn's length in seconds (0.3)")
    parser.add_argument("--threads", default=2, type=int, help="threads of either side (2); rq_loss has 1")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; all but edit")
    arguments = parser.parse_args()
    for name in arguments.rows:
        if name not in ROWS:
            parser.error(f"no row {name}; there are {', '.join(ROWS)}")
    print(f"threads: {arguments.threads}, turns: {arguments.turns}")
    print(f"{'row':16} {'peer ms':>10} {'ours ms':>10} {'ratio':>6}  {'spread':12}  {'memory, GB':>13}  difference")
    for name in arguments.rows or [row for row in ROWS if row != "edit"]:
        compare(name, arguments)


if __name__ == "__main__":
    main()
