"""Study 002's network in Keras 3, trained on rows that tests/bench/batch_norm.ts wrote; one JSON line an epoch.

`batch_norm.py FOLDER DIVISOR EPOCHS`; needs Keras 3.15.1 and tensorflow-cpu 2.19.1.
"""
import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers as L  # noqa: E402

folder, divisor, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = np.load(f"{folder}/x.npy")
y = np.load(f"{folder}/y.npy").astype(np.int32)
sets = {name: np.load(f"{folder}/{name}.npy").astype(np.int32) for name in ("train", "sample", "test")}

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((2376, 1))])
for filters, kernel, pool, dropped in [(512, 5, 5, 0), (512, 5, 5, 1), (256, 5, 5, 0), (256, 3, 5, 1), (128, 3, 3, 1)]:
    model.add(L.Conv1D(filters // divisor, kernel, padding="same", activation="relu"))
    model.add(L.BatchNormalization())
    model.add(L.MaxPooling1D(pool, 2, padding="same"))
    if dropped:
        model.add(L.Dropout(0.2))
for layer in [L.Flatten(), L.Dense(512 // divisor, activation="relu"), L.BatchNormalization(), L.Dense(7, activation="softmax")]:
    model.add(layer)
model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
for epoch in range(1, epochs + 1):
    fitted = model.fit(x[sets["train"]], y[sets["train"]], batch_size=64, epochs=1, verbose=0).history["accuracy"][0]
    sample, test = (model.evaluate(x[sets[name]], y[sets[name]], verbose=0)[1] for name in ("sample", "test"))
    print(json.dumps({"epoch": epoch, "training": fitted, "predicted": sample, "test": test}), flush=True)
