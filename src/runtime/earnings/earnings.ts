import { MicroCredits } from "../../protocol/credits.ts"

/** One shard that was paid for. */
export interface PaidShard {
  /** When the marketplace settled it, RFC 3339. */
  settledOn: string
  job: string
  /** The cards by UUID or else by model; `cpu` where there were none. */
  gpu: string
  /** After the fee, in micro-credits. */
  paid: number
  /** How long its container ran. */
  ranMs: number
  /** What its cards used; null where that is not known. */
  energyJoules: number | null
}

export const GROUPINGS = ["day", "job", "gpu"] as const
export type Grouping = (typeof GROUPINGS)[number]

/** What some shards brought; credits in micro-credits. */
export interface Earnings {
  shards: number
  paid: number
  slotSeconds: number
  /** Of those shards whose energy is known; null where it is of none. */
  energyJoules: number | null
  /** Shards whose energy is not known. */
  unmeasured: number
  /** At the owner's tariff, rounded up; null without a tariff, or where the energy of a shard is not known. */
  energyCost: number | null
  net: number | null
}

export interface GroupEarnings extends Earnings {
  /** Day in UTC, job or card. */
  of: string
}

const JOULES_PER_KWH = 3_600_000

/**
 * Sums by day (newest first), job or card (the most first).
 * @param tariff micro-credits for a kilowatt-hour; null where the owner gives none.
 */
export function earningsBy(
  shards: readonly PaidShard[],
  grouping: Grouping,
  tariff: MicroCredits | null,
): GroupEarnings[] {
  const groups = Map.groupBy(shards, shard => keyOf(shard, grouping))
  const sums = [...groups].map(([of, members]) => ({ of, ...earningsOf(members, tariff) }))
  return grouping === "day"
    ? sums.sort((a, b) => b.of.localeCompare(a.of))
    : sums.sort((a, b) => b.paid - a.paid || a.of.localeCompare(b.of))
}

export function earningsOf(shards: readonly PaidShard[], tariff: MicroCredits | null): Earnings {
  const sum = (of: (shard: PaidShard) => number) => shards.reduce((total, shard) => total + of(shard), 0)
  const measured = shards.filter(({ energyJoules }) => energyJoules !== null)
  const unmeasured = shards.length - measured.length
  const joules = sum(({ energyJoules }) => energyJoules ?? 0)
  const paid = sum(shard => shard.paid)
  const energyCost = tariff === null || unmeasured > 0 ? null : costOf(joules, tariff)
  return {
    shards: shards.length,
    paid,
    slotSeconds: sum(({ ranMs }) => ranMs) / 1000,
    energyJoules: measured.length === 0 ? null : joules,
    unmeasured,
    energyCost,
    net: energyCost === null ? null : paid - energyCost,
  }
}

function costOf(joules: number, tariff: MicroCredits): MicroCredits {
  return MicroCredits.parse(Math.ceil((joules / JOULES_PER_KWH) * tariff))
}

function keyOf({ settledOn, job, gpu }: PaidShard, grouping: Grouping): string {
  if (grouping === "day") return settledOn.slice(0, "2026-11-22".length)
  return grouping === "job" ? job : gpu
}
