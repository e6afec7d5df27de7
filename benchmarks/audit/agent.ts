import { heldBack } from "../../src/marketplace/audit/bond.ts"
import { type AuditTerms, fullBond } from "../../src/marketplace/audit/terms.ts"
import { type AuditRecord, NO_RECORD } from "../../src/marketplace/audit/trust.ts"
import { digestOf, hexOf } from "../../src/protocol/digest.ts"
import { KeyId } from "../../src/protocol/keys.ts"

/** Micro-credits a shard. */
export const PRICE = 1_000_000

/** How a host behaves; without anything, it is honest. */
export interface Conduct {
  /** The share of its shards in which it cheats, and in how many segments. */
  cheats?: { shards: number; segments: number }
  /** Hands in another shard's outputs as they are. */
  repeats?: boolean
  /** How far what it makes up is from the truth, as a relative error of the update. */
  distance?: number
  /** The share of its shards with an error that it does not know of. */
  errs?: number
  ring?: string
  /** What its ring does as auditors: confirms its own, or accuses everybody else. */
  asAuditor?: "vouches" | "slanders"
}

export interface Agent {
  id: KeyId
  conduct: Conduct
  record: AuditRecord
  /** Micro-credits. */
  bond: number
  shards: number
  cheated: number
  /** In shards' pay, above honest work that makes no profit: work that was saved, less pay that was voided and bonds that were lost. */
  gain: number
  failed: number
}

export function newcomer(name: string, conduct: Conduct): Agent {
  const id = KeyId.parse(hexOf(digestOf(name)))
  return { id, conduct, record: NO_RECORD, bond: 0, shards: 0, cheated: 0, gain: 0, failed: 0 }
}

/** An agent that has worked honestly until its bond was full and its probation over. */
export function proven(name: string, conduct: Conduct, terms: AuditTerms): Agent {
  const run = Math.ceil(fullBond(terms) / terms.hold)
  const agent = newcomer(name, conduct)
  for (let shard = 0; shard < run; shard++)
    agent.bond += heldBack(PRICE, { bond: agent.bond, price: PRICE }, terms)
  return { ...agent, record: { passed: run, failed: 0, run } }
}
