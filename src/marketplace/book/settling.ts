import { readFile } from "node:fs/promises"
import { digestOfHex, FileName, type NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import type { Charge } from "../../protocol/price.ts"
import { type ProofStatement, ranMs } from "../../protocol/proof.ts"
import { type Bundle, bundleDigest, signStatement } from "../../protocol/statement.ts"
import { checkProof, checkResult } from "../../runtime/proof/verify.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { Peer } from "../gateway/roster.ts"
import { evaluatedBy, lossIn, METRICS_LIMIT_BYTES } from "../plans/losses.ts"
import { total } from "../plans/plan.ts"
import { claimed } from "./claim.ts"
import { announceEnd, type Ended, recordEnd } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import { chargeFor, pay, specOf } from "./payment.ts"
import type { Recorded } from "./proof-row.ts"
import type { ShardRow } from "./shard-row.ts"
import { addReady } from "./submission.ts"

/**
 * Checks a proof, pays it, and answers with the signed receipt. The same proof again gets the same receipt.
 * @throws Fault `lease-unknown`, `lease-stale`, `proof-malformed`, `proof-signature-wrong`, `proof-mismatch` or `blob-missing`
 */
export async function settle(
  exchange: Exchange,
  peer: Peer,
  frame: ClientFrameOf<"proof">,
): Promise<MarketMessage> {
  const { shards, clock } = exchange
  const arrivedAt = clock()
  const earlier = receiptFor(exchange, peer, frame)
  if (earlier) return answer(exchange, frame.lease, earlier)
  const shard = claimed(shards.byLease(frame.lease), peer.agent, frame.epoch, clock())
  const statement = checkProof(frame.bundle, peer.publicKey, shards.assignment(shard))
  const outputs = await storedOutputs(exchange.blobs, statement)
  checkResult(statement, outputs)
  const loss = await evaluatedLoss(exchange, shard, outputs)
  const settled = await exchange.db.write(() => {
    const twin = receiptFor(exchange, peer, frame)
    if (twin) return { recorded: twin, ended: null }
    // The lease may have run out while the outputs were looked at.
    const held = claimed(shards.byLease(frame.lease), peer.agent, frame.epoch, clock())
    const charge = chargeFor(exchange, held, { ranMs: ranMs(statement), arrivedAt })
    return record(exchange, peer, held, { bundle: frame.bundle, outputs, loss, charge })
  })
  announce(exchange, shard, settled.ended)
  return answer(exchange, frame.lease, settled.recorded)
}

/** The stored receipt of the lease's proof, when it is settled by this agent. */
function receiptFor(
  { shards, proofs }: Exchange,
  peer: Peer,
  frame: ClientFrameOf<"proof">,
): Recorded | null {
  const shard = shards.byLease(frame.lease)
  if (shard?.state !== "settled" || shard.agent !== peer.agent || shard.epoch !== frame.epoch) return null
  if (shard.proof === bundleDigest(frame.bundle)) return proofs.recorded(shard.proof)
  throw new Fault("proof-mismatch", "Another proof of this lease has been settled.", {
    hint: "Nothing is owed any more: drop this one.",
    facts: { lease: shard.lease, settled: shard.proof },
  })
}

/** The proved outputs with the sizes that they have here. */
async function storedOutputs(blobs: BlobStore, { subject }: ProofStatement): Promise<NamedBlob[]> {
  const outputs = subject.slice(1).map(({ name, digest }) => ({
    name: FileName.parse(name.slice("output/".length)),
    digest: digestOfHex(digest.sha256),
  }))
  return Promise.all(outputs.map(async output => ({ ...output, size: await sizeOf(blobs, output) })))
}

async function sizeOf(
  blobs: BlobStore,
  { name, digest }: Pick<NamedBlob, "name" | "digest">,
): Promise<number> {
  const size = await blobs.size(digest)
  if (size !== null) return size
  throw new Fault("blob-missing", `The output ${name} is not stored here.`, {
    hint: "Upload every output, then send the proof again.",
    facts: { name, digest },
  })
}

/** What an evaluation measured. It only informs the buyer, so a file that says nothing does not stop the payment. */
async function evaluatedLoss(
  { blobs, log }: Exchange,
  { label }: ShardRow,
  outputs: NamedBlob[],
): Promise<number | null> {
  const metrics = outputs.find(({ name }) => name === "metrics.json")
  if (evaluatedBy(label) === null || !metrics) return null
  const loss =
    metrics.size > METRICS_LIMIT_BYTES ? null : lossIn(await readFile(blobs.path(metrics.digest), "utf8"))
  if (loss === null) log.warn({ event: "metrics.ignored", label, bytes: metrics.size })
  return loss
}

interface Proved {
  bundle: Bundle
  outputs: NamedBlob[]
  loss: number | null
  charge: Charge
}

interface Settled {
  recorded: Recorded
  ended: Ended | null
}

/** The settlement of one shard, inside a write: all of it or nothing. */
function record(
  exchange: Exchange,
  { agent, publicKey }: Peer,
  shard: ShardRow,
  { bundle, outputs, loss, charge }: Proved,
): Settled {
  const { shards, proofs, ledger } = exchange
  const { job, lease } = shard
  const spec = specOf(exchange, job)
  const proof = bundleDigest(bundle)
  const entry = ledger.appendSigned(bundle, proof, publicKey).index
  const { receipt, cost } = pay(exchange, { job, agent, lease, proof }, charge, spec.royalties)
  proofs.add({ digest: proof, lease, agent, bundle, receipt, entry })
  const progress = exchange.progress.of(shard)
  shards.update(shard, {
    ...{ state: "settled", proof, outputs: JSON.stringify(outputs), checkpoint: null, cost },
    ...{ loss: loss ?? progress?.loss ?? null, step: progress?.steps ?? 0, steps: progress?.steps ?? 0 },
  })
  if (shards.count(job).planned < total(spec)) addReady(exchange, job, spec, shards.settled(job))
  const done = shards.count(job).settled === total(spec)
  const ended = done ? recordEnd(exchange, job, { state: "done", reason: null }) : null
  return { recorded: { receipt, entry }, ended }
}

function announce(exchange: Exchange, shard: ShardRow, ended: Ended | null): void {
  const { job, label, agent } = shard
  exchange.progress.forget(shard)
  exchange.log.info({ event: "shard.settled", job, label, agent })
  exchange.watches.changed(job)
  announceEnd(exchange, ended)
  exchange.wake()
}

/** Signs the receipt, with all that shows that proof and payment are in the ledger that everybody sees. */
async function answer(
  { identity, ledger, publisher }: Exchange,
  lease: LeaseId,
  { receipt, entry }: Recorded,
): Promise<MarketMessage> {
  const { index } = receipt.predicate.zg_settlement.ledger
  const published = await publisher.covering(Math.max(entry, index) + 1)
  const bundle = await signStatement(receipt, identity)
  return { type: "receipt", lease, bundle, ledger: ledger.prove([entry, index], published) }
}
