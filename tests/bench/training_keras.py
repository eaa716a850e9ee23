"""The bench's models in Keras 3 on TensorFlow: what lib/models builds, layer by layer.

A process that tests/bench/training.ts starts and talks to, one JSON object a line: `build`, `steps`, `predict`, `fit`.
Needs Keras 3.15.1 and tensorflow-cpu 2.19.1 (the wheel that serlab takes its own libraries from).
"""
import json
import os
import resource
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
started = time.time()
import numpy as np  # noqa: E402
import keras  # noqa: E402
from keras import layers as L, regularizers as R  # noqa: E402


def study000(classes, drop):
    l2 = R.L2(0.01)
    return [
        L.Conv2D(32, 3, activation="relu", kernel_regularizer=l2), L.MaxPooling2D(2),
        L.Conv2D(64, 3, activation="relu", kernel_regularizer=l2), L.MaxPooling2D(2), L.Flatten(),
        L.Dense(128, activation="relu", kernel_regularizer=l2), L.Dropout(drop(0.5)),
        L.Dense(classes, activation="softmax"),
    ]


def study000_vanilla(classes, _drop):
    return [
        L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(2), L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(2),
        L.Flatten(), L.Dense(128, activation="relu"), L.Dense(classes, activation="softmax"),
    ]


def cnn2d(classes, drop):
    return [
        L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(2), L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(2),
        L.Conv2D(128, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(128, activation="relu"),
        L.Dropout(drop(0.5)), L.Dense(classes, activation="softmax"),
    ]


def cnn_lstm(classes, drop):
    return [
        L.Conv1D(64, 5, padding="same", activation="relu"), L.MaxPooling1D(2), L.LSTM(128), L.Dropout(drop(0.2)),
        L.Dense(classes, activation="softmax"),
    ]


def study001_vgg16(classes, drop):
    l2, found = R.L2(0.01), []
    for block, (count, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for i in range(1, count + 1):
            layer = L.Conv2D(width, 3, padding="same", activation="relu")
            layer.trainable = (block, i) == (5, 3)
            found.append(layer)
        found.append(L.MaxPooling2D(2))
    return found + [
        L.Flatten(), L.Dense(256, activation="relu", kernel_regularizer=l2), L.Dropout(drop(0.2)),
        L.Dense(100, activation="relu", kernel_regularizer=l2), L.Dropout(drop(0.5)),
        L.Dense(classes, activation="softmax"),
    ]


def study002(classes, drop):
    found = []
    for filters, kernel, pool, rate in [(512, 5, 5, 0), (512, 5, 5, .2), (256, 5, 5, 0), (256, 3, 5, .2), (128, 3, 3, .2)]:
        found += [L.Conv1D(filters, kernel, padding="same", activation="relu"), L.BatchNormalization(),
                  L.MaxPooling1D(pool, 2, padding="same")]
        if rate:
            found.append(L.Dropout(drop(rate)))
    return found + [L.Flatten(), L.Dense(512, activation="relu"), L.BatchNormalization(),
                    L.Dense(classes, activation="softmax")]


def study003_1d(classes, _drop):
    found = []
    for filters, kernel, pooled in [(16, 3, True), (32, 3, False), (32, 5, False), (64, 7, True)]:
        found.append(L.Conv1D(filters, kernel, activation="relu", kernel_regularizer=R.L2(0.1)))
        if pooled:
            found.append(L.MaxPooling1D(2))
    return found + [L.Flatten(), L.Dense(64, activation="relu", kernel_regularizer=R.L2(0.003)),
                    L.Dense(32, activation="relu", kernel_regularizer=R.L2(0.001)), L.Dense(classes, activation="softmax")]


def study003_2d(classes, _drop):
    found = []
    for i, (filters, kernel, l2) in enumerate([(16, 3, 0), (32, 3, 0), (64, 3, 0), (64, 5, .05), (128, 5, .05), (128, 7, .05)]):
        found += [L.Conv2D(filters, kernel, padding="valid" if i < 3 else "same", activation="relu",
                           kernel_regularizer=R.L2(l2) if l2 else None), L.MaxPooling2D(2)]
    return found + [L.Flatten(), L.Dense(128, activation="relu", kernel_regularizer=R.L2(0.1)),
                    L.Dense(64, activation="relu", kernel_regularizer=R.L2(0.01)), L.Dense(classes, activation="softmax")]


def study004(classes, _drop):
    l2 = R.L2(0.01 / (2 * 256))
    return [L.Dense(300, activation="relu", kernel_regularizer=l2),
            L.Dense(classes, activation="softmax", kernel_regularizer=l2)]


MODELS = {f.__name__: f for f in (study000, study000_vanilla, cnn2d, cnn_lstm, study001_vgg16, study002, study003_1d,
                                  study003_2d, study004)}
OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
state = {}


def array(path, shape):
    return np.fromfile(path, "<f4").reshape(shape)


def build(name, shape, classes, optimizer="adam", rate=1e-3, dropout=True, weights=None, seed=1):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape)] + MODELS[name](classes, (lambda r: r) if dropout else (lambda r: 0)))
    model.compile(optimizer=OPTIMIZERS[optimizer](rate), loss="categorical_crossentropy", metrics=["accuracy"],
                  jit_compile=False)
    if weights:
        # The layers' weights one after the other, each layer's in its own order, as serlab writes them.
        flat, at = np.fromfile(weights, "<f4"), 0
        for layer in model.layers:
            new = []
            for w in layer.get_weights():
                new.append(flat[at:at + w.size].reshape(w.shape))
                at += w.size
            layer.set_weights(new)
        assert at == flat.size
    state["model"] = model
    return {"params": model.count_params()}


