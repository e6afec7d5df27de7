// Audits with the real trainer: what its replays come to has to be equal to the byte, and what a cheat made up is not.
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { follow } from "../../scripts/quickstart/programs.ts"
import { CORPUS, TRAINER } from "../../scripts/setup/images.ts"
import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import { type Digest, digestOfHex } from "../../src/protocol/digest.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { ProofStatement } from "../../src/protocol/proof.ts"
import { parseRunLog, RUN_LOG, RUN_LOG_FILE, runLogRoot } from "../../src/protocol/run-log.ts"
import { connectEngine } from "../../src/runtime/container/connect.ts"
import { lookAtMachine } from "../../src/runtime/host/machine.ts"
import { resolveImage } from "../../src/runtime/job/image.ts"
import { BlobStore } from "../../src/store/blob-store.ts"
import { enrol } from "../contract/client.ts"
import { run, SEGMENTS } from "../contract/fake-trainer.ts"
import { Embedded } from "../contract/market.ts"
import { Worker } from "../contract/worker.ts"
import { eventually, Town } from "./town.ts"

const AGENTS = ["agent-1", "agent-2", "agent-3"]
const PRICE = 250_000
const RESOURCES = { device: "cpu", cpus: 1, memoryMiB: 1024, vramMiB: 0 } as const
const never = new AbortController().signal

let market: Embedded
let town: Town
let image: string
beforeAll(async () => {
  // Few agents are there to decide a dispute.
  market = await Embedded.start({ audit: { ...AUDIT_DEFAULTS, lead: 2 } })
  const published = await publish()
  image = `${published.name}@${published.digest}`
  await market.restart({ vouched: [published.digest] })
  town = Town.at(market.url)
  await town.register("buyer")
  for (const name of AGENTS) {
    await town.register(name)
    town.serve(name)
  }
}, 240_000)

afterAll(async () => {
  // What is on the road has disks mounted in the agents' homes.
  await Promise.allSettled(AGENTS.map(name => town.run(name, ["drain", "--wait"])))
  await town.close()
  await market.stop()
}, 120_000)

async function publish() {
  const client = await enrol(market.url)
  const registry = { url: client.http, token: () => client.token }
  const published = await resolveImage(TRAINER, registry, () => connectEngine({ signal: never }), never)
  await client.close()
  return published
}

function jobFile(name: string): Promise<string> {
  return town.job(
    name,
    `kind: train
name: ${name}
image: ${image}
text: ${join(process.cwd(), CORPUS)}
sliceKiB: 64
heldOutKiB: 4
model: { layers: 1, width: 32, heads: 2, context: 32 }
batch: 2
warmUp: { steps: ${2 * SEGMENTS} }
rounds: 1
workers: 1
inner: { steps: ${SEGMENTS} }
resources: { device: cpu, cpus: ${RESOURCES.cpus}, memoryMiB: ${RESOURCES.memoryMiB} }
pricePerShard: ${PRICE / 1e6}
sample: { bytes: 16 }
audit: { kind: spot, segments: ${SEGMENTS}, drawn: 2 }
`,
  )
}

interface Proof {
  proof: string
  job: string
  shard: string
  paid: number
  settled: boolean
}

/** The agent's proofs once each has its receipt: it asks for it by itself, at least every 15 seconds. */
function settledProofs(name: string): Promise<Proof[]> {
  return eventually(async () => {
    const { proofs } = await town.run<{ proofs: Proof[] }>(name, ["proof", "verify", "--all"])
    return proofs.every(({ settled }) => settled) && proofs
  })
}

/** Of the states of a proved run, those that its host kept, and those that the marketplace has seen. */
async function statesOf(agent: string, proof: string): Promise<{ all: Digest[]; shown: Digest[] }> {
  const statement = await town.run<ProofStatement>(agent, ["proof", "show", proof])
  const output = statement.subject.find(({ name }) => name === `output/${RUN_LOG_FILE}`)
  const blobs = new BlobStore(join(market.root, "blobs"))
  const text = await readFile(blobs.path(digestOfHex(output?.digest.sha256 ?? "")), "utf8")
  const said = statement.predicate.runDetails.byproducts.find(({ name }) => name === RUN_LOG)
  expect(digestOfHex(said?.digest.sha256 ?? "")).toBe(runLogRoot(text))
  const log = parseRunLog(text, SEGMENTS)
  const all = [...log.map(({ before }) => before), log[SEGMENTS - 1]?.after as Digest]
  const sizes = await Promise.all(all.map(state => blobs.size(state)))
  return { all, shown: all.filter((_, place) => sizes[place] !== null) }
}

