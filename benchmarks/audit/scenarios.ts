import { type Agent, type Conduct, newcomer, proven } from "./agent.ts"
import { randomOf } from "./random.ts"
import { type Rules, World } from "./world.ts"

const AUDITORS = 25
/** A career that is not found out by then ends as it is. */
const LONGEST_CAREER = 100_000
/** What sums of floats may be off by. */
const ROUNDING = 1e-9

export interface CareerPlan {
  conduct: Conduct
  /** How many hosts, one after the other. */
  careers: number
  /** As a new identity, instead of one that has worked itself up to the floor. */
  isNew?: boolean
  /** Leaves after so many cheats, found or not. */
  most?: number
}

export interface CareerFigures {
  careers: number
  /** Shares of all careers. */
  found: number
  behind: number
  /** Median of the shards until the end, honest ones included. */
  shards: number
  /** Mean, in shards' pay. */
  gainOfCheat: number
  accused: number
}

/** Hosts that cheat among honest auditors until they are found. */
export function playCareers(plan: CareerPlan, rules: Rules, seed: number): CareerFigures {
  const { conduct, careers, isNew = false, most = Number.POSITIVE_INFINITY } = plan
  const world = new World(
    rules,
    agentsOf(AUDITORS, () => ({}), rules),
    seed,
  )
  const random = randomOf(seed + 1)
  const hosts = Array.from({ length: careers }, (_, n) => {
    const host = isNew ? newcomer(`host ${n}`, conduct) : proven(`host ${n}`, conduct, rules.terms)
    while (host.failed === 0 && host.cheated < most && host.shards < LONGEST_CAREER)
      if (isNew) world.next(host)
      else cheatLater(world, host, random)
    return host
  })
  return {
    careers,
    found: sum(hosts, ({ failed }) => failed) / careers,
    behind: sum(hosts, ({ gain }) => (gain <= ROUNDING ? 1 : 0)) / careers,
    shards: hosts.map(({ shards }) => shards).sort((a, b) => a - b)[careers >> 1] as number,
    gainOfCheat: sum(hosts, ({ gain }) => gain) / sum(hosts, ({ cheated }) => cheated),
    accused: world.counts.accused,
  }
}

/** At the floor, the honest shards between two cheats change nothing, so they are only counted. */
function cheatLater(world: World, host: Agent, random: () => number): void {
  const share = host.conduct.cheats?.shards ?? 1
  if (share < 1) host.shards += Math.floor(Math.log(1 - random()) / Math.log(1 - share))
  world.cheat(host)
}

export interface PopulationPlan {
  size: number
  shards: number
  /** Of the n-th agent. */
  conduct: (n: number) => Conduct
  areNew?: boolean
}

export interface PopulationFigures {
  shards: number
  /** Agents that gave an honest answer and were held to be wrong, times that it happened. */
  accused: number
  disputes: number
  undecided: number
  /** What was run again, as a share of what was run. */
  overhead: number
  /** Of all agents that are not honest: times that one failed, and their mean gain for each shard, in shards' pay. */
  failures: number
  gainOfShard: number | null
}

/** Agents that work in turn and audit each other. */
export function playPopulation(plan: PopulationPlan, rules: Rules, seed: number): PopulationFigures {
  const agents = agentsOf(plan.size, plan.conduct, rules, plan.areNew)
  const world = new World(rules, agents, seed)
  for (let shard = 0; shard < plan.shards; shard++) world.next(agents[shard % plan.size] as Agent)
  const others = agents.filter(({ conduct }) => Object.keys(conduct).length > 0)
  const { accused, segments, rerun, disputes, undecided } = world.counts
  return {
    ...{ shards: plan.shards, accused, disputes, undecided, overhead: rerun / segments },
    failures: sum(others, ({ failed }) => failed),
    gainOfShard: others.length === 0 ? null : sum(others, one => one.gain) / sum(others, one => one.shards),
  }
}

function agentsOf(size: number, conduct: (n: number) => Conduct, { terms }: Rules, areNew = false): Agent[] {
  const make = areNew ? newcomer : proven
  return Array.from({ length: size }, (_, n) => make(`agent ${n}`, conduct(n), terms))
}

function sum(agents: readonly Agent[], of: (agent: Agent) => number): number {
  return agents.reduce((total, agent) => total + of(agent), 0)
}
