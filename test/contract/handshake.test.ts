import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { handshakeBytes } from "../../src/protocol/handshake.ts"
import { keyIdOf, publicKeyOf } from "../../src/protocol/keys.ts"
import { FRAME_LIMIT_BYTES } from "../../src/protocol/message.ts"
import { connect, enrol, greet, newIdentity, Wire } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"

let embedded: Embedded | undefined
let url: string

beforeAll(async () => {
  embedded = FOREIGN ? undefined : await Embedded.start()
  url = FOREIGN ?? embedded?.url ?? ""
})
afterAll(() => embedded?.stop())

const machine = { platform: "linux-x64", cpu: "contract", cpus: 2, memoryMiB: 4096, gpus: [] }

test("both ends prove their keys", async () => {
  const identity = newIdentity()
  const client = await connect(url, identity)
  expect(client.registered).toBe(false)
  expect(client.token.length).toBeGreaterThan(20)
  if (embedded) expect(keyIdOf(client.handshake.marketKey)).toBe(embedded.market.keyId)
  await client.close()
})

test("another key's signature is refused", async () => {
  const wire = new Wire(url)
  const handshake = await greet(wire, newIdentity().publicKey)
  const signature = newIdentity().signNow(handshakeBytes("client", handshake))
  wire.send({ type: "auth", signature })
  expect(await wire.next("refused")).toMatchObject({ code: "signature-wrong", re: 2 })
  expect((await wire.closed).code).toBe(1008)
})

test("an auth recorded in one session is refused in another", async () => {
  const identity = newIdentity()
  const first = new Wire(url)
  const signature = identity.signNow(handshakeBytes("client", await greet(first, identity.publicKey)))
  const second = new Wire(url)
  await greet(second, identity.publicKey)
  second.send({ type: "auth", signature })
  expect((await second.next("refused")).code).toBe("signature-wrong")
  expect((await second.closed).code).toBe(1008)
  first.send({ type: "auth", signature })
  await first.next("welcome")
  await first.close()
})

test("a challenge answered twice is a replay, and the session goes on", async () => {
  const client = await enrol(url)
  const signature = client.identity.signNow(handshakeBytes("client", client.handshake))
  expect(await client.refusal({ type: "auth", signature })).toBe("challenge-replayed")
  await client.ask({ type: "account" }, "account")
  await client.close()
})

test("the market's own context cannot be signed by the client", async () => {
  const identity = newIdentity()
  const wire = new Wire(url)
  const handshake = await greet(wire, identity.publicKey)
  wire.send({ type: "auth", signature: identity.signNow(handshakeBytes("market", handshake)) })
  expect((await wire.next("refused")).code).toBe("signature-wrong")
  await wire.closed
})

test("a client that believes to be elsewhere is refused", async () => {
  const wire = await new Wire(url).opened()
  const { publicKey } = newIdentity()
  const nonce = randomBytes(16).toString("hex") as never
  wire.send({ type: "hello", agent: "contract", publicKey, nonce, origin: "market.example:7464" })
  expect((await wire.next("refused")).code).toBe("signature-wrong")
  expect((await wire.closed).code).toBe(1008)
})

test("a small-order key is refused", async () => {
  const wire = await new Wire(url).opened()
  const nonce = randomBytes(16).toString("hex") as never
  const publicKey = publicKeyOf(Buffer.alloc(32))
  wire.send({ type: "hello", agent: "contract", publicKey, nonce, origin: new URL(url).host })
  expect((await wire.next("refused")).code).toBe("key-refused")
  expect((await wire.closed).code).toBe(1008)
})

test.each([[[]], [["zg.v2"]], [["mqtt", "zg.v0"]]])("subprotocols %j are turned away", async protocols => {
  await expect(new Wire(url, protocols).opened()).rejects.toThrow("Unexpected server response: 400")
})

test("zg.v1 is chosen among several", async () => {
  const wire = await new Wire(url, ["zg.v2", "zg.v1"]).opened()
  expect(wire.socket.protocol).toBe("zg.v1")
  await wire.close()
})

test("anything but hello at first is refused and closes", async () => {
  const wire = await new Wire(url).opened()
  wire.send({ type: "account" })
  expect(await wire.next("refused")).toMatchObject({ code: "not-authenticated", re: 1 })
  expect((await wire.closed).code).toBe(1008)
})

