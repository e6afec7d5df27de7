import { type Answer, grouped } from "../../src/marketplace/audit/verdict.ts"
import type { Agent } from "./agent.ts"
import { normal, type Random } from "./random.ts"

/** What somebody says of one segment: how far it is from the exact result, and whether they did the work, without an error. */
export interface Said extends Answer {
  by: Agent
  value: number
  honest: boolean
}

export interface Exactness {
  /** 0 asks for equal results. */
  tolerance: number
  /** How far honest results are from the exact one, in the median; 0 where all compute alike. */
  drift: number
}

/** The spread of ln(drift): with it, one in a thousand is twice as far as the median. */
const DRIFT_SPREAD = Math.log(2) / 3.09
/** What a ring has agreed to say of everybody else's segments. */
const SLANDER = -1

export function truth(by: Agent, drift: number, random: Random): Said {
  const value = drift * Math.exp(normal(random) * DRIFT_SPREAD) * (random() < 0.5 ? -1 : 1)
  return said(by, value, true)
}

/** No two who make something up make up the same. */
export function untruth(by: Agent, random: Random): Said {
  return said(by, (by.conduct.distance ?? 1) * (1 + random()), false)
}

/** What an auditor says of a segment that somebody has claimed. */
export function reply(by: Agent, claim: Said, segments: number, drift: number, random: Random): Said {
  const { ring, asAuditor, errs = 0 } = by.conduct
  const mate = ring !== undefined && claim.by.conduct.ring === ring
  if (mate && asAuditor === "vouches") {
    by.gain += 1 / segments
    return said(by, claim.value, false)
  }
  if (!mate && asAuditor === "slanders") return said(by, SLANDER, false)
  return random() < errs / segments ? untruth(by, random) : truth(by, drift, random)
}

/** The same, each with the group of results that it is alike to. */
export function compared(all: readonly Said[], tolerance: number): Said[] {
  const groups = grouped(all, (one, other) => Math.abs(one.value - other.value) <= tolerance)
  return all.map((one, place) => ({ ...one, result: groups[place] as number }))
}

function said(by: Agent, value: number, honest: boolean): Said {
  return { by, owner: by.id, result: 0, value, honest }
}