def steps(x, y, shape, classes, count, warm=0):
    """`train_on_batch`: NumPy arrays in, numbers out, the compiled training function between."""
    model = state["model"]
    if state.get("data") != x:
        state["x"], state["y"] = array(x, shape), array(y, (shape[0], classes))
        state["data"] = x
    rounds, found = [], []
    for i in range(warm + count):
        before = time.perf_counter()
        found.append(float(model.train_on_batch(state["x"], state["y"])[0]))
        if i >= warm:
            rounds.append((time.perf_counter() - before) * 1000)
        model.reset_metrics()
    return {"ms": rounds, "losses": found, "peakMb": peak()}


def weights(path):
    flat = [w.ravel() for layer in state["model"].layers for w in layer.get_weights()]
    np.concatenate(flat).astype("<f4").tofile(path)
    return {}


def predict(x, shape, count, warm=0):
    model, rounds, data = state["model"], [], array(x, shape)
    for i in range(warm + count):
        before = time.perf_counter()
        model.predict_on_batch(data)
        if i >= warm:
            rounds.append((time.perf_counter() - before) * 1000)
    return {"ms": rounds}


def fit(rows, validation, shape, classes, epochs, batch):
    """A whole training on made-up data: `fit` as the study's notebook calls it."""
    def make(n):
        size = n * int(np.prod(shape))
        data = ((np.arange(size, dtype=np.int64) * 40503 % 65536) / 65536 - 0.5).astype(np.float32)
        return data.reshape([n] + shape), np.eye(classes, dtype=np.float32)[np.arange(n) % classes]

    x, y = make(rows)
    history = state["model"].fit(x, y, epochs=epochs, batch_size=batch, verbose=0,
                                 validation_data=make(validation) if validation else None)
    return {"loss": history.history["loss"][-1], "seconds": time.time() - started}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def versions():
    import tensorflow as tf
    return {"keras": keras.__version__, "tensorflow": tf.__version__, "python": sys.version.split()[0]}


for line in sys.stdin:
    call = json.loads(line)
    answer = globals()[call.pop("do")](**call)
    print(json.dumps(answer), flush=True)
