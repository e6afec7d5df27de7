import { setTimeout as sleep } from "node:timers/promises"
import { between, type Chance } from "./chance.ts"
import type { Lane } from "./lane.ts"
import type { Moment } from "./moments.ts"

export interface Fault {
  name: string
  /** What is done, for the report. */
  about: string
  /** It lasts so long that each of its cells gets fewer seeds. */
  slow?: true
  /** It needs processes whose wall clocks can be made to jump. */
  clocks?: true
  /** It needs a card, and takes a stand-in for one. */
  card?: true
  /** Why it cannot happen at some moments. */
  senseless?: Partial<Record<Moment, string>>
  /** Resolves when the fault is over; false when there was nothing to strike any more. */
  strike(lane: Lane, chance: Chance): Promise<boolean>
}

/** For some seconds, as the seed says. */
export async function aWhile(chance: Chance, leastMs: number, mostMs: number): Promise<true> {
  await sleep(between(leastMs, mostMs, chance("length")))
  return true
}
