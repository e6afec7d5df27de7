import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { bundleDigest } from "../../src/protocol/statement.ts"
import { BlobTransfer } from "../../src/runtime/blob/transfer.ts"
import { connectEngine } from "../../src/runtime/container/connect.ts"
import { ProofArchive } from "../../src/runtime/proof/archive.ts"
import { sweep } from "../../src/runtime/shard/clean.ts"
import { openJournal } from "../../src/runtime/shard/journal.ts"
import type { Ports } from "../../src/runtime/shard/ports.ts"
import { walk } from "../../src/runtime/shard/road.ts"
import type { Leased, Ran, ShardState } from "../../src/runtime/shard/state.ts"
import { stepsOver } from "../../src/runtime/shard/steps.ts"
import { BlobStore } from "../../src/store/blob-store.ts"
import { type Bench, engineOrReason, makeBench, outputText } from "./bench.ts"
import { counted, counting } from "./road-programs.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const limit = () => AbortSignal.timeout(60_000)
const CRASH = new Error("crash")

/** What changes the world, by part; everything else only looks. */
const EFFECTS = {
  engine: ["create", "start", "saveLog", "remove"],
  images: ["pull"],
  store: ["append", "seal", "add"],
  disks: ["open", "close"],
  transfer: ["download", "upload"],
  archive: ["chain", "settle"],
} as const

type After = (name: string) => void

/** The same parts, which tell of each effect once it is done, and do nothing more after a crash. */
function telling(ports: Ports, after: After): Ports {
  const part = <Part extends object>(name: keyof typeof EFFECTS, target: Part): Part =>
    new Proxy(target, {
      get: (_, member) => {
        const value = Reflect.get(target, member, target)
        if (member === "images") return part("images", value as object)
        if (typeof value !== "function") return value
        const isEffect = (EFFECTS[name] as readonly string[]).includes(String(member))
        if (!isEffect) return value.bind(target)
        return async (...args: unknown[]) => {
          const result = await value.apply(target, args)
          after(`${name}.${String(member)}`)
          return result
        }
      },
    })
  return {
    ...ports,
    engine: part("engine", ports.engine),
    store: part("store", ports.store),
    disks: part("disks", ports.disks),
    transfer: part("transfer", ports.transfer),
    archive: part("archive", ports.archive),
    handIn: async (...args) => {
      const receipt = await ports.handIn(...args)
      after("settle")
      return receipt
    },
  }
}

/** Parts as a new process makes them: nothing in memory is left of what was before. */
async function freshPorts(): Promise<Ports> {
  const store = new BlobStore(bench.ports.store.root)
  return {
    ...bench.ports,
    engine: await connectEngine({ signal: limit() }),
    store,
    transfer: new BlobTransfer({ registry: bench.ports.registry, store, pauseMs: 10 }),
    archive: new ProofArchive(bench.ports.archive.root),
  }
}

/** One life of an agent over a journal of its own; gives all states it recorded, and throws what ended it. */
async function live(shard: Leased, after: After): Promise<ShardState[]> {
  const journal = openJournal(join(bench.root, `journal-${shard.assignment.lease.id}`), () => {
    throw new Error("the journal is damaged")
  })
  try {
    const ports = telling(await freshPorts(), after)
    const [ended] = journal.history(1).filter(({ state }) => state.step === "settled")
    if (ended) return [ended.state]
    const [open = shard] = journal.open()
    await sweep([open], ports, limit())
    const seen: ShardState[] = []
    const record = async (state: ShardState) => {
      await journal.record(state)
      seen.push(state)
      after(`record ${state.step}`)
    }
    await walk(open, stepsOver(ports), record, limit())
    return seen
  } finally {
    journal.close()
  }
}

const labels = (shard: Leased) => ({ lease: shard.assignment.lease.id, home: bench.ports.home })

function input() {
  return [{ name: "note", ...bench.blob(`note ${crypto.randomUUID()}`) }]
}

test.skipIf(typeof engine === "string")(
  "a crash after any effect, before any record, leads to one proof of the same outputs and never to two containers",
  async () => {
    // The image is pulled once for all.
    await live(bench.lease(counting(1)), () => {})
    const effects: string[] = []
    await live(bench.lease({ ...counting(4), inputs: input() }), name => effects.push(name))
    expect(effects).toEqual(
      expect.arrayContaining(["engine.create", "engine.start", "archive.chain", "settle", "record settled"]),
    )
    for (const [place, name] of effects.entries()) {
      const shard = bench.lease({ ...counting(4), inputs: input() })
      let left = place
      const crashing = live(shard, () => {
        if (left-- <= 0) throw CRASH
      })
      await expect(crashing, `${place}: ${name}`).rejects.toBe(CRASH)
      const between = await bench.ports.engine.find(labels(shard), limit())
      expect(between.length, name).toBeLessThanOrEqual(1)
      const used = new Set(between)
      const seen = await live(shard, () => {})
      for (const state of seen) if (state.step === "running") used.add(state.containerId)
      expect(seen.at(-1), name).toMatchObject({ step: "settled" })
      expect(used.size, name).toBeLessThanOrEqual(1)
      await expectOneProof(shard, seen, name)
    }
  },
  600_000,
)

async function expectOneProof(shard: Leased, seen: ShardState[], name: string): Promise<void> {
  const isMine = (lease: { id: string }) => lease.id === shard.assignment.lease.id
  const handedIn = new Set<string>()
  for (const bundle of bench.proofs) {
    const { predicate } = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString())
    if (isMine(predicate.buildDefinition.externalParameters.lease)) handedIn.add(bundleDigest(bundle))
  }
  const archived: string[] = []
  for await (const { assignment, bundle } of bench.ports.archive.list())
    if (isMine(assignment.lease)) archived.push(bundleDigest(bundle))
  expect(archived, name).toHaveLength(1)
  expect([...handedIn], name).toEqual(archived)
  expect(seen.at(-1), name).toMatchObject({ proof: archived[0] })
  const ran = seen.find((state): state is Ran => state.step === "ran")
  if (ran) expect(await outputText(bench, ran.outputs[0]?.digest as never), name).toBe(counted(4))
  expect(await bench.ports.engine.find(labels(shard), limit()), name).toEqual([])
}
