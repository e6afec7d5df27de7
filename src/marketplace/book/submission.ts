import { formatCredits, MicroCredits } from "../../protocol/credits.ts"
import type { Blob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { randomId } from "../../protocol/handshake.ts"
import { JobId, type JobSpec, type PaidFrom, type PayFrom } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { submission } from "../ledger/posting.ts"
import { checkJob, mostOfJob, plan } from "../plans/plan.ts"
import { refused, type Settled } from "../plans/planned.ts"
import { keepSecret, newSecret } from "./audit/canaries.ts"
import type { Exchange } from "./exchange.ts"

/**
 * Takes a job, sets its price aside and plans its first shards. The same key again names the same job.
 * @throws Fault `job-refused`, `blob-missing` or `credits-short`
 */
export async function submit(
  exchange: Exchange,
  owner: KeyId,
  frame: ClientFrameOf<"submit">,
): Promise<MarketMessage> {
  const { db, jobs, ledger, clock, log } = exchange
  const known = jobs.bySubmission(owner, frame.key)
  const answer = (job: JobId): MarketMessage => ({ type: "submitted", job, paidFrom: ledger.paidFrom(job) })
  if (known) return answer(known.id)
  checkJob(frame.job)
  checkOwners(exchange, frame.job)
  await checkInputs(exchange.blobs, frame.job)
  const price = mostOfJob(frame.job)
  const id = JobId.parse(`job-${randomId().slice(0, 12)}`)
  const secret = frame.job.audit?.kind === "canary" ? await newSecret(exchange, id) : null
  const job = await db.write(() => {
    const twin = jobs.bySubmission(owner, frame.key)
    if (twin) return twin.id
    const paidFrom = drawn(ledger.funds(owner), price, frame.payFrom ?? "any")
    jobs.add({ id, owner, spec: frame.job, submission: frame.key, at: clock() })
    ledger.append(submission(owner, id, paidFrom))
    if (secret) keepSecret(exchange, id, secret)
    addReady(exchange, id, frame.job, new Map())
    return id
  })
  log.info({ event: "job.submitted", job, owner, price })
  exchange.wake()
  return answer(job)
}

/** A credit paid to a key that nobody has here would be lost. */
function checkOwners({ identities }: Exchange, { royalties = [] }: JobSpec): void {
  const unknown = royalties.find(({ to }) => !identities.has(to))
  if (unknown === undefined) return
  throw refused(
    `its royalty for ${unknown.for} goes to ${unknown.to}, who is not registered here`,
    "Ask the owner of the data set for the key id that `zg-agent status --json` shows.",
  )
}

/** Adds every shard that can run now, inside a write. */
export function addReady({ shards, clock }: Exchange, job: JobId, spec: JobSpec, settled: Settled): void {
  for (const shard of plan(spec, settled))
    shards.add({ ...shard, job, readyAt: clock(), lease: randomId<LeaseId>() })
}

/** What is granted is spent first, so that what was earned is there for jobs that are paid by it alone. @throws Fault `credits-short`. */
function drawn(funds: PaidFrom, price: number, from: PayFrom): PaidFrom {
  const granted = from === "self" ? 0 : Math.min(funds.granted, price)
  const earned = price - granted
  if (earned > funds.earned) throw short(price, earned - funds.earned, from)
  return { granted: MicroCredits.parse(granted), earned: MicroCredits.parse(earned) }
}

function short(price: number, missing: number, from: PayFrom): Fault {
  const own = from === "self" ? " earned ones" : ""
  return new Fault(
    "credits-short",
    `The job costs up to ${formatCredits(price)} credits; ${formatCredits(missing)}${own} are missing.`,
    {
      hint: "Offer less, ask for fewer shards or a shorter time limit, or earn credits with `zg-agent serve --cpu-slots 1`.",
      facts: { price, balance: price - missing, missing },
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
