import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import fc from "fast-check"
import { expect, test } from "vitest"
import { randomId } from "../../../src/protocol/handshake.ts"
import { keepLease, renewalPauseMs } from "../../../src/runtime/market/keep-lease.ts"
import { enrol, newIdentity } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, slotFor, submit } from "../../contract/work.ts"
import { Serving } from "./serving.ts"

test("a lease is renewed at half of what is left, and by no clock more often than the shortest pause", () => {
  expect(renewalPauseMs(30_000, true)).toBe(15_000)
  expect(renewalPauseMs(-3_600_000, true)).toBe(20_000)
  expect(renewalPauseMs(-3_600_000, false)).toBe(200)
  fc.assert(
    fc.property(fc.double({ noNaN: true }), fc.boolean(), (leftMs, isFresh) => {
      expect(renewalPauseMs(leftMs, isFresh)).toBeGreaterThanOrEqual(200)
      expect(renewalPauseMs(leftMs, isFresh)).toBeLessThanOrEqual(20_000)
    }),
  )
})

const leaseUntil = (ms: number) => ({
  ...{ id: randomId(), epoch: 1, nonce: randomId() },
  notAfter: new Date(Date.now() + ms).toISOString(),
})

/** An address where nobody listens. */
async function nowhere(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return `ws://127.0.0.1:${port}`
}

test("a marketplace out of reach is waited for until the limit, and then the lease has expired", async () => {
  const agent = new Serving(await nowhere(), newIdentity(), [])
  const lease = leaseUntil(300) as Parameters<typeof keepLease>[1]
  await expect(keepLease(agent.link, lease, agent.signal, 400)).rejects.toMatchObject({
    code: "lease-expired",
    facts: { lease: lease.id },
  })
  await agent.stop()
})

test("a lease goes on over a restart of the marketplace, and ends where somebody else holds it", async () => {
  const market = await Embedded.start({ leaseMs: 2000, coolOffMs: 100 })
  const [identity, buyer] = [newIdentity(), await enrol(market.url)]
  await (await enrol(market.url, identity)).close()
  const job = batchJob()
  const agent = new Serving(market.url, identity, [slotFor(job)])
  await submit(buyer, job)
  const { lease } = await agent.take()
  agent.holding = [{ lease: lease.id, epoch: lease.epoch }]
  const done = new AbortController()
  const kept = keepLease(agent.link, lease, AbortSignal.any([agent.signal, done.signal]))
  await market.restart()
  const held = { lease: lease.id, epoch: lease.epoch }
  const renewed = () => agent.request({ type: "renew", ...held }, "renewed")
  const before = Date.parse((await renewed()).notAfter)
  expect(before).toBeGreaterThan(Date.parse(lease.notAfter))
  await agent.request({ type: "abandon", ...held, code: "shard-failed", message: "gone" }, "abandoned")
  await expect(kept).rejects.toMatchObject({ code: "lease-stale" })
  await agent.stop()
  await market.stop()
})
