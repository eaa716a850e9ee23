/**
 * The shelf of models: each returns an uncompiled tf.js model whose initial weights follow from a seed.
 *
 * @module
 */

export * from "./cnn.ts";
export * from "./cnn_lstm.ts";
export * from "./conv1d.ts";
export * from "./conv2d.ts";
export * from "./mlp.ts";
export * from "./vgg16.ts";
