import { pino } from "pino"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { FaultCode } from "../../src/protocol/fault.ts"
import type { ClientFrameOf, MarketMessage } from "../../src/protocol/message.ts"
import { Tasks } from "../../src/runtime/agent/tasks.ts"
import { Walks } from "../../src/runtime/agent/walks.ts"
import { prove } from "../../src/runtime/shard/prove.ts"
import type { EndState, Leased, Proved } from "../../src/runtime/shard/state.ts"
import { newIdentity } from "../contract/client.ts"
import { Serving } from "../runtime/market/serving.ts"
import { RAN } from "../runtime/shard/sample.ts"
import { type Answer, StandInMarket } from "../stand-in/market.ts"
import { type Bench, engineOrReason, makeBench } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const limit = () => AbortSignal.timeout(30_000)

/** The walks of an agent, and the marketplace that answers it: proofs with `onProof`, and whatever else has to be answered. */
async function meet(onProof: (frame: ClientFrameOf<"proof">) => Promise<MarketMessage>) {
  const answer: Answer = async frame => {
    if (frame.type === "proof") return onProof(frame)
    // A proof in the ledger needs no lease any more.
    return frame.type === "renew" ? refused("lease-stale") : undefined
  }
  const market = await StandInMarket.start(answer)
  const serving = new Serving(market.url, newIdentity(), [])
  const [ends, events]: [EndState[], string[]] = [[], []]
  const log = pino({}, { write: (line: string) => void events.push(JSON.parse(line).msg) })
  const { ports, journal } = bench
  const parts = { link: serving.link, journal, ports, gpuEngine: null, log, pauseLimitMs: 60_000 }
  const tasks = new Tasks()
  const walks = new Walks(parts, tasks, state => state.step !== "proved" && ends.push(state))
  const close = async () => {
    await tasks.over()
    await serving.stop()
    await market.close()
  }
  return { walks, market, ends, events, close }
}

const refused = (code: FaultCode): MarketMessage => ({
  type: "refused",
  code,
  message: "of the test",
  hint: "-",
})

const committed = ({ lease, epoch }: ClientFrameOf<"proof">): MarketMessage => ({
  type: "committed",
  ...{ lease, epoch, reveal: [] },
})

async function receiptOf({ lease, bundle }: ClientFrameOf<"proof">): Promise<MarketMessage> {
  const receipt = await bench.ports.handIn({ id: lease } as never, bundle, limit())
  if ("reveal" in receipt) throw new Error("the bench does not audit")
  return { type: "receipt", lease, ...receipt }
}

function leasedShard(): Leased {
  return bench.lease({ argv: ["sh", "-c", "echo done > /shard/out/result.txt"] })
}

/** As it comes from the journal of an agent that was killed. */
async function provedShard(): Promise<Proved> {
  const { assignment, berth } = leasedShard()
  const { digest, size } = await bench.ports.store.add(asBytes("done\n"), 100)
  const outputs = [{ name: "result.txt", digest, size }]
  return prove({ ...RAN, assignment, berth, outputs }, bench.ports)
}

async function* asBytes(text: string) {
  yield Buffer.from(text)
}

within(
  "the slot of a shard whose proof waits for audits is free, and others walk in it meanwhile",
  async () => {
    let isOver = false
    const { walks, ends, events, close } = await meet(async frame =>
      isOver ? receiptOf(frame) : committed(frame),
    )
    const first = walks.start(leasedShard(), limit())
    expect(walks.taken).toEqual(new Set(["cpu"]))
    while (first.state.step !== "committed") await walks.changed.next
    expect([walks.taken.size, walks.in("cpu"), walks.areOver]).toEqual([0, null, true])
    const second = walks.start(leasedShard(), limit())
    expect([walks.in("cpu"), walks.areOver]).toEqual([second, false])
    while (second.state.step !== "committed") await walks.changed.next
    expect(walks.works).toEqual([first, second])
    isOver = true
    await expect.poll(() => ends.map(({ step }) => step), { timeout: 20_000 }).toEqual(["settled", "settled"])
    await close()
    expect(walks.works).toEqual([])
    expect(events.filter(event => event === "shard.committed")).toHaveLength(2)
  },
)

within(
  "after a restart, several proved shards and one that runs may name the same slot: all walk",
  async () => {
    const { walks, ends, close } = await meet(receiptOf)
    const running = walks.start(leasedShard(), limit())
    for (const shard of [await provedShard(), await provedShard()]) walks.start(shard, limit())
    expect([walks.works.length, walks.in("cpu")]).toEqual([3, running])
    await expect.poll(() => ends.length, { timeout: 20_000 }).toBe(3)
    expect(ends.map(({ step }) => step)).toEqual(Array(3).fill("settled"))
    await close()
    expect(walks.taken.size).toBe(0)
  },
)

within(
  "a shard whose audit failed is over, and the marketplace is not told what it said itself",
  async () => {
    let asked = 0
    const { walks, market, ends, close } = await meet(async frame => {
      return asked++ === 0 ? committed(frame) : refused("audit-failed")
    })
    walks.start(await provedShard(), limit())
    await expect.poll(() => ends, { timeout: 20_000 }).toHaveLength(1)
    expect(ends).toMatchObject([{ step: "abandoned", from: "committed", code: "audit-failed" }])
    await close()
    expect(market.heard.map(({ type }) => type)).not.toContain("abandon")
    expect(bench.journal.untold()).toEqual([])
  },
)

within("a lease that cannot be renewed any more ends no shard that is committed", async () => {
  let isOver = false
  const { walks, ends, market, close } = await meet(async frame =>
    isOver ? receiptOf(frame) : committed(frame),
  )
  const shard = await provedShard()
  const { lease } = shard.assignment
  lease.notAfter = new Date(Date.now() + 2000).toISOString()
  const work = walks.start(shard, limit())
  while (work.state.step !== "committed") await walks.changed.next
  await expect.poll(() => market.heard.some(({ type }) => type === "renew"), { timeout: 10_000 }).toBe(true)
  isOver = true
  await expect.poll(() => ends, { timeout: 20_000 }).toMatchObject([{ step: "settled" }])
  await close()
})
