"""Makes the arrays that tests/frames.rs reads: h5py 3.16, numpy 2. Values follow value() below."""
import h5py
import numpy as np


def value(channel, y, x, frame):
    return (channel * 50 + y * 7 + x * 3 + frame * 11) % 256


def frame(channels, height, width, number):
    c, y, x = np.indices((channels, height, width))
    return value(c, y, x, number).astype(np.uint8)


# WMCA: frames 0, 2, 10; frame 1 is missing. One is plain, one compressed, one shuffled in chunks.
with h5py.File("wmca_rgb.hdf5", "w") as file:
    file.create_dataset("Frame_0/array", data=frame(3, 8, 6, 0))
    file.create_dataset("Frame_2/array", data=frame(3, 8, 6, 2), compression="gzip")
    file.create_dataset(
        "Frame_10/array", data=frame(3, 8, 6, 10), chunks=(1, 4, 3), shuffle=True, compression="gzip"
    )
with h5py.File("wmca_cdit.hdf5", "w") as file:
    file.create_dataset("Frame_0/array", data=frame(4, 8, 6, 0))

# PADISI: float, blue first.
rows = np.stack([frame(3, 4, 5, n) for n in range(3)]).astype(np.float32) / 255
np.save("padisi.npy", rows)
np.save("padisi_u8.npy", np.stack([frame(3, 4, 5, n) for n in range(3)]))
np.savez_compressed("padisi.npz", data=frame(22, 4, 5, 7)[None].astype(np.float64) / 255)
np.savez("padisi_stored.npz", data=frame(22, 4, 5, 7)[None].astype(np.float64) / 255)
np.save("padisi_bad.npy", rows * 2)
