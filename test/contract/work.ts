import { randomInt } from "node:crypto"
import type { NamedBlob } from "../../src/protocol/digest.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import { BatchJob, type JobId, type JobSpec } from "../../src/protocol/job.ts"
import type { MarketFrameOf, Slot } from "../../src/protocol/message.ts"
import type { Client } from "./client.ts"
import { prove } from "./client.ts"

/** A slot that fits no other test's jobs, so that tests on one marketplace do not take each other's work. */
export function slotFor(job: Pick<JobSpec, "resources">, id = "slot-0"): Slot {
  const { device, cpus, memoryMiB, vramMiB } = job.resources
  return { id, device, cpus, memoryMiB, vramMiB }
}

/** A job whose shards write one file each; each call needs other resources, so only its own `slotFor` fits it. */
export function batchJob(shards = 1, change: Partial<BatchJob> = {}): BatchJob {
  const tenths = randomInt(1, 2560)
  return BatchJob.parse({
    kind: "batch",
    name: "contract",
    image: { name: "contract/none", digest: digestOf("no image is run here") },
    // More cpus means less memory, so that no test's slot fits another test's shard.
    resources: { cpus: tenths / 10, memoryMiB: 100_000 - tenths },
    limits: {},
    pricePerShard: 1_000_000,
    shards: Array.from({ length: shards }, (_, index) => ({
      command: { argv: ["write", String(index)] },
      inputs: [],
      outputs: ["out.txt"],
    })),
    ...change,
  })
}

export async function submit(client: Client, job: JobSpec, key = randomId()): Promise<JobId> {
  return (await client.ask({ type: "submit", key, job }, "submitted")).job
}

/** Accepts the next offer of the job. */
export async function takeLease(
  agent: Client,
  job: JobId,
  limitMs?: number,
): Promise<MarketFrameOf<"lease">> {
  const offer = (await agent.wire.take(
    frame => frame.type === "offer" && frame.job === job,
    `offer of ${job}`,
    limitMs,
  )) as MarketFrameOf<"offer">
  return agent.ask({ type: "accept", offer: offer.offer }, "lease")
}

/** A lease on the one shard of a new job. */
export async function leaseOf(agent: Client, buyer: Client, job = batchJob()) {
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  const id = await submit(buyer, job)
  return takeLease(agent, id)
}

export async function uploadOutputs(agent: Client, lease: MarketFrameOf<"lease">, content = "out") {
  const outputs: NamedBlob[] = []
  for (const name of lease.spec.outputs)
    outputs.push({ name, ...(await agent.upload(`${content} ${lease.job} ${lease.shard.label}`)) })
  return outputs
}

/** Uploads outputs, sends the proof, and takes the receipt. */
export async function finish(
  agent: Client,
  lease: MarketFrameOf<"lease">,
): Promise<MarketFrameOf<"receipt">> {
  const outputs = await uploadOutputs(agent, lease)
  const bundle = await prove(agent.identity, lease, outputs)
  return agent.ask({ type: "proof", lease: lease.lease.id, epoch: lease.lease.epoch, bundle }, "receipt")
}
