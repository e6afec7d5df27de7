import { AUDIT_DEFAULTS } from "../../../src/marketplace/audit/terms.ts"
import type { BatchJob, JobId } from "../../../src/protocol/job.ts"
import type { MarketFrameOf } from "../../../src/protocol/message.ts"
import { type Client, prove } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, slotFor, submit } from "../../contract/work.ts"
import { EVIL, enrolAs } from "./scene.ts"

const LIMIT_MS = 30_000

/** A marketplace whose audits found an agent right, then wrong, and once could not tell; another one is open. */
export interface AuditScene {
  market: Embedded
  http: string
  clients: { buyer: Client; agents: Client[] }
  jobs: { passed: JobId; failed: JobId; undecided: JobId; open: JobId; canary: JobId }
  close(): Promise<void>
}

export async function setAuditScene(): Promise<AuditScene> {
  const vouched = [batchJob().image.digest]
  const audit = { ...AUDIT_DEFAULTS, lead: 1 }
  const market = await Embedded.start({ audit, vouched, coolOffMs: 20, unmatchedMs: 500 })
  const buyer = await enrolAs(market.url, "buyer", [])
  const agents: Client[] = []
  for (const name of ["attic-rig", EVIL, "basement"]) agents.push(await enrolAs(market.url, name, []))
  const parties = { buyer, agents }
  const jobs = {
    passed: await run(parties, "agreed words", ["right", "right", "right"]),
    failed: await run(parties, "disputed words", ["wrong", "right", "right"]),
    undecided: await run(parties, "chance", ["one", "two", "three"]),
    open: await leaveOpen(parties),
    canary: await submit(buyer, batchJob(2, { name: "canaries", audit: { kind: "canary", share: 0 } })),
  }
  const close = async () => {
    await Promise.all([buyer, ...agents].map(client => client.close()))
    await market.stop()
  }
  return { market, http: market.url.replace("ws", "http"), clients: parties, jobs, close }
}

type Parties = AuditScene["clients"]

/** One shard, first run by the first agent. @param says what each agent puts out at first; later all put out the same. */
async function run(parties: Parties, name: string, says: string[]): Promise<JobId> {
  const { buyer, agents } = parties
  const spec = auditedJob(name)
  const job = await offerTo(parties, spec)
  const first = await claim(parties, job, says[0] as string)
  const over = new AbortController()
  const serving = agents.map((agent, at) => {
    const rest = agent === first ? [] : says.slice(at, at + 1)
    return serve(agent, job, rest, over.signal)
  })
  try {
    await buyer.ask({ type: "watch", job }, "job")
    await buyer.wire.take(frame => isDone(frame, job), `the end of ${name}`, LIMIT_MS)
  } finally {
    over.abort()
    await Promise.all(serving)
  }
  return job
}

/** Nobody comes to audit it. */
async function leaveOpen(parties: Parties): Promise<JobId> {
  const job = await offerTo(parties, auditedJob("open words"))
  await claim(parties, job, "right")
  return job
}

function auditedJob(name: string): BatchJob {
  return batchJob(1, { name, audit: { kind: "replicate", copies: 2, quorum: 2, share: 0.2 } })
}

async function offerTo({ buyer, agents }: Parties, spec: BatchJob): Promise<JobId> {
  for (const agent of agents) agent.wire.send({ type: "capacity", slots: [slotFor(spec)] })
  return submit(buyer, spec)
}

/** The first agent takes the shard and hands in its proof; the others decline until it has. */
async function claim({ agents }: Parties, job: JobId, says: string): Promise<Client> {
  const [first, ...others] = agents as [Client, ...Client[]]
  const taken = new AbortController()
  const declining = others.map(async agent => {
    for await (const { offer } of offersOf(agent, job, taken.signal))
      agent.wire.send({ type: "decline", offer, reason: "busy" })
  })
  const frame = await first.wire.take(isOffer(job), `an offer of ${job}`, LIMIT_MS)
  taken.abort()
  await Promise.all(declining)
  await work(first, frame as MarketFrameOf<"offer">, says)
  return first
}

async function serve(agent: Client, job: JobId, says: string[], over: AbortSignal): Promise<void> {
  for await (const offer of offersOf(agent, job, over)) await work(agent, offer, says.shift() ?? "right")
}

async function work(agent: Client, { offer }: MarketFrameOf<"offer">, says: string): Promise<void> {
  const leased = await agent.ask({ type: "accept", offer }, "lease")
  const outputs = [{ name: leased.spec.outputs[0] as never, ...(await agent.upload(says)) }]
  const bundle = await prove(agent.identity, leased, outputs)
  const { id, epoch } = leased.lease
  await agent.ask({ type: "proof", lease: id, epoch, bundle }, "committed")
}

async function* offersOf(
  agent: Client,
  job: JobId,
  over: AbortSignal,
): AsyncGenerator<MarketFrameOf<"offer">> {
  while (!over.aborted) {
    const frame = await agent.wire.take(isOffer(job), "an offer", 100).catch(() => null)
    if (frame) yield frame as MarketFrameOf<"offer">
  }
}

function isOffer(job: JobId) {
  return (frame: { type: string; job?: unknown }) => frame.type === "offer" && frame.job === job
}

function isDone(frame: { type: string; status?: unknown }, job: JobId): boolean {
  const { id, state } = (frame.status ?? {}) as { id?: string; state?: string }
  return frame.type === "job" && id === job && state === "done"
}
