import { randomId } from "../../../src/protocol/handshake.ts"
import type { JobId } from "../../../src/protocol/job.ts"
import type { MarketFrameOf } from "../../../src/protocol/message.ts"
import { type Client, connect, prove } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, slotFor, submit, takeLease } from "../../contract/work.ts"
import { trainJob } from "../jobs.ts"

/** What a stranger might call himself or his job. */
export const EVIL = `<script>document.title = "owned"</script>"'><img src=x onerror=alert(1)>`
/** What a program printed before it failed; the buyer's alone. */
export const SECRET = "secret-of-the-log"

const CPU = { id: "cpu", device: "cpu" as const, cpus: 2, memoryMiB: 2048, vramMiB: 0 }

/** A marketplace where something has happened: a model trained by two agents, a job that failed, and one that waits. */
export interface Scene {
  market: Embedded
  /** `http://127.0.0.1:…` */
  http: string
  clients: { buyer: Client; agents: Client[] }
  jobs: { trained: JobId; failed: JobId; waiting: JobId }
  close(): Promise<void>
}

export async function setScene(rounds = 2): Promise<Scene> {
  const market = await Embedded.start({ coolOffMs: 1 })
  const buyer = await enrolAs(market.url, EVIL, [])
  const agents = [
    await enrolAs(market.url, "attic-rig", [
      { model: "NVIDIA GeForce RTX 3090", vramMiB: 24_576 },
      { model: "NVIDIA GeForce RTX 3090", vramMiB: 24_576 },
    ]),
    await enrolAs(market.url, "workstation", []),
  ]
  const trained = await train(buyer, agents, rounds)
  const failed = await failTo(buyer, agents[0] as Client)
  const waiting = await submit(buyer, batchJob(1, { name: EVIL.slice(0, 80) }))
  const close = async () => {
    await Promise.all([buyer, ...agents].map(client => client.close()))
    await market.stop()
  }
  const http = market.url.replace("ws", "http")
  return { market, http, clients: { buyer, agents }, jobs: { trained, failed, waiting }, close }
}

export async function enrolAs(
  url: string,
  name: string,
  gpus: { model: string; vramMiB: number }[],
): Promise<Client> {
  const client = await connect(url)
  const machine = { platform: "linux-x64", cpu: "AMD Ryzen 7", cpus: 16, memoryMiB: 65_536, gpus }
  await client.ask({ type: "register", name: name.slice(0, 80), machine }, "registered")
  return client
}

async function train(buyer: Client, agents: Client[], rounds: number): Promise<JobId> {
  const texts = ["slice 0", "slice 1", "slice 2"]
  for (const text of [...texts, "held out"]) await buyer.upload(text)
  const spec = trainJob(texts, "held out", { name: "King James, small", rounds })
  const serving = agents.map(async agent => {
    agent.wire.send({ type: "capacity", slots: [CPU] })
    for (;;) {
      const { offer } = await agent.wire.next("offer", 10_000)
      await work(agent, await agent.ask({ type: "accept", offer }, "lease"))
    }
  })
  const stopped = Promise.allSettled(serving)
  const { job } = await buyer.ask({ type: "submit", key: randomId(), job: spec }, "submitted")
  await buyer.ask({ type: "watch", job }, "job")
  await buyer.wire.take(frame => frame.type === "job" && frame.status.state === "done", "its end", 30_000)
  // Who waits for an offer in vain has stopped.
  await stopped
  return job
}

/** Runs nothing, but writes what the shard should write; losses fall as in training. */
async function work(agent: Client, leased: MarketFrameOf<"lease">): Promise<void> {
  const { job, shard, lease, spec } = leased
  const round = Number(/round-(\d+)/.exec(shard.label)?.[1] ?? 0)
  const loss = shard.label === "untrained" ? 5.56 : 1.25 + 0.7 / (1 + round / 3)
  const outputs = []
  for (const name of spec.outputs) {
    const text = name === "metrics.json" ? JSON.stringify({ loss }) : `${job} ${shard.label} ${name}`
    outputs.push({ name, ...(await agent.upload(text)) })
  }
  const bundle = await prove(agent.identity, leased, outputs)
  await agent.ask({ type: "proof", lease: lease.id, epoch: lease.epoch, bundle }, "receipt")
}

async function failTo(buyer: Client, agent: Client): Promise<JobId> {
  const spec = batchJob(1, { name: "count words" })
  agent.wire.send({ type: "capacity", slots: [slotFor(spec)] })
  const job = await submit(buyer, spec)
  for (let attempt = 0; attempt < 3; attempt++) {
    const { lease } = await takeLease(agent, job, 10_000)
    const message = `It ended with code 3. ${SECRET}`
    const held = { lease: lease.id, epoch: lease.epoch }
    await agent.ask({ type: "abandon", ...held, code: "shard-failed", message }, "abandoned")
  }
  return job
}

/** Every page there is, found by following links from the overview. @throws where a link leads nowhere. */
export async function everyPage(http: string): Promise<Map<string, string>> {
  const pages = new Map<string, string>()
  const wanted = ["/"]
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (pages.has(path)) continue
    const response = await fetch(`${http}${path}`)
    if (response.status !== 200) throw new Error(`${path} is linked and answers ${response.status}`)
    const text = await response.text()
    pages.set(path, text)
    for (const [, href = ""] of text.matchAll(/ href="(\/[^"]*)"/g))
      if (!href.startsWith("/ledger/") && !href.startsWith("/explorer/")) wanted.push(href)
  }
  return pages
}
