/** What a marketplace asks of every agent. Amounts are in shards' pay, so that they hold for cheap and dear shards alike. */
export interface AuditTerms {
  /** What a shard that is wrong throughout costs its agent on average. Above 1, no cheat pays; e^-deterrence of cheats are lucky. */
  deterrence: number
  /** The least probability of an audit. */
  floor: number
  /** How many audits in a row a new agent has to pass before its audits become fewer; each failure doubles it. */
  probation: number
  /** The share of each payment that is kept back until the bond is full. */
  hold: number
  /** By how many answers one result has to lead before those who gave another are held to be wrong. */
  lead: number
}

/** Found by calculation: docs/audit.md shows what follows from them. */
export const AUDIT_DEFAULTS: AuditTerms = { deterrence: 6, floor: 0.05, probation: 50, hold: 0.1, lead: 6 }

/** How much is held back in the end, in shards' pay: as much as lets audits fall to the floor and still deter. */
export function fullBond({ deterrence, floor }: Pick<AuditTerms, "deterrence" | "floor">): number {
  return deterrence / floor
}