test("unknown and malformed messages are refused by name and the session goes on", async () => {
  const client = await enrol(url)
  const { wire } = client
  wire.raw(JSON.stringify({ type: "teleport", seq: ++wire.seq }))
  expect(await wire.answerTo(wire.seq)).toMatchObject({
    code: "message-unknown",
    message: expect.stringContaining("teleport"),
  })
  wire.raw(JSON.stringify({ type: "accept", seq: ++wire.seq, offer: "me" }))
  expect(await wire.answerTo(wire.seq)).toMatchObject({
    code: "message-malformed",
    message: expect.stringContaining("offer"),
  })
  wire.raw(JSON.stringify({ type: "account", seq: ++wire.seq, extra: true }))
  expect(await wire.answerTo(wire.seq)).toMatchObject({ code: "message-malformed" })
  wire.raw(JSON.stringify({ type: "account" }))
  expect(await wire.next("refused")).toMatchObject({ code: "message-malformed" })
  await client.ask({ type: "account" }, "account")
  await client.close()
})

test("a malformed hello is refused and closes", async () => {
  const wire = await new Wire(url).opened()
  wire.raw(JSON.stringify({ type: "hello", seq: 1 }))
  expect(await wire.next("refused")).toMatchObject({ code: "message-malformed", re: 1 })
  expect((await wire.closed).code).toBe(1008)
})

test.each([
  ["text", "hello there"],
  ["binary", new Uint8Array([1, 2, 3])],
])("a frame that is not JSON (%s) closes the socket", async (_, frame) => {
  const client = await enrol(url)
  client.wire.raw(frame)
  expect((await client.wire.next("refused")).code).toBe("frame-not-json")
  expect((await client.wire.closed).code).toBe(1008)
})

test("a frame over the limit closes the socket with 1009", async () => {
  const client = await enrol(url)
  client.wire.raw("x".repeat(FRAME_LIMIT_BYTES + 1))
  expect((await client.wire.closed).code).toBe(1009)
})

test("a number that came before is dropped silently", async () => {
  const client = await enrol(url)
  const { wire } = client
  wire.raw(JSON.stringify({ type: "account", seq: wire.seq }))
  const { re } = await client.ask({ type: "account" }, "account")
  expect(re).toBe(wire.seq)
  expect(wire.inbox).toEqual([])
  await client.close()
})

test("a number that leaves one out closes the socket", async () => {
  const client = await enrol(url)
  const { wire } = client
  wire.raw(JSON.stringify({ type: "account", seq: wire.seq + 2 }))
  expect((await wire.next("refused")).code).toBe("message-out-of-order")
  expect((await wire.closed).code).toBe(1008)
})

test("the market numbers its messages from 1", async () => {
  const client = await enrol(url)
  const answers = [
    await client.ask({ type: "account" }, "account"),
    await client.ask({ type: "jobs" }, "jobList"),
  ]
  // Before: challenge, welcome, registered.
  expect(answers.map(({ seq }) => seq)).toEqual([4, 5])
  await client.close()
})

test("only register is possible before it, and doing it again grants nothing", async () => {
  const identity = newIdentity()
  const client = await connect(url, identity)
  expect(await client.refusal({ type: "account" })).toBe("not-registered")
  expect(await client.refusal({ type: "capacity", slots: [] })).toBe("not-registered")
  const first = await client.ask({ type: "register", name: "one", machine }, "registered")
  expect(first).toMatchObject({ agent: identity.keyId, again: false })
  const again = await client.ask({ type: "register", name: "two", machine }, "registered")
  expect(again).toMatchObject({ again: true, balance: first.balance })
  await client.close()
  const later = await connect(url, identity)
  expect(later.registered).toBe(true)
  await later.close()
})

test("an agent that serves through a newer connection leaves the older one", async () => {
  const identity = newIdentity()
  const older = await enrol(url, identity)
  older.wire.send({ type: "capacity", slots: [] })
  await older.ask({ type: "account" }, "account")
  const buyer = await enrol(url, identity)
  await buyer.ask({ type: "account" }, "account")
  await older.ask({ type: "account" }, "account")
  const newer = await enrol(url, identity)
  newer.wire.send({ type: "capacity", slots: [] })
  expect((await older.wire.closed).code).toBe(4001)
  await buyer.ask({ type: "account" }, "account")
  await Promise.all([buyer.close(), newer.close()])
})
