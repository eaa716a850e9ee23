"""Golden weight file in the layout of Keras 2's VGG16 files: python make_weights_h5.py weights.h5 (h5py 3.16.0).

A group a layer, whose attribute `weight_names` names its arrays; kernels hold 0, 1, 2 … / 100, biases 0.5.
"""

import sys

import h5py
import numpy as np

WIDTHS = [[2, 2], [4, 4], [8, 8, 8], [16, 16, 16], [16, 16, 16]]

with h5py.File(sys.argv[1], "w") as file:
    names, channels = [], 3
    for b, block in enumerate(WIDTHS, 1):
        for i, width in enumerate(block, 1):
            layer = f"block{b}_conv{i}"
            names.append(layer)
            group = file.create_group(layer)
            kernel = (np.arange(9 * channels * width, dtype=np.float32) % 97 / 100 - 0.5).reshape(3, 3, channels, width)
            group.attrs["weight_names"] = [f"{layer}_W_1:0".encode(), f"{layer}_b_1:0".encode()]
            group.create_dataset(f"{layer}_W_1:0", data=kernel / 10, compression="gzip")
            group.create_dataset(f"{layer}_b_1:0", data=np.full(width, 0.5, np.float32))
            channels = width
        file.create_group(f"block{b}_pool").attrs["weight_names"] = np.array([], dtype="S1")
    file.attrs["layer_names"] = [name.encode() for name in names]
