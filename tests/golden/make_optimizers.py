"""Updates of Keras 3's optimisers and callbacks, for tests/engine/optimizers_test.ts and tests/training/train_test.ts.

Made with: keras 3 on tensorflow-cpu 2.19.1 (versions are in the file). Call: python make_optimizers.py > optimizers.json
"""
import json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf, keras

rng = np.random.RandomState(0)
start = rng.standard_normal(4).astype("float32")
grads = [rng.standard_normal(4).astype("float32") for _ in range(4)]
rates = [0.1, 0.1, 0.05, 0.05]
specs = [
    ({"kind": "sgd", "learningRate": 0.1}, keras.optimizers.SGD(0.1)),
    ({"kind": "sgd", "learningRate": 0.1, "momentum": 0.9}, keras.optimizers.SGD(0.1, momentum=0.9)),
    ({"kind": "sgd", "learningRate": 0.1, "momentum": 0.9, "nesterov": True}, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
    ({"kind": "rmsprop", "learningRate": 0.1}, keras.optimizers.RMSprop(0.1)),
    ({"kind": "rmsprop", "learningRate": 0.1, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}, keras.optimizers.RMSprop(0.1, rho=0.8, momentum=0.5, epsilon=1e-3)),
    ({"kind": "adam", "learningRate": 0.1}, keras.optimizers.Adam(0.1)),
    ({"kind": "adam", "learningRate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-2}, keras.optimizers.Adam(0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-2)),
    ({"kind": "adamw", "learningRate": 0.1, "weightDecay": 0.05}, keras.optimizers.AdamW(0.1, weight_decay=0.05)),
]
cases = []
for spec, optimizer in specs:
    v = keras.Variable(start)
    values = []
    for g, rate in zip(grads, rates):
        optimizer.learning_rate = rate
        optimizer.apply_gradients([(tf.constant(g), v)])
        values.append([float(x) for x in v.numpy()])
    cases.append({"spec": spec, "values": values})

# Callbacks on scripted validation losses: which epoch stops, which is restored, the rate of each epoch.
class Scripted(keras.Model):
    pass

losses = [3.0, 2.0, 2.5, 2.2, 1.9999, 2.4, 2.3, 2.1, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2]

def run(callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    for c in callbacks:
        c.set_model(model)
        c.on_train_begin()
    seen, model.stop_training = [], False
    for epoch, loss in enumerate(losses):
        model.set_weights([np.full((1, 1), epoch + 1, "float32")])
        seen.append(float(np.float32(model.optimizer.learning_rate.numpy())))
        for c in callbacks:
            c.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    for c in callbacks:
        c.on_train_end()
    return {"epochs": len(seen), "rates": seen, "weights_of_epoch": int(model.get_weights()[0][0, 0])}

ES, RL = keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau
callbacks = [
    {"plan": {"earlyStopping": {"monitor": "valLoss", "patience": 5, "restoreBestWeights": True}},
     "result": run([ES(monitor="val_loss", patience=5, restore_best_weights=True)])},
    {"plan": {"earlyStopping": {"monitor": "valLoss", "patience": 2}}, "result": run([ES(monitor="val_loss", patience=2)])},
    {"plan": {"earlyStopping": {"monitor": "valLoss", "patience": 50, "restoreBestWeights": True}},
     "result": run([ES(monitor="val_loss", patience=50, restore_best_weights=True)])},
    {"plan": {"reduceOnPlateau": {"monitor": "valLoss", "factor": 0.2, "patience": 3, "minLearningRate": 1e-6}},
     "result": run([RL(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-6)])},
    {"plan": {"reduceOnPlateau": {"monitor": "valLoss", "factor": 0.1, "patience": 1, "minLearningRate": 0.005, "minDelta": 0.5}},
     "result": run([RL(monitor="val_loss", factor=0.1, patience=1, min_lr=0.005, min_delta=0.5)])},
]
print(json.dumps({"versions": {"keras": keras.__version__, "tensorflow": tf.__version__}, "start": [float(x) for x in start],
                  "gradients": [[float(x) for x in g] for g in grads], "rates": rates, "cases": cases,
                  "losses": losses, "callbacks": callbacks}, indent=1))
