import { AUDIT_DEFAULTS } from "../../src/marketplace/audit/terms.ts"
import type { CareerPlan, PopulationPlan } from "./scenarios.ts"
import type { Rules } from "./world.ts"

const SPOT: Rules = { terms: AUDIT_DEFAULTS, segments: 10, drawn: 2, tolerance: 0, drift: 0 }
/** What is re-run of a program without checkpoints. */
const WHOLE: Rules = { ...SPOT, segments: 1, drawn: 1 }
/** Honest results differ by 0.5 % from the exact one in the median, one in a thousand by 1 %; 3 % apart are alike. */
const TOLERANT: Rules = { ...SPOT, tolerance: 0.03, drift: 0.005 }

export interface CareerCase extends CareerPlan {
  name: string
  rules: Rules
  /** Whether nearly all of these have to end behind honest work. */
  goal: boolean
}

function lazy(shards: number, segments: number, more: Partial<CareerCase> = {}): CareerCase {
  const of = `${shards * 100} % of shards, ${segments === 10 ? "all" : segments} of 10 segments`
  const name = `${more.isNew ? "lazy, a new identity" : "lazy"}: ${of}`
  return { name, conduct: { cheats: { shards, segments } }, careers: 1000, rules: SPOT, goal: true, ...more }
}

const tenth = { shards: 0.1, segments: 10 }

export const CAREERS: CareerCase[] = [
  ...[1, 0.1, 0.01].flatMap(shards =>
    [10, 1].map(segments => lazy(shards, segments, segments === 1 ? { careers: 500 } : {})),
  ),
  ...[1, 0.1].flatMap(shards =>
    [10, 1].map(segments => lazy(shards, segments, { isNew: true, careers: 300 })),
  ),
  lazy(0.01, 10, { isNew: true, careers: 200 }),
  lazy(0.1, 10, { name: "copying: another shard's outputs", conduct: { cheats: tenth, repeats: true } }),
  lazy(0.1, 10, { name: "copying, with a byte changed" }),
  lazy(0.1, 10, {
    name: "lazy, twice the tolerance away",
    conduct: { cheats: tenth, distance: 0.06 },
    rules: TOLERANT,
  }),
  lazy(0.1, 10, {
    name: "lazy at the tolerance's edge",
    conduct: { cheats: tenth, distance: 0.02 },
    rules: TOLERANT,
    careers: 300,
    goal: false,
  }),
  lazy(0.1, 10, {
    name: "lazy within the tolerance",
    conduct: { cheats: tenth, distance: 0.01 },
    rules: TOLERANT,
    careers: 3,
    goal: false,
  }),
  lazy(1, 10, { name: "cheats once and leaves", most: 1, goal: false }),
]

export interface PopulationCase extends PopulationPlan {
  name: string
  rules: Rules
  /** Whether the overhead has to be at most a tenth. */
  goal: boolean
}

const SIZE = 60
const SHARDS = 100_000

function among(name: string, conduct: PopulationCase["conduct"], more: Partial<PopulationCase> = {}) {
  return { name, size: SIZE, shards: SHARDS, conduct, rules: SPOT, goal: false, ...more }
}

const honest = () => ({})
const mature = { goal: true }
const some = (share: number, conduct: ReturnType<PopulationCase["conduct"]>) => (n: number) =>
  n < share * SIZE ? conduct : {}

export const POPULATIONS: PopulationCase[] = [
  among("honest", honest, mature),
  among("honest, whole shards re-run", honest, { ...mature, rules: WHOLE }),
  among("honest, results that differ within the tolerance", honest, { ...mature, rules: TOLERANT }),
  among(`honest and new, their first ${Math.round(SHARDS / SIZE)} shards`, honest, { areNew: true }),
  among("the same, whole shards re-run", honest, { areNew: true, rules: WHOLE }),
  ...[0.001, 0.01].map(errs => among(`all flaky: an error in ${errs * 100} % of shards`, () => ({ errs }))),
  ...[0.05, 0.1, 0.2].map(share =>
    among(
      `a ring of ${share * 100} % that cheats in every tenth shard and vouches for its own`,
      some(share, { cheats: tenth, ring: "ring", asAuditor: "vouches" }),
    ),
  ),
  ...[0.05, 0.1, 0.2].map(share =>
    among(
      `a ring of ${share * 100} % that accuses everybody else`,
      some(share, { ring: "ring", asAuditor: "slanders" }),
    ),
  ),
]
