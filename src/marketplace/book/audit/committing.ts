import { digestOfHex } from "../../../protocol/digest.ts"
import { Fault } from "../../../protocol/fault.ts"
import type { JobSpec } from "../../../protocol/job.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import type { ClientFrameOf, MarketMessage } from "../../../protocol/message.ts"
import { ProofStatement } from "../../../protocol/proof.ts"
import { specDigest } from "../../../protocol/shard-spec.ts"
import { bundleDigest, readStatement } from "../../../protocol/statement.ts"
import type { Exchange } from "../exchange.ts"
import type { Accepted } from "../settlement.ts"
import type { ShardRow } from "../shard-row.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { kindOf } from "./kind.ts"
import { hiddenStates } from "./reveal.ts"

/** Whether proofs of this job are paid only once their audits are over. */
export function isAudited({ audit }: Pick<JobSpec, "audit">): boolean {
  return audit !== undefined && audit.kind !== "none"
}

/** Inside a write: the proof is in the ledger, and its shard's slot is free. */
export function commit(exchange: Exchange, shard: ShardRow, accepted: Accepted): void {
  const { commitments, shards, progress } = exchange
  const { job, index, lease, epoch, claim, slot } = shard
  const { subject } = readStatement(accepted.bundle, ProofStatement)
  const result = digestOfHex((subject[0] as (typeof subject)[0]).digest.sha256)
  const spec = shards.spec(shard)
  const kind = kindOf(exchange, accepted.agent, { id: slot ?? "", device: spec.resources.device })
  commitments.add({ ...accepted, lease, epoch, job, index, claim, kind, spec: specDigest(spec), result })
  const told = progress.of(shard)
  shards.update(shard, {
    ...{ state: "committed", proof: accepted.proof, checkpoint: null },
    ...(told && { loss: told.loss, step: told.steps, steps: told.steps }),
  })
}

/**
 * What is said of a proof that was committed, as often as it is handed in; undefined for a new one.
 * @throws Fault `audit-failed`, `audit-undecided` or `proof-mismatch`
 */
export async function answerCommitted(
  exchange: Exchange,
  agent: KeyId,
  { lease, epoch, bundle }: ClientFrameOf<"proof">,
): Promise<MarketMessage | undefined> {
  const held = exchange.commitments.byLease(lease, epoch)
  if (held?.agent !== agent) return undefined
  if (held.proof !== bundleDigest(bundle)) throw another(held)
  if (held.state === "failed") throw failed(held)
  if (held.state === "undecided") throw undecided(held)
  return { type: "committed", lease, epoch, reveal: await hiddenStates(exchange, held) }
}

function another({ lease, proof }: CommitmentRow): Fault {
  return new Fault("proof-mismatch", "Another proof of this lease waits for its audits.", {
    hint: "A lease has one proof: drop this one.",
    facts: { lease, committed: proof },
  })
}

function failed({ lease, proof }: CommitmentRow): Fault {
  return new Fault("audit-failed", "Other agents came to another result, so that this shard is not paid.", {
    hint: "Look for what computes wrongly here: `zg-agent bench` tests each card, and overclocking or heat are the usual causes.",
    facts: { lease, proof },
  })
}

function undecided({ lease, proof }: CommitmentRow): Fault {
  return new Fault(
    "audit-undecided",
    "Nobody could tell whether the result is right, so that this shard is not paid.",
    {
      hint: "It is held against nobody: either too few agents could audit it, or its program does not do the same twice.",
      facts: { lease, proof },
    },
  )
}
