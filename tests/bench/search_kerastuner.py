"""Study 001's grid in KerasTuner on TensorFlow: the full-width VGG16, its frozen layers run in every epoch.

A process that tests/bench/search_grid.ts starts and talks to, one JSON object a line: `versions`, `grid`. Needs KerasTuner
1.4.8, Keras 3.15.1 and tensorflow-cpu 2.19.1 (the wheel that serlab takes its own libraries from).
"""
import json
import os
import shutil
import sys
import tempfile
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np  # noqa: E402
import keras  # noqa: E402
import keras_tuner  # noqa: E402
from keras import layers as L, regularizers as R  # noqa: E402


def model(hp):
    """The study's own builder: the base from Keras, random weights, the last `trainable` entries of its list unfrozen."""
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(50, 300, 3))
    unfrozen = hp.Choice("trainable", [2, 3])
    for layer in base.layers:
        layer.trainable = layer in base.layers[-unfrozen:]
    found = keras.Sequential([base, L.Flatten()])
    for _ in range(hp.get("layers")):
        found.add(L.Dense(hp.get("neurons"), activation="relu", kernel_regularizer=R.L2(0.01)))
        found.add(L.Dropout(hp.get("dropout")))
    found.add(L.Dense(8, activation="softmax"))
    found.compile(optimizer=keras.optimizers.Adam(hp.get("rate")), loss="sparse_categorical_crossentropy",
                  metrics=["accuracy"], jit_compile=False)
    return found


now = time.process_time


class Epochs(keras.callbacks.Callback):
    """The time when each epoch began, ended its validation, and was done with what the tuner does at its end."""

    begins, ends = [], []

    def on_epoch_begin(self, epoch, logs=None):
        Epochs.begins.append(now())

    def on_test_end(self, logs=None):
        Epochs.ends.append(now())

    def on_train_end(self, logs=None):
        Epochs.begins.append(now())


class Timed(keras_tuner.GridSearch):
    """A grid search that notes what each trial took."""

    found = []

    def run_trial(self, trial, *args, **kwargs):
        Epochs.begins, Epochs.ends = [], []
        before = now()
        result = super().run_trial(trial, *args, **kwargs)
        seconds = now() - before
        Timed.found.append({
            "trainable": trial.hyperparameters.get("trainable"), "seconds": seconds,
            "epochs": [end - begin for begin, end in zip(Epochs.begins, Epochs.ends)],
            "ends": [begin - end for begin, end in zip(Epochs.begins[1:], Epochs.ends)],
        })
        return result


def grid(clock, rows, validation, epochs, batch):
    """Two configurations of the grid, in which all but the trained convolutions is as cheap as the grid has it.

    Timed by the clock, or by the processor's time of all threads."""
    global now
    now = time.perf_counter if clock else time.process_time
    rng = np.random.RandomState(1)
    x = rng.uniform(size=(rows + validation, 50, 300, 3)).astype("float32")
    y = np.arange(rows + validation) % 8
    space = keras_tuner.HyperParameters()
    for name, value in {"layers": 2, "neurons": 100, "dropout": 0.2, "rate": 0.001}.items():
        space.Fixed(name, value)
    folder, Timed.found = tempfile.mkdtemp(), []
    try:
        tuner = Timed(model, objective="val_accuracy", hyperparameters=space, directory=folder, overwrite=True, seed=1)
        tuner.search(x[:rows], y[:rows], validation_data=(x[rows:], y[rows:]), epochs=epochs, batch_size=batch, verbose=0,
                     callbacks=[Epochs()])
    finally:
        shutil.rmtree(folder)
    return {"trials": Timed.found}


def versions():
    import tensorflow as tf
    return {"kerasTuner": keras_tuner.__version__, "keras": keras.__version__, "tensorflow": tf.__version__,
            "python": sys.version.split()[0]}


for line in sys.stdin:
    call = json.loads(line)
    # KerasTuner writes to stdout of its own accord.
    out, sys.stdout = sys.stdout, sys.stderr
    answer = globals()[call.pop("do")](**call)
    sys.stdout = out
    print(json.dumps(answer), flush=True)