test("agents run each other's segments again and come to the same bytes: all are paid, and few states are shown", {
  timeout: 300_000,
}, async () => {
  const seen: JobStatus[] = []
  const submit = ["job", "submit", await jobFile("audited"), "--follow"]
  for await (const status of follow(town.home("buyer"), submit, never)) seen.push(status as JobStatus)
  const job = seen.at(-1) as JobStatus
  expect(job).toMatchObject({ state: "done", reason: null })
  expect(job.losses.map(({ label }) => label)).toEqual(["untrained", "warm-up", "round-1"])
  // Nobody came to another result.
  expect(job.shards.map(({ state, attempt }) => [state, attempt])).toEqual(Array(6).fill(["settled", 0]))
  expect(seen.some(({ shards }) => shards.some(({ state }) => state === "committed"))).toBe(true)

  const proofs = new Map<string, Proof[]>()
  for (const name of AGENTS) proofs.set(name, await settledProofs(name))
  for (const [name, own] of proofs) {
    const paid = own.reduce((sum, proof) => sum + proof.paid, 0)
    expect(paid).toBeGreaterThan(0)
    const account = await town.run<{ own: number; bond: number; earned: number }>(name, ["account"])
    expect(account).toMatchObject({ earned: paid, own: paid - account.bond })
    expect(account.bond).toBeGreaterThan(0)
  }
  const all = [...proofs.values()].flat()
  expect(all.length).toBeGreaterThan(2 * job.shards.length)
  expect(job.spent).toBeGreaterThan(job.shards.length * PRICE)
  await town.run("agent-1", ["ledger", "verify"])

  for (const label of ["warm-up", "round-1/train-0"]) {
    const shard = job.shards.find(one => one.label === label)
    const [agent = ""] = [...proofs].find(([, own]) => own.some(({ proof }) => proof === shard?.proof)) ?? []
    const { all: kept, shown } = await statesOf(agent, shard?.proof ?? "")
    expect(shown.length).toBeGreaterThanOrEqual(2)
    expect(shown.length).toBeLessThan(kept.length)
  }
})

/** Keeps every agent busy for a while, so that what is offered meanwhile is offered to somebody else. */
async function busy(): Promise<void> {
  const command = `{ argv: [python3, -c, "import time; time.sleep(15); open('/shard/out/x', 'w')"] }`
  const shards = AGENTS.map(() => `  - { command: ${command}, outputs: [x] }`).join("\n")
  const terms = `resources: { device: cpu, cpus: 1, memoryMiB: ${RESOURCES.memoryMiB} }\npricePerShard: 0.01`
  const yaml = `kind: batch\nname: busy\nimage: ${image}\n${terms}\nshards:\n${shards}\n`
  const { job } = await town.run<{ job: string }>("buyer", ["job", "submit", await town.job("busy", yaml)])
  await eventually(async () => {
    const { shards } = await town.run<JobStatus>("buyer", ["job", "status", job])
    return shards.every(({ state }) => state === "leased")
  })
}

test("a warm-up whose states were made up is found by those who replay it, is not paid, and is done by another", {
  timeout: 300_000,
}, async () => {
  const file = await jobFile("cheated")
  await busy()
  const isWarmUp = ({ command }: { command: { argv: string[] } }) => command.argv[3] === "warm-up"
  const cheat = await Worker.start(
    market.url,
    { resources: RESOURCES },
    { result: lease => (isWarmUp(lease.spec) ? run(lease) : null) },
  )
  // Of the same kind as the agents, so that they can audit it.
  const machine = await lookAtMachine("/sys", never)
  await cheat.client.ask({ type: "register", name: "cheat", machine }, "registered")
  const { job } = await town.run<{ job: string }>("buyer", ["job", "submit", file])
  // Once it has claimed, it audits nobody.
  await eventually(async () => cheat.handedIn.length > 0)
  cheat.client.wire.send({ type: "capacity", slots: [] })

  const claim = await eventually(async () => cheat.endings.find(({ lease }) => isWarmUp(lease.spec)), 120_000)
  expect(claim.answer).toMatchObject({ type: "refused", code: "audit-failed" })
  expect(await cheat.client.ask({ type: "account" }, "account")).toMatchObject({ earned: 0, bond: 0 })
  await cheat.stop()

  const warmUp = await eventually(async () => {
    const { shards } = await town.run<JobStatus>("buyer", ["job", "status", job])
    return shards.find(({ label, state }) => label === "warm-up" && state === "settled")
  }, 120_000)
  expect(warmUp.agent).not.toBe(cheat.keyId)
  for (const name of AGENTS)
    expect((await town.run<{ bond: number }>(name, ["account"])).bond).toBeGreaterThan(0)
})
