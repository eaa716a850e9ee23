import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { concatBytes } from "../../lib/bytes.ts";
import { clientHandshake, encodeMessage, readMessage, signMessage, UnitReader } from "../../lib/notebook/zmtp.ts";
import { RandomState } from "../../lib/random.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a stream is cut into the same units whatever the pieces in which it arrives", () => {
  const long = new Uint8Array(70_000).fill(7);
  const messages = [[bytes("a")], [bytes(""), long, bytes("z")], [new Uint8Array(255)], [new Uint8Array(256)]];
  const stream = concatBytes([clientHandshake("DEALER"), ...messages.map((frames) => encodeMessage(frames))]);
  const rng = new RandomState(0);
  for (const most of [1, 3, 1000, stream.length]) {
    const reader = new UnitReader(), units = [];
    for (let at = 0; at < stream.length;) {
      const size = most === 1 ? 1 : Math.min(stream.length - at, rng.randint(1, most + 1));
      units.push(...reader.push(stream.slice(at, at + size)));
      at += size;
    }
    assert.deepEqual(units.map(({ kind }) => kind), ["greeting", "command", ...messages.map(() => "message")]);
    assert.deepEqual(units.slice(2).map(({ frames }) => frames), messages);
    // Passed on, nothing is lost or added.
    assert.deepEqual(concatBytes(units.map((unit) => unit.bytes)), stream);
  }
});

Deno.test("a signed message reads back, and its signature is the HMAC of its four parts", () => {
  const parent = { msg_id: "p", msg_type: "interrupt_request" };
  const { id, bytes: sent } = signMessage("secret", {
    type: "interrupt_reply",
    content: { status: "ok" },
    parent,
    route: [bytes("client")],
  });
  const reader = new UnitReader();
  const [, unit] = reader.push(concatBytes([new Uint8Array(64), sent]));
  const { frames } = unit!;
  const message = readMessage(frames)!;
  assert.equal(message.type, "interrupt_reply");
  assert.equal(message.header.msg_id, id);
  assert.equal(message.parentId, "p");
  assert.deepEqual(message.content, { status: "ok" });
  assert.deepEqual(message.route, [bytes("client")]);
  const hmac = createHmac("sha256", "secret");
  for (const part of frames.slice(3)) hmac.update(part);
  assert.equal(new TextDecoder().decode(frames[2]), hmac.digest("hex"));
});

Deno.test("what is not a message of Jupyter's is passed on unread", () => {
  assert.equal(readMessage([bytes("hello")]), null);
  assert.equal(readMessage([bytes("<IDS|MSG>"), ...Array.from({ length: 5 }, () => bytes("not json"))]), null);
});
