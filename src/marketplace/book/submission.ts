import { formatCredits } from "../../protocol/credits.ts"
import type { Blob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { randomId } from "../../protocol/handshake.ts"
import { JobId, type JobSpec } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ClientFrameOf } from "../../protocol/message.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { submission } from "../ledger/posting.ts"
import { checkJob, plan, total } from "../plans/plan.ts"
import type { Settled } from "../plans/planned.ts"
import type { Exchange } from "./exchange.ts"

/**
 * Takes a job, sets its price aside and plans its first shards. The same key again names the same job.
 * @throws Fault `job-refused`, `blob-missing` or `credits-short`
 */
export async function submit(
  exchange: Exchange,
  owner: KeyId,
  frame: ClientFrameOf<"submit">,
): Promise<JobId> {
  const { db, jobs, ledger, clock, log } = exchange
  const known = jobs.bySubmission(owner, frame.key)
  if (known) return known.id
  checkJob(frame.job)
  await checkInputs(exchange.blobs, frame.job)
  const price = frame.job.pricePerShard * total(frame.job)
  const job = await db.write(() => {
    const twin = jobs.bySubmission(owner, frame.key)
    if (twin) return twin.id
    checkFunds(ledger.balance(`identity:${owner}`), price)
    const id = JobId.parse(`job-${randomId().slice(0, 12)}`)
    jobs.add({ id, owner, spec: frame.job, submission: frame.key, at: clock() })
    ledger.append(submission(owner, id, price))
    addReady(exchange, id, frame.job, new Map())
    return id
  })
  log.info({ event: "job.submitted", job, owner, price })
  exchange.wake()
  return job
}

/** Adds every shard that can run now, inside a write. */
export function addReady({ shards, clock }: Exchange, job: JobId, spec: JobSpec, settled: Settled): void {
  for (const shard of plan(spec, settled))
    shards.add({ ...shard, job, readyAt: clock(), lease: randomId<LeaseId>() })
}

function checkFunds(balance: number, price: number): void {
  if (balance >= price) return
  throw new Fault(
    "credits-short",
    `The job costs ${formatCredits(price)} credits; ${formatCredits(price - balance)} are missing.`,
    {
      hint: "Offer less for each shard, ask for fewer shards, or earn credits with `zg-agent serve --cpu-slots 1`.",
      facts: { price, balance, missing: price - balance },
    },
  )
}

async function checkInputs(blobs: BlobStore, job: JobSpec): Promise<void> {
  for (const { digest, size } of inputsOf(job)) {
    const stored = await blobs.size(digest)
    if (stored === size) continue
    throw new Fault(
      "blob-missing",
      stored === null
        ? `The input ${digest} is not stored here.`
        : `The input ${digest} has ${stored} bytes, not ${size}.`,
      { hint: "Upload every input before you submit the job.", facts: { digest } },
    )
  }
}

function inputsOf(job: JobSpec): Blob[] {
  return job.kind === "train" ? [...job.text, job.heldOut] : job.shards.flatMap(({ inputs }) => inputs)
}
