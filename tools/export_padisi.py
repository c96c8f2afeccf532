"""Exports PADISI-Face's colour images from their joblib pickle to a NumPy array and a table.

    python3 tools/export_padisi.py padisi_USC_FACE_preprocessed.bz2 /data/PADISI/colour

writes colour.npy, [samples, 3, height, width], 8-bit, blue first, and colour.csv with the columns row,
identifier, bona_fide, pai_code. `fas data index padisi` reads both. Needs joblib and numpy.

Loading a pickle runs whatever code is in it: use the file that the data set's owners sent you, and no other.
"""
import csv
import os
import sys


def export(pickle, out):
    import joblib
    import numpy as np

    content = joblib.load(pickle)
    data, identifiers = content["data"], content["identifiers"]
    labels, codes = content["labels"], content["pai_codes"]
    lengths = {len(data), len(identifiers), len(labels), len(codes)}
    if len(lengths) != 1:
        sys.exit(f"{pickle}: data, identifiers, labels and pai_codes have different lengths {sorted(lengths)}")
    if data.ndim != 4 or data.shape[1] != 3:
        sys.exit(f"{pickle}: data has the shape {data.shape}, not [samples, 3, height, width]")
    if data.min() < 0 or data.max() > 1:
        sys.exit(f"{pickle}: values are {data.min()} to {data.max()}, not 0 to 1")
    # Under temporary names first: nobody sees half an array.
    array = np.lib.format.open_memmap(out + ".partial.npy", mode="w+", dtype=np.uint8, shape=data.shape)
    for row in range(len(data)):
        array[row] = np.rint(np.asarray(data[row], dtype=np.float64) * 255)
    array.flush()
    with open(out + ".partial.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "identifier", "bona_fide", "pai_code"])
        for row, (name, label, code) in enumerate(zip(identifiers, labels, codes)):
            # The labels are True for attacks.
            writer.writerow([row, name, "false" if label else "true", code])
    os.replace(out + ".partial.npy", out + ".npy")
    os.replace(out + ".partial.csv", out + ".csv")
    print(f"{len(data)} samples in {out}.npy and {out}.csv")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    export(sys.argv[1], sys.argv[2])
