/**
 * Compiled training: a tf.js model's training step as one TensorFlow graph, from JavaScript alone.
 *
 * tf.js on native TensorFlow runs operation by operation, several times slower than the same model in Keras. Here one
 * step is recorded at the binding (tracer.ts) at two batch sizes, made into a graph for every batch size
 * (symbolic.ts), simplified and written as a SavedModel (graph.ts, protobuf.ts) together with the optimiser's updates
 * (updates.ts), loaded into a session (session.ts) and run from then on (trainer.ts). patches.ts puts TensorFlow's
 * fused operations in the place of tf.js's compositions. What cannot be compiled soundly is refused with
 * {@linkcode NotCompilable}.
 *
 * @module
 */

export { NotCompilable } from "./binding.ts";
export { ALL_PATCHES, NO_PATCHES, type Patches } from "./patches.ts";
export { compile, type CompiledTrainer, type CompileOptions, type CompileStatistics } from "./trainer.ts";
