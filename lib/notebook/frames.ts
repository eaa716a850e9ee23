/**
 * danfojs's tables without its noise.
 *
 * danfojs-node 1.1.2 needs no native addon: although its package names tfjs-node, its code loads plain
 * `@tensorflow/tfjs`, and no kernel is run by loading it. So tables work whether or not native TensorFlow is installed,
 * and they share the tf.js of the rest of serlab. Loading takes about half a second.
 *
 * @module
 */

// The order of these three lines matters: modules run in the order of their imports.
import "./quiet_begin.ts";
export { concat, DataFrame, merge, Series } from "danfojs-node";
import "./quiet_end.ts";
