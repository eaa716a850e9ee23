/**
 * Splits: scikit-learn's row for row, folds by speaker, and their identity.
 *
 * @module
 */

export * from "./sklearn.ts";
export * from "./groups.ts";
export * from "./lint.ts";
