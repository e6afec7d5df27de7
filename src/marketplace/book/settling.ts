import { readFile } from "node:fs/promises"
import { digestOfHex, FileName, type NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import { type ProofStatement, ranMs } from "../../protocol/proof.ts"
import { bundleDigest, signStatement } from "../../protocol/statement.ts"
import { checkProof, checkResult } from "../../runtime/proof/verify.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { Peer } from "../gateway/roster.ts"
import { evaluatedBy, lossIn, METRICS_LIMIT_BYTES } from "../plans/losses.ts"
import { answerCommitted, commit, isAudited } from "./audit/committing.ts"
import { checkRunLog } from "./audit/run-log.ts"
import { claimed } from "./claim.ts"
import { announceEnd } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import { chargeFor, specOf } from "./payment.ts"
import type { Recorded } from "./proof-row.ts"
import { type Settled, settleShard } from "./settlement.ts"
import type { ShardRow } from "./shard-row.ts"

/**
 * Checks a proof, logs it, and pays it at once, or once its audits are over. The same proof again gets the same receipt.
 * @throws Fault `lease-unknown`, `lease-stale`, `proof-malformed`, `proof-signature-wrong`, `proof-mismatch`, `blob-missing`, or the
 * audit's `audit-failed` or `audit-undecided`.
 */
export async function settle(
  exchange: Exchange,
  peer: Peer,
  frame: ClientFrameOf<"proof">,
): Promise<MarketMessage> {
  const { shards, clock } = exchange
  const arrivedAt = clock()
  const known = await answerKnown(exchange, peer, frame)
  if (known) return known
  const shard = claimed(shards.byLease(frame.lease), peer.agent, frame.epoch, clock())
  const statement = checkProof(frame.bundle, peer.publicKey, shards.assignment(shard))
  const outputs = await storedOutputs(exchange.blobs, statement)
  checkResult(statement, outputs)
  await checkRunLog(exchange, shards.spec(shard), statement, outputs)
  const loss = await evaluatedLoss(exchange, shard, outputs)
  const settled = await exchange.db.write(() => {
    const held = shards.byLease(frame.lease)
    const isTaken = held?.epoch === frame.epoch && (held.state === "settled" || held.state === "committed")
    if (isTaken) return null
    // The lease may have run out while the outputs were looked at.
    return take(exchange, peer, claimed(held, peer.agent, frame.epoch, clock()))
  })
  if (settled) announce(exchange, shard, settled)
  const answered = await answerKnown(exchange, peer, frame)
  if (!answered) throw new Error(`the proof of ${shard.label} was taken and is not there`)
  return answered

  function take({ ledger }: Exchange, { agent, publicKey }: Peer, held: ShardRow): Settled | "committed" {
    const { bundle } = frame
    const charge = chargeFor(exchange, held, { ranMs: ranMs(statement), arrivedAt })
    const proof = bundleDigest(bundle)
    const entry = ledger.appendSigned(bundle, proof, publicKey).index
    const accepted = { agent, proof, entry, bundle, outputs, loss, charge }
    if (!isAudited(specOf(exchange, held.job))) return settleShard(exchange, held, accepted)
    commit(exchange, held, accepted)
    return "committed"
  }
}

/** The answer to a proof that this marketplace has taken before; undefined for a new one. */
async function answerKnown(
  exchange: Exchange,
  peer: Peer,
  frame: ClientFrameOf<"proof">,
): Promise<MarketMessage | undefined> {
  const receipt = receiptFor(exchange, peer, frame)
  return receipt ? answer(exchange, frame.lease, receipt) : answerCommitted(exchange, peer.agent, frame)
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

function announce(exchange: Exchange, shard: ShardRow, settled: Settled | "committed"): void {
  const { job, label, agent } = shard
  exchange.progress.forget(shard)
  exchange.log.info({
    event: settled === "committed" ? "shard.committed" : "shard.settled",
    job,
    label,
    agent,
  })
  exchange.watches.changed(job)
  if (settled !== "committed") announceEnd(exchange, settled.ended)
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
