/**
 * The description of the machine interface, OpenAPI 3.1.
 *
 * @module
 */

import type { ApiLimits } from "./api.ts";

/** What the description needs to know. */
export interface OpenApiOptions {
  /** Names of the bundles, the default first. */
  readonly models: readonly string[];
  /** All labels. */
  readonly labels: readonly string[];
  /** The limits. */
  readonly limits: ApiLimits;
}

/** A part of the description. */
type Json = { readonly [key: string]: unknown };

/** The description as plain data. */
export function openApi({ models, labels, limits }: OpenApiOptions): Json {
  const problem = (description: string, headers?: Json): Json => ({
    description,
    ...(headers && { headers }),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Problem" } } },
  });
  const retry = { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer", minimum: 1 } } };
  const audio = { schema: { type: "string", format: "binary" } };
  return {
    openapi: "3.1.0",
    info: {
      title: "serlab",
      version: "1",
      description:
        "What a small model hears in a recording of speech, with its doubts. A model trained on actors does not " +
        "know what anybody feels; do not judge people by it.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "." }],
    paths: {
      "/predict": {
        post: {
          operationId: "predict",
          summary: "Predicts the emotion of one recording.",
          description:
            `At most ${limits.bodyBytes} bytes and ${limits.seconds} s; ${limits.perMinute} requests a minute. ` +
            "WAV, AIFF, FLAC, MP3, Ogg Vorbis and Opus, WebM Opus, M4A and AAC. Nothing is kept.",
          parameters: [{
            name: "model",
            in: "query",
            description: "The bundle to ask.",
            schema: { type: "string", enum: [...models], default: models[0] },
          }],
          requestBody: {
            required: true,
            content: {
              "multipart/form-data": {
                schema: {
                  type: "object",
                  required: ["file"],
                  properties: { file: { type: "string", format: "binary", description: "The recording." } },
                },
              },
              "audio/*": audio,
              "application/octet-stream": audio,
            },
          },
          responses: {
            "200": {
              description: "The answer.",
              content: { "application/json": { schema: { $ref: "#/components/schemas/Answer" } } },
            },
            "400": problem("The request cannot be read."),
            "404": problem("There is no such model."),
            "413": problem("The recording is too large."),
            "415": problem("The body is of another kind."),
            "422": problem("The recording cannot be judged; the message says why."),
            "429": problem("Too many requests of this address.", retry),
            "500": problem("A defect of the server."),
            "503": problem("Too many recordings are waiting.", retry),
          },
        },
      },
    },
    components: {
      schemas: {
        Answer: {
          type: "object",
          required: ["file", "model", "emotion", "abstained", "probabilities", "warnings"],
          properties: {
            file: { type: "string", description: "Name of the recording." },
            model: { type: "string", description: "The bundle that answered." },
            emotion: {
              type: "string",
              enum: [...labels],
              description: "The most probable label, even when abstained.",
            },
            abstained: { type: "boolean", description: "Whether the answer is 'cannot say'." },
            probabilities: {
              type: "object",
              additionalProperties: { type: "number", minimum: 0, maximum: 1 },
              description: "Probability of each label; they sum to 1.",
            },
            warnings: {
              type: "array",
              items: { type: "string" },
              description: "What speaks against relying on the answer, one sentence each.",
            },
          },
        },
        Problem: {
          type: "object",
          required: ["error"],
          properties: {
            error: {
              type: "object",
              required: ["code", "message"],
              properties: {
                code: { type: "string", description: "A word that does not change." },
                message: { type: "string", description: "One sentence for people." },
              },
            },
          },
        },
      },
    },
  };
}
