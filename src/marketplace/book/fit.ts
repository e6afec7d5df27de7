import { fits } from "../../protocol/fits.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { Rule, Slot } from "../../protocol/message.ts"
import { bidOf, formatPrice, formatRate, meets, type Price } from "../../protocol/price.ts"
import type { Resources } from "../../protocol/shard-spec.ts"
import { evaluatedBy } from "../plans/losses.ts"
import type { Measured } from "./report-row.ts"

/** How long an evaluation steps aside for shards that others wait for: about a round of a small job. */
const ASIDE_MS = 15_000

/** An owner's rule is the same in many ways, so that a few of them explain a job that nobody may run. */
const RULES_TOLD = 3

/** A shard without a holder. */
export interface ReadyShard {
  job: JobId
  index: number
  label: string
  lease: LeaseId
  epoch: number
  resources: Resources
  readyAt: number
  pays: Pays
  /** The one agent that an audit is for; null for a shard of the plan. */
  auditor: KeyId | null
  /** Whether enough others could run again what is run there. */
  isAuditableAt: (place: Place) => boolean
}

/** What a job pays for a shard, and how long that may run, in milliseconds. */
export interface Pays {
  price: Price
  timeMs: number
}

/** A slot of a connected agent that serves. */
export interface Place {
  agent: KeyId
  slot: Slot
  /** What its owner measured there; null when nothing is known. */
  measured: Measured | null
}

/** Whether a place has what a shard needs: by what is offered, and by what was measured. A card that is not sound has nothing. */
export function suits({ slot, measured }: Place, need: Resources): boolean {
  if (!fits(slot, need) || measured?.isSound === false) return false
  return Object.entries(need.atLeast ?? {}).every(
    ([name, least]) => (measured?.medians.get(name) ?? 0) >= least,
  )
}

/** A shard that an agent holds or has been offered. */
export interface Engagement {
  agent: KeyId
  job: JobId
  label: string
}

export interface Pair {
  shard: ReadyShard
  place: Place
}

export interface Situation {
  ready: readonly ReadyShard[]
  free: readonly Place[]
  engaged: readonly Engagement[]
  /** Whether this agent is not to be asked for this shard now. */
  barred: (shard: ReadyShard, agent: KeyId) => boolean
}

/**
 * Which shard to offer to which slot. The greatest need chooses first, because few slots can serve it; a round's shards
 * are spread over agents, so that one slow or false agent does not hold a whole round; a shard takes the slot that costs its buyer least,
 * and among those the tightest.
 */
export function pair({ ready, free, engaged, barred }: Situation): Pair[] {
  const left = new Set(free)
  const groups = new Map<string, number>()
  for (const { agent, job, label } of engaged) count(groups, agent, job, label)
  const pairs: Pair[] = []
  for (const shard of [...ready].sort(byNeed)) {
    const fitting = [...left].filter(
      place =>
        suits(place, shard.resources) &&
        isContent(place, shard.pays) &&
        (shard.auditor === null ? shard.isAuditableAt(place) : shard.auditor === place.agent) &&
        !barred(shard, place.agent),
    )
    const rate = ({ slot }: Place) => rateOf(bidOf(shard.pays.price, slot.ask))
    const sharing = ({ agent }: Place) => groups.get(groupOf(agent, shard.job, shard.label)) ?? 0
    const [place] = fitting.sort(
      (a, b) => rate(a) - rate(b) || sharing(a) - sharing(b) || bySize(a.slot, b.slot),
    )
    if (!place) continue
    left.delete(place)
    count(groups, place.agent, shard.job, shard.label)
    pairs.push({ shard, place })
    if (left.size === 0) break
  }
  return pairs
}

/** Whether a shard pays what a slot's owner asks. */
export function isContent({ slot }: Place, { price, timeMs }: Pays): boolean {
  return meets(price, timeMs, slot.ask)
}

/** A price for the whole shard is the same wherever it runs. */
function rateOf(price: Price): number {
  return price.per === "second" ? price.rate : 0
}

function count(groups: Map<string, number>, agent: KeyId, job: string, label: string): void {
  const group = groupOf(agent, job, label)
  groups.set(group, (groups.get(group) ?? 0) + 1)
}

/** `round-2/train-0` and `round-2/train-1` are one group for an agent. */
function groupOf(agent: KeyId, job: string, label: string): string {
  return `${agent} ${job} ${label.replace(/-\d+$/, "")}`
}

function byNeed(a: ReadyShard, b: ReadyShard): number {
  const isAudit = ({ auditor }: ReadyShard) => Number(auditor !== null)
  // Somebody's pay waits for an audit.
  return (
    bySize(b.resources, a.resources) || isAudit(b) - isAudit(a) || turnOf(a) - turnOf(b) || a.index - b.index
  )
}

