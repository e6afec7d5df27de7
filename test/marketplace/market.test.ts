import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, test } from "vitest"
import { freePort } from "../../scripts/quickstart/programs.ts"
import { startMarket } from "../../src/marketplace/market.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { MarketFrameOf } from "../../src/protocol/message.ts"
import { enrol, prove } from "../contract/client.ts"
import { Embedded } from "../contract/market.ts"
import { trainJob } from "./jobs.ts"

test("a port in use, a state folder in use and a foreign address are faults that say what to do", async () => {
  const market = await Embedded.start()
  const port = Number(new URL(market.url).port)
  const start = (root: string, host = "127.0.0.1") =>
    startMarket({ root, host, port, log: pino({ level: "silent" }) })
  const elsewhere = join(market.root, "elsewhere")
  await expect(start(elsewhere)).rejects.toMatchObject({
    code: "port-in-use",
    hint: expect.stringContaining("port"),
  })
  await expect(start(market.root)).rejects.toMatchObject({ code: "already-serving" })
  // TEST-NET-3 (RFC 5737): no machine has this address, so binding to it fails at once, and nothing is sent.
  await expect(start(elsewhere, "203.0.113.9")).rejects.toMatchObject({ code: "address-unusable" })
  await market.stop()
})

test("who asks while a marketplace still opens its books waits for the answer", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-market-"))
  const port = await freePort(20_000 + Math.floor(Math.random() * 20_000))
  const starting = startMarket({ root, host: "127.0.0.1", port, log: pino({ level: "silent" }) })
  const ask = async (): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(20_000) }).catch(error => {
      if (error.cause?.code !== "ECONNREFUSED") throw error
      return ask()
    })
  expect(await (await ask()).text()).toBe("ok\n")
  await (await starting).close()
  await rm(root, { recursive: true })
})

test("a restart keeps the identity", async () => {
  const market = await Embedded.start()
  const { keyId } = market.market
  await market.restart()
  expect(market.market.keyId).toBe(keyId)
  await market.stop()
})

test("a whole train job by two agents, with its losses, its money and its results", {
  timeout: 20_000,
}, async () => {
  const market = await Embedded.start({ feeBasisPoints: 1000 })
  const buyer = await enrol(market.url)
  const agents = [await enrol(market.url), await enrol(market.url)]
  const job = trainJob(["slice 0", "slice 1", "slice 2"], "held out")
  for (const text of ["slice 0", "slice 1", "slice 2", "held out"]) await buyer.upload(text)
  const serving = agents.map(async agent => {
    agent.wire.send({
      type: "capacity",
      slots: [{ id: "cpu", device: "cpu", cpus: 2, memoryMiB: 2048, vramMiB: 0 }],
    })
    for (;;) {
      const { offer } = await agent.wire.next("offer", 10_000)
      await work(agent, await agent.ask({ type: "accept", offer }, "lease"))
    }
  })
  const stopped = Promise.allSettled(serving)
  const { job: id } = await buyer.ask({ type: "submit", key: randomId(), job }, "submitted")
  await buyer.ask({ type: "watch", job: id }, "job")
  const end = await buyer.wire.take(
    frame => frame.type === "job" && frame.status.state === "done",
    "end",
    15_000,
  )
  const { status } = end as MarketFrameOf<"job">
  expect(status.losses).toEqual([
    { label: "untrained", loss: 9 },
    { label: "warm-up", loss: 16 },
    { label: "round-1", loss: 16 },
    { label: "round-2", loss: 16 },
  ])
  expect(status.shards).toHaveLength(status.shardsTotal)
  expect(new Set(status.shards.map(({ agent }) => agent)).size).toBe(2)
  expect(status.spent).toBe(11 * 10_000)
  const earned = await Promise.all(agents.map(agent => agent.ask({ type: "account" }, "account")))
  expect(earned.reduce((sum, account) => sum + account.earned, 0)).toBe(11 * 9_000)
  const sample = status.results.find(({ name }) => name === "sample.txt")
  const response = await buyer.fetch(`/v2/contract/blobs/${sample?.digest}`)
  expect(await response.text()).toBe(`${id} round-2/evaluate sample.txt`)
  await Promise.all([buyer, ...agents].map(client => client.close()))
  await stopped
  await market.stop()
})

/** Runs nothing, but writes what the shard should write; an evaluation's loss is the length of its label. */
async function work(agent: Awaited<ReturnType<typeof enrol>>, leased: MarketFrameOf<"lease">): Promise<void> {
  const { job, shard, lease, spec } = leased
  const outputs = await Promise.all(
    spec.outputs.map(async name => {
      const content = name === "metrics.json" ? { loss: shard.label.length } : null
      const text = content ? JSON.stringify(content) : `${job} ${shard.label} ${name}`
      return { name, ...(await agent.upload(text)) }
    }),
  )
  const bundle = await prove(agent.identity, leased, outputs)
  await agent.ask({ type: "proof", lease: lease.id, epoch: lease.epoch, bundle }, "receipt")
}

test("a start that fails lets go of port and folder", async () => {
  const market = await Embedded.start()
  const port = Number(new URL(market.url).port)
  const { root } = market
  await market.market.close()
  const database = ["market.sqlite", "market.sqlite-wal", "market.sqlite-shm"].map(name => join(root, name))
  for (const path of database) await rm(path, { force: true })
  const start = () => startMarket({ root, host: "127.0.0.1", port, log: pino({ level: "silent" }) })
  await writeFile(join(root, "ledger/checkpoint"), "no checkpoint at all")
  await expect(start()).rejects.toMatchObject({ code: "ledger-malformed" })
  await rm(join(root, "ledger"), { recursive: true })
  await (await start()).close()
  await rm(root, { recursive: true })
})
