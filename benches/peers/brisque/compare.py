"""Times OpenCV contrib's BRISQUE and ours side by side, on the same image files, in one run.

    cargo build --release -p fas-benches --bin peer-brisque
    python3 -m venv venv && venv/bin/pip install opencv-contrib-python-headless==4.13.0.92
    taskset -c 0 venv/bin/python benches/peers/brisque/compare.py

Both sides get a decoded 8-bit colour image and return a score; neither is timed while it reads the
file. The sides take turns; a turn is a few calls in a row and counts as their mean, so that neither
pays for the caches the other has filled. `ratio` is the peer's median over ours; `spread` is the
middle half of the ratios turn by turn.

OpenCV's package carries no model, so the one that our crate embeds is written out in OpenCV's format:
its speed does not depend on the values. Scores differ all the same: OpenCV shrinks and normalises the
image in its own way.
"""

import argparse
import array
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import cv2

ROOT = pathlib.Path(__file__).resolve().parents[3]
QUALITY = ROOT / "crates/fas-quality"
SAMPLES = QUALITY / "tests/brisque/images"
FEATURES, VECTORS = 36, 774


def write_model(folder):
    """The numbers of data/brisque.f64 (layout in data/convert.py) as OpenCV's two YAML files."""
    numbers = array.array("d", (QUALITY / "data/brisque.f64").read_bytes())
    gamma, rho = numbers[0], numbers[1]
    ranges = numbers[2 : 2 + 2 * FEATURES]
    coefficients = numbers[2 + 2 * FEATURES :][:VECTORS]
    columns = numbers[2 + 2 * FEATURES + VECTORS :]
    row = lambda values: ", ".join(repr(float(v)) for v in values)
    model, bounds = folder / "model.yml", folder / "range.yml"
    vectors = "\n".join(f"      - [ {row(columns[i::VECTORS])} ]" for i in range(VECTORS))
    model.write_text(
        "%YAML:1.0\n---\nopencv_ml_svm:\n   format: 3\n   svmType: EPS_SVR\n"
        f"   kernel: {{ type: RBF, gamma: {gamma} }}\n   C: 1024.\n   p: 0.1\n"
        "   term_criteria: { epsilon: 1.0e-3, iterations: 1000 }\n"
        f"   var_count: {FEATURES}\n   sv_total: {VECTORS}\n   support_vectors:\n{vectors}\n"
        f"   decision_functions:\n      -\n         sv_count: {VECTORS}\n         rho: {rho}\n"
        f"         alpha: [ {row(coefficients)} ]\n"
        f"         index: [ {', '.join(map(str, range(VECTORS)))} ]\n"
    )
    bounds.write_text(
        f"%YAML:1.0\n---\nrange: !!opencv-matrix\n   rows: 2\n   cols: {FEATURES}\n   dt: f\n"
        f"   data: [ {row(ranges[0::2])}, {row(ranges[1::2])} ]\n"
    )
    return cv2.quality.QualityBRISQUE_create(str(model), str(bounds))


class Ours:
    """The program `peer-brisque`: a path in, seconds and score out."""

    def __init__(self, program):
        pipe = subprocess.PIPE
        environment = dict(os.environ, RAYON_NUM_THREADS="1")
        self.process = subprocess.Popen(
            [program], stdin=pipe, stdout=pipe, text=True, bufsize=1, env=environment
        )

    def time(self, path):
        self.process.stdin.write(f"{path}\n")
        seconds, _score = self.process.stdout.readline().split()
        return float(seconds)


def time_peer(peer, image):
    start = time.perf_counter()
    peer.compute(image)
    return time.perf_counter() - start


def turn(call, calls):
    return statistics.fmean(call() for _ in range(calls))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", default=ROOT / "target/release/peer-brisque", type=pathlib.Path)
    parser.add_argument("--turns", default=40, type=int, help="turns of either side (40)")
    parser.add_argument("--calls", default=5, type=int, help="calls in a turn (5)")
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    print(f"OpenCV {cv2.__version__}, threads: {cv2.getNumThreads()}, ", end="")
    print(f"turns: {arguments.turns} of {arguments.calls} calls")
    print(f"{'image':24} {'size':>9} {'peer ms':>9} {'ours ms':>9} {'ratio':>6}  spread")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        peer, ours = write_model(folder), Ours(arguments.ours)
        large = folder / "astronaut_1080p.png"
        photo = cv2.imread(str(SAMPLES / "astronaut_native_orig.png"))
        cv2.imwrite(str(large), cv2.resize(photo, (1920, 1080), interpolation=cv2.INTER_CUBIC))
        small = [SAMPLES / f"{name}_256_orig.png" for name in ("astronaut", "chelsea", "face")]
        for path in [*small, large]:
            image = cv2.imread(str(path))
            sides = [lambda: time_peer(peer, image), lambda: ours.time(path)]
            both = lambda: [turn(side, arguments.calls) for side in sides]
            both()
            turns = [both() for _ in range(arguments.turns)]
            theirs, mine = (statistics.median(side) for side in zip(*turns))
            low, _, high = statistics.quantiles([a / b for a, b in turns], n=4)
            size = f"{image.shape[1]}x{image.shape[0]}"
            print(
                f"{path.stem:24} {size:>9} {theirs * 1e3:9.3f} {mine * 1e3:9.3f} "
                f"{theirs / mine:6.1f}  {low:.1f} to {high:.1f}"
            )


if __name__ == "__main__":
    main()
