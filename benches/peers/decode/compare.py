"""Times torchvision's DataLoader and our Batcher side by side: read, decode, centre crop, resize, to float.

    cargo build --release -p fas-benches --bin peer-decode
    python3 -m venv venv && venv/bin/pip install torch torchvision pillow numpy
    venv/bin/python benches/peers/decode/compare.py

Both sides read the same JPEG files in the same order and make batches of 32 float images of 224 x 224 in
[-1, 1]: the largest square in the middle, bilinear with anti-aliasing. The peer has two worker processes,
ours two threads; each side takes turns in one run, epoch by epoch, and the peer's workers live on between its
epochs. The files, noise and shapes of a photo's size, are made in a temporary folder and stay in the cache of
the system. `ratio` is ours over the peer's images a second, turn by turn; `spread` its smallest and largest.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

ROOT = pathlib.Path(__file__).resolve().parents[3]
BATCH = 32


def make_images(folder, count, width, height):
    """Smooth shapes with some noise, so that files have the size of photos."""
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    for index in range(count):
        random = numpy.random.default_rng(index)
        image = numpy.empty((height, width, 3), numpy.float32)
        for channel in range(3):
            a, b, c, d = random.uniform(0.005, 0.05, 4)
            image[..., channel] = 128 + 60 * numpy.sin(a * x + b * y) + 40 * numpy.cos(c * x - d * y)
        image += random.normal(0, 6, image.shape)
        Image.fromarray(image.clip(0, 255).astype(numpy.uint8)).save(folder / f"{index:05}.jpg", quality=90)


class Folder(Dataset):
    def __init__(self, folder, side):
        self.paths = sorted(folder.iterdir())
        self.side = side
        self.finish = transforms.Compose(
            [
                transforms.Resize((side, side)),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = Image.open(self.paths[index]).convert("RGB")
        return self.finish(transforms.functional.center_crop(image, min(image.size)))


def peer_epoch(loader):
    start = time.perf_counter()
    images, total, values = 0, 0.0, 0
    for batch in loader:
        images += len(batch)
        some = batch.flatten()[::100]
        total += float(some.sum(dtype=torch.float64))
        values += len(some)
    return images, time.perf_counter() - start, total / values


class Ours:
    def __init__(self, folder, side, threads):
        program = ROOT / "target/release/peer-decode"
        arguments = [program, folder, str(side), str(threads), str(BATCH)]
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def epoch(self):
        print("go", file=self.process.stdin, flush=True)
        images, seconds, mean = self.process.stdout.readline().split()
        return int(images), float(seconds), float(mean)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {options.threads} workers, {options.images} images, {options.turns} turns")
    print(f"{'image':>12} {'side':>5} {'peer/s':>8} {'ours/s':>8} {'ratio':>6}  spread        means")
    for width, height, side in [(640, 480, 224), (256, 256, 224), (1280, 720, 256)]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            make_images(folder, options.images, width, height)
            loader = DataLoader(
                Folder(folder, side),
                batch_size=BATCH,
                num_workers=options.threads,
                persistent_workers=True,
                multiprocessing_context="fork",
            )
            # The peer's workers first: forked later they would hold our process's input open, and it would wait.
            peer_epoch(loader)
            ours = Ours(folder, side, options.threads)
            ours.epoch()
            peers, mine, means = [], [], None
            for _ in range(options.turns):
                images, seconds, peer_mean = peer_epoch(loader)
                peers.append(images / seconds)
                count, seconds, mean = ours.epoch()
                assert count == images
                mine.append(count / seconds)
                means = (peer_mean, mean)
            ratios = [a / b for a, b in zip(mine, peers)]
            print(
                f"{width:>7}x{height:<4} {side:>5} {statistics.median(peers):>8.1f} {statistics.median(mine):>8.1f}"
                f" {statistics.median(ratios):>6.2f}  {min(ratios):.2f} to {max(ratios):.2f}"
                f"  {means[0]:.4f} {means[1]:.4f}",
                flush=True,
            )
            ours.process.stdin.close()
            ours.process.wait()


if __name__ == "__main__":
    main()
