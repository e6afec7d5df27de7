import { once } from "node:events"
import { readdir } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import type { Progress } from "../../../../src/runtime/bench/host/figure.ts"
import { type LineBudget, measureLine, nextPieceBytes } from "../../../../src/runtime/bench/host/line.ts"
import { measureNetwork } from "../../../../src/runtime/bench/host/network.ts"
import { openSession, registryUrl, type Session } from "../../../../src/runtime/market/session.ts"
import { enrol, newIdentity } from "../../../contract/client.ts"
import { Embedded } from "../../../contract/market.ts"
import { BRIEF, expectSound, namesOf, watching } from "./sound.ts"

const MIB = 2 ** 20
const LINE: LineBudget = { limitMs: 10_000, limitBytes: 4 * MIB }
const BUDGET = { latency: BRIEF, line: LINE }
const NAMES = ["market-round-trip", "market-up", "market-down"]

let embedded: Embedded
beforeAll(async () => {
  embedded = await Embedded.start()
})
afterAll(() => embedded.stop())

let session: Session
beforeEach(async () => {
  const identity = newIdentity()
  const client = await enrol(embedded.url, identity)
  await client.close()
  session = await visit(identity)
})
afterEach(() => session.wire.close())

function visit(signer = newIdentity()): Promise<Session> {
  const options = { url: embedded.url, signer, agent: "test", pinned: null }
  return openSession(options, AbortSignal.timeout(20_000))
}

function wayOf({ wire, token }: Session) {
  const registry = { url: registryUrl(embedded.url), token: () => token }
  return { session: wire, registry }
}

/** What is left of uploads at the marketplace: in its book, and on its disk. */
async function uploads(): Promise<number[]> {
  const db = new DatabaseSync(join(embedded.root, "market.sqlite"), { readOnly: true })
  const { count } = db.prepare("SELECT count(*) AS count FROM upload").get() as { count: number }
  db.close()
  const partial = await readdir(join(embedded.root, "blobs", "partial")).catch(() => [])
  return [count, partial.length]
}

test("the way to the marketplace is measured, and nothing stays there", async () => {
  const told: Progress[] = []
  const watch = { ...watching(), onProgress: (one: Progress) => void told.push(one) }
  const { measurements, unmeasured } = await measureNetwork(wayOf(session), BUDGET, watch)
  expect(unmeasured).toEqual([])
  expect(namesOf(measurements)).toEqual(NAMES)
  expect(measurements.map(({ unit }) => unit)).toEqual(["s", "B/s", "B/s"])
  expectSound(measurements)
  expect(new Set(namesOf(told))).toEqual(new Set(NAMES))
  expect(
    Math.max(...told.filter(({ name }) => name === "market-up").map(({ done }) => done)),
  ).toBeLessThanOrEqual(LINE.limitBytes)
  expect(await uploads()).toEqual([0, 0])
})

test("who is not registered is told so, and has a round trip", async () => {
  const stranger = await visit()
  const { unmeasured } = await measureNetwork(wayOf(stranger), BUDGET, watching())
  await stranger.wire.close()
  expect(namesOf(unmeasured)).toEqual(expect.arrayContaining(["market-up", "market-down"]))
  for (const { reason } of unmeasured) expect(reason).toContain("did not take part")
})

test("an abort in the middle of an upload leaves nothing at the marketplace", async () => {
  const stop = new AbortController()
  const onProgress = ({ name, done }: Progress) => {
    if (name === "market-up" && done > MIB) stop.abort(new Error("stopped"))
  }
  const measuring = measureNetwork(wayOf(session), BUDGET, { signal: stop.signal, onProgress })
  await expect(measuring).rejects.toThrow("stopped")
  await expect.poll(uploads).toEqual([0, 0])
})

test("a session that is over is a fault", async () => {
  await session.wire.close()
  const measuring = measureNetwork(wayOf(session), BUDGET, watching())
  await expect(measuring).rejects.toMatchObject({ code: "market-lost" })
})

