/**
 * What danfojs-node 1.1.2 asks of `request`, `stream-json` and `xlsx`, none of which has a version that is free of known
 * holes and still works with it (docs/dependencies.md). Tables are read from CSV and JSON, local or by HTTP; spreadsheets
 * are refused with a sentence.
 *
 * The functions that danfojs calls, and their shapes, are listed in tests/dependencies_test.ts.
 */
"use strict";

const { PassThrough, Readable, Transform } = require("node:stream");
const { pipeline } = require("node:stream/promises");

/**
 * `request(options)`: the body of an HTTP answer as a stream, which emits `response` with its status first.
 *
 * A failed connection is reported as status 0, because danfojs rejects a bad status but listens to no `error`.
 */
function request(options) {
  const { url, method = "GET", headers = {} } = typeof options === "string" ? { url: options } : options;
  const body = new PassThrough();
  const failed = (error) =>
    body.emit("response", { statusCode: 0, statusMessage: `${url}: ${error.cause?.message ?? error.message}` });
  fetch(url, { method, headers }).then((response) => {
    body.emit("response", { statusCode: response.status, statusMessage: response.statusText });
    return response.body ? pipeline(Readable.fromWeb(response.body), body) : body.end();
  }).catch(failed);
  return body;
}
request.get = (url) => request({ url });

/** `parser()`: text in, one whole JSON value out. */
function parser() {
  let text = "";
  const decoder = new TextDecoder();
  return new Transform({
    readableObjectMode: true,
    transform(chunk, _encoding, done) {
      text += decoder.decode(chunk, { stream: true });
      done();
    },
    flush(done) {
      try {
        done(null, { value: JSON.parse(text + decoder.decode()) });
      } catch (error) {
        done(error);
      }
    },
  });
}

/** `streamArray()`: a JSON array in, its items out as `{ key, value }`. */
function streamArray() {
  return new Transform({
    objectMode: true,
    transform({ value }, _encoding, done) {
      if (!Array.isArray(value)) return done(new Error("Top-level object should be an array."));
      value.forEach((item, key) => this.push({ key, value: item }));
      done();
    },
  });
}

/** Any function of `xlsx`. */
function noSpreadsheets() {
  throw new Error("Spreadsheets are neither read nor written here; save the sheet as CSV and use that.");
}

module.exports = Object.assign(request, {
  parser,
  streamArray,
  read: noSpreadsheets,
  readFile: noSpreadsheets,
  writeFile: noSpreadsheets,
  utils: {
    aoa_to_sheet: noSpreadsheets,
    book_append_sheet: noSpreadsheets,
    book_new: noSpreadsheets,
    sheet_to_json: noSpreadsheets,
  },
});
