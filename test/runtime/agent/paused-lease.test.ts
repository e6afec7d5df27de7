import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pino } from "pino"
import { expect, test } from "vitest"
import type { MarketFrameOf } from "../../../src/protocol/message.ts"
import { askControl, commandAgent } from "../../../src/runtime/agent/control.ts"
import { type Home, openHome } from "../../../src/runtime/agent/home.ts"
import { keepMode } from "../../../src/runtime/agent/mode.ts"
import { register } from "../../../src/runtime/agent/register.ts"
import { serve } from "../../../src/runtime/agent/serve.ts"
import type { AgentStatus } from "../../../src/runtime/agent/status.ts"
import { visitMarket } from "../../../src/runtime/market/visit.ts"
import { openJournal } from "../../../src/runtime/shard/journal.ts"
import { leased } from "../../../src/runtime/shard/state.ts"
import { enrol } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, slotFor, submit } from "../../contract/work.ts"
import { engineOrReason } from "../../engine/bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

const LEASE_MS = 15_000
const limit = () => AbortSignal.timeout(60_000)

/** Takes the one shard of a new job for this home, as an agent does before it is killed. */
async function takeShard(home: Home, url: string): Promise<void> {
  const buyer = await enrol(url)
  const job = batchJob()
  const {
    lease,
    spec,
    shard,
    job: id,
  } = await visitMarket(home, "test", limit(), async ({ wire }) => {
    const offered = Promise.withResolvers<MarketFrameOf<"offer">>()
    wire.listen(frame => frame.type === "offer" && offered.resolve(frame))
    wire.tell({ type: "capacity", slots: [slotFor(job, "cpu-0")] })
    await submit(buyer, job)
    const { offer } = await offered.promise
    return wire.request({ type: "accept", offer }, "lease", limit())
  })
  const journal = openJournal(home.journal)
  const berth = { slot: "cpu-0", placement: { device: "cpu" as const }, gpus: [], profile: "strict" as const }
  await journal.record(leased({ lease, job: id, shard, spec }, berth))
  journal.close()
  await buyer.close()
}

test.skipIf(typeof engine === "string")(
  "a start during a pause runs nothing and keeps the lease; after the pause the shard walks on",
  { timeout: 120_000 },
  async () => {
    const market = await Embedded.start({ leaseMs: LEASE_MS, attempts: 1 })
    const root = await mkdtemp(join(tmpdir(), "zg-paused-"))
    const home = openHome(join(root, "agent"))
    await register(
      { home, url: market.url, name: "owner", trustNewKey: false, sysfs: "/sys", agent: "test" },
      limit(),
    )
    await takeShard(home, market.url)
    await keepMode(home, { mode: "paused", since: new Date().toISOString() })
    const stop = new AbortController()
    const served = serve(
      {
        ...{ home, isolation: { engine: "docker", runtime: "auto" }, sysfs: "/sys", metrics: null },
        ...{ offering: { gpus: "none", cpuSlots: 1 }, program: { name: "test", version: "0.0.0" } },
        log: pino({ level: "silent" }),
      },
      stop.signal,
    )
    served.catch(() => {})
    const book = new DatabaseSync(join(market.root, "market.sqlite"), { readOnly: true })
    const row = () =>
      book.prepare("SELECT state, epoch, granted_until, not_after FROM shard").get() as unknown as Row
    // Longer than two leases: without renewals it were somebody else's.
    await expect
      .poll(() => row().not_after - row().granted_until, { timeout: 90_000, interval: 200 })
      .toBeGreaterThan(2 * LEASE_MS)
    expect(row()).toMatchObject({ state: "leased", epoch: 1 })
    const { mode, slots } = (await askControl(home)) as AgentStatus
    expect([mode.mode, slots[0]?.shard]).toMatchObject(["paused", { at: "leased", suspended: true }])
    // The image is nowhere: that the shard walks on shows in how it ends.
    await commandAgent(home, "resume", limit())
    await expect.poll(() => row().state, { timeout: 60_000 }).toBe("failed")
    stop.abort()
    expect(await served).toMatchObject({ abandoned: 1 })
    book.close()
    await market.stop()
    await rm(root, { recursive: true, force: true })
  },
)

interface Row {
  state: string
  epoch: number
  granted_until: number
  not_after: number
}
