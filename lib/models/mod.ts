/**
 * The shelf of models: each returns an uncompiled tf.js model whose initial weights follow from a seed.
 *
 * @module
 */

export * from "./cnn.ts";