test("a registry that is away or breaks off costs its figures alone", async () => {
  const server = createServer((_, response) => response.destroy()).listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const way = { ...wayOf(session), registry: { url, token: () => "t" } }
  const broken = await measureNetwork(way, BUDGET, watching())
  server.close()
  await once(server, "close")
  const away = await measureNetwork(way, BUDGET, watching())
  for (const { measurements, unmeasured } of [broken, away]) {
    expect(namesOf(measurements)).toEqual(["market-round-trip"])
    expect(namesOf(unmeasured)).toEqual(["market-up", "market-down"])
  }
})

test("an answer that breaks off in the middle is no figure", async () => {
  const server = createServer(({ method }, response) => {
    if (method !== "GET") return response.writeHead(503).end()
    response.writeHead(200, { "content-length": "16384" }).write("some", () => response.destroy())
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const way = { ...wayOf(session), registry: { url, token: () => "t" } }
  const { measurements, unmeasured } = await measureNetwork(way, BUDGET, watching())
  server.close()
  expect(namesOf(measurements)).toEqual(["market-round-trip"])
  expect(unmeasured).toMatchObject([
    { name: "market-up", reason: expect.stringContaining("503") },
    { name: "market-down", reason: expect.stringContaining("did not take part") },
  ])
})

test("pieces grow while they are over too soon, up to their share of all", () => {
  const budget = { limitMs: 1, limitBytes: 64 * MIB }
  expect(nextPieceBytes({ bytes: 16_384, ms: 10 }, budget)).toBe(32_768)
  expect(nextPieceBytes({ bytes: 16_384, ms: 400 }, budget)).toBe(16_384)
  expect(nextPieceBytes({ bytes: 4 * MIB, ms: 10 }, budget)).toBe(4 * MIB)
  expect(nextPieceBytes({ bytes: MIB, ms: 10 }, { ...budget, pieceBytes: MIB + 1 })).toBe(MIB + 1)
  expect(nextPieceBytes({ bytes: MIB, ms: 10 }, { ...budget, limitBytes: 2 ** 40 })).toBe(2 * MIB)
})

test("bytes are bounded, and no piece overlaps another", async () => {
  const sent: [number, number][] = []
  const carry = async (bytes: number, from: number) => void sent.push([from, from + bytes])
  const { measurements } = await measureLine("line", { limitMs: 5000, limitBytes: MIB }, carry, watching())
  expect(sent.at(-1)?.[1]).toBeLessThanOrEqual(MIB)
  expect(sent.slice(1).every(([from], at) => from === sent[at]?.[1])).toBe(true)
  // Half a step's worth of the last size at least, without those before it.
  const last = sent.filter(([from, to]) => to - from === MIB / 16)
  expect(measurements[0]?.repeats).toBe(last.length)
})

test("a line that brings nothing in time is told, and given up", async () => {
  const never = (_bytes: number, _from: number, signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  const { measurements, unmeasured } = await measureLine(
    "line",
    { limitMs: 50, limitBytes: MIB },
    never,
    watching(),
  )
  expect(measurements).toEqual([])
  expect(unmeasured[0]?.reason).toContain("less than 16 KiB in 0.05 s")
})

test("noise is for those who are registered, in pieces of 8 MiB at most", async () => {
  const way = wayOf(session)
  const get = (query: string, token = way.registry.token()) =>
    fetch(`${way.registry.url}/speed${query}`, { headers: { authorization: `Bearer ${token}` } })
  const noise = await get("?bytes=300000")
  expect([noise.status, (await noise.arrayBuffer()).byteLength]).toEqual([200, 300_000])
  for (const query of ["", "?bytes=0", "?bytes=-1", "?bytes=1.5", "?bytes=8388609", "?bytes=Infinity"])
    expect((await get(query)).status).toBe(400)
  expect((await get("?bytes=10", "wrong")).status).toBe(401)
})