/** No other shard waits for an evaluation, so it lets others go first for a while, but not for ever. */
function turnOf({ label, readyAt }: ReadyShard): number {
  return evaluatedBy(label) === null ? readyAt : readyAt + ASIDE_MS
}

type Size = Pick<Resources, "cpus" | "memoryMiB" | "vramMiB">

function bySize(a: Size, b: Size): number {
  return a.vramMiB - b.vramMiB || a.memoryMiB - b.memoryMiB || a.cpus - b.cpus
}

/** Why no connected agent could ever run a shard with this need; null when one could. */
export function missing(need: Resources, places: readonly Place[], pays: Pays): string | null {
  const suiting = places.filter(place => suits(place, need))
  if (suiting.some(place => isContent(place, pays))) return null
  if (suiting.length > 0) return `needs ${describe(need)}; ${dearness(suiting, pays)}`
  const agents = new Set(places.map(({ agent }) => agent)).size
  if (agents === 0) return `needs ${describe(need)}; no agent is connected`
  const large = places.filter(({ slot }) => fits(slot, need))
  if (large.length > 0) return `needs ${describe(need)}; ${shortfall(large, need)}`
  const devices = [...new Set(places.map(({ slot }) => slot.device))]
  const offered = devices.map(device => describeBest(places.filter(({ slot }) => slot.device === device)))
  return `needs ${describe(need)}; ${agents} ${agents === 1 ? "agent is" : "agents are"} connected, they offer ${offered.join(" and ")}`
}

/**
 * Why none of the agents that could run these shards may: each one's owner forbids each of them. Null when one may, or none could.
 * @param ruleOf the rule by which an agent declined a shard.
 */
export function forbidden<Shard>(
  { resources: need, pays }: { resources: Resources; pays: Pays },
  places: readonly Place[],
  shards: readonly Shard[],
  ruleOf: (shard: Shard, agent: KeyId) => Rule | undefined,
): string | null {
  const able = new Set(
    places.filter(place => suits(place, need) && isContent(place, pays)).map(({ agent }) => agent),
  )
  const rules = new Map<string, string>()
  for (const shard of shards) {
    for (const agent of able) {
      const rule = ruleOf(shard, agent)
      if (!rule) return null
      rules.set(rule.name, rule.message)
    }
  }
  if (rules.size === 0) return null
  const whose = able.size === 1 ? "the owner of the one agent" : `the owners of all ${able.size} agents`
  const why = [...rules].slice(0, RULES_TOLD).map(([name, message]) => `${name}: ${message}`)
  return `${whose} that could run it forbid${able.size === 1 ? "s" : ""} it: ${why.join("; ")}`
}

/** What the slots that could run it ask, and what the job pays. */
function dearness(suiting: readonly Place[], { price, timeMs }: Pays): string {
  const least = Math.min(...suiting.map(({ slot }) => slot.ask ?? 0))
  const asked =
    suiting.length === 1
      ? "the one slot that could run it asks"
      : `${suiting.length} slots could run it, they ask at least`
  const limit = price.per === "shard" ? ` for a shard of up to ${timeMs / 1000} s` : ""
  return `${asked} ${formatRate(least)} credits/s; the job pays ${formatPrice(price)}${limit}`
}

/** What of slots that are large enough was measured too low, or not at all. */
function shortfall(large: readonly Place[], { atLeast = {} }: Resources): string {
  const sound = large.filter(({ measured }) => measured?.isSound !== false)
  if (sound.length === 0) return "every card that is large enough has failed its tests"
  const best = Object.keys(atLeast).map(name => {
    const medians = sound.flatMap(({ measured }) => measured?.medians.get(name) ?? [])
    return medians.length === 0
      ? `no slot of that size has a measured ${name}`
      : `the best measured ${name} is ${scaled(Math.max(...medians))}`
  })
  return best.join(", ")
}

/** `10000000000000` → `10 T`: units go by the figure's name, so that a prefix is all that is added. */
function scaled(value: number): string {
  const power = Math.min(5, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  const prefix = ["", " k", " M", " G", " T", " P"][power] ?? ""
  return `${Number((value / 1000 ** power).toPrecision(3))}${prefix}`
}

function describeBest(places: readonly Place[]): string {
  const [first, ...rest] = places.map(({ slot }) => slot).sort((a, b) => bySize(b, a))
  if (!first) return "nothing"
  return `${rest.length > 0 ? "at best " : ""}${describe(first)}`
}

function describe({ device, cpus, memoryMiB, vramMiB, atLeast = {} }: Resources): string {
  const figures = Object.entries(atLeast).map(([name, least]) => `, ${name} of at least ${scaled(least)}`)
  const vram = vramMiB > 0 ? `${vramMiB} MiB VRAM, ` : ""
  return `${device} with ${vram}${cpus} ${cpus === 1 ? "cpu" : "cpus"} and ${memoryMiB} MiB memory${figures.join("")}`
}
