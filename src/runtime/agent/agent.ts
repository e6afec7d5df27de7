import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import { Fault, isFault } from "../../protocol/fault.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Lease, LeaseId, OfferId } from "../../protocol/lease.ts"
import type { ClientMessage, MarketFrame, MarketFrameOf, Slot } from "../../protocol/message.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"
import type { Bundle } from "../../protocol/statement.ts"
import type { Engine } from "../container/engine.ts"
import { judge, notAllowed, type Refusal, ruleTold } from "../host/rules/judge.ts"
import type { CardReport, Telemetry } from "../host/telemetry/telemetry.ts"
import { keepLease } from "../market/keep-lease.ts"
import type { Link } from "../market/link.ts"
import type { Session } from "../market/session.ts"
import type { Journal, Totals } from "../shard/journal.ts"
import type { Ports } from "../shard/ports.ts"
import type { Progress } from "../shard/progress.ts"
import { cancelled, type Steps, walk } from "../shard/road.ts"
import { profileOf } from "../shard/run.ts"
import { type Berth, leased, type OpenState, type ShardState } from "../shard/state.ts"
import { stepsOver } from "../shard/steps.ts"
import { nameOf } from "./gpu-berths.ts"
import { type Decision, decide, type ServedSlot } from "./slots.ts"

/** How long an offer waits for a slot that is about to be free. */
const PATIENCE_MS = 2000

/** Ends of a lease that the marketplace knows of already. */
const NOT_HELD = ["shard-cancelled", "lease-stale", "lease-unknown"]

/** A shard on its road, in one slot. */
interface Work {
  state: ShardState
  progress: Progress | null
  /** Aborted with a fault it abandons the shard, with anything else it leaves it for the next start. */
  stop: AbortController
}

/** What a serving agent says of itself, on its control socket and in `zg-agent status`. */
export interface AgentStatus extends Totals {
  agent: KeyId
  /** Its process id. */
  pid: number
  connected: boolean
  slots: SlotReport[]
  /** Every card of the machine, serving or not, as it was sampled last. */
  cards: CardStatus[]
}

/** A card in a few words, and its newest sample. */
export interface CardStatus extends Omit<CardReport, "gpu"> {
  name: string
  pciAddress: string | null
  vramTotalMiB: number | null
}

export interface SlotReport extends Slot {
  gpus: Berth["gpus"]
  /** Null while it is free. */
  shard: ShardReport | null
}

export interface ShardReport {
  lease: LeaseId
  job: string
  label: string
  /** Where it is on its road. */
  at: ShardState["step"]
  progress: Progress | null
}

export interface AgentParts {
  slots: readonly ServedSlot[]
  telemetry: Telemetry
  link: Link
  journal: Journal
  ports: Omit<Ports, "settle" | "onProgress">
  /** The engine for slots with a card; null where there are none. */
  gpuEngine: Engine | null
  log: Logger
}

/** Takes leases and walks their shards to the end, one in each slot. */
export class Agent {
  #parts: AgentParts
  #steps: Steps
  /** For slots with a card, whose engine or runtime may be another one. */
  #gpuSteps: Steps
  /** By slot; null while an offer is being accepted for it. */
  #works = new Map<string, Work | null>()
  #freed: PromiseWithResolvers<void> = Promise.withResolvers()
  /** What goes on in the background, to be waited for at the end. */
  #tasks = new Set<Promise<void>>()
  #bug = Promise.withResolvers<never>()

  constructor(parts: AgentParts) {
    this.#parts = parts
    const ports = {
      ...parts.ports,
      settle: (lease: Lease, bundle: Bundle, signal: AbortSignal) => this.#settle(lease, bundle, signal),
      onProgress: (lease: Lease, progress: Progress) => this.#tellProgress(lease, progress),
    }
    this.#steps = stepsOver(ports)
    this.#gpuSteps = stepsOver({ ...ports, engine: parts.gpuEngine ?? ports.engine })
  }

  /**
   * Goes on with what the journal holds, then takes offers until the signal aborts; then it stops what runs and leaves it in the journal.
   * @throws the fault that makes dialling the marketplace pointless, or a bug in a step.
   */
  async serve(signal: AbortSignal): Promise<void> {
    const { link, journal } = this.#parts
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    for (const state of journal.open()) this.#resume(state, either)
    try {
      await Promise.race([link.keep(session => this.#greet(session, either), either), this.#bug.promise])
    } finally {
      stop.abort()
      await Promise.allSettled(this.#tasks)
    }
  }

  status(): AgentStatus {
    const { slots, link, journal, ports, telemetry } = this.#parts
    return {
      agent: ports.signer.keyId,
      pid: process.pid,
      connected: link.current !== null,
      slots: slots.map(({ slot, berth }) => ({
        ...slot,
        gpus: berth.gpus,
        shard: reportOf(this.#works.get(slot.id)),
      })),
      cards: telemetry.cards().map(cardStatus),
      ...journal.totals(),
    }
  }

  #greet({ wire, registered }: Session, signal: AbortSignal): void {
    if (!registered) throw forgotten(wire.url)
    wire.listen(frame => this.#hear(frame, signal))
    wire.tell({ type: "capacity", slots: this.#parts.slots.map(({ slot }) => slot) })
  }

  #hear(frame: MarketFrame, signal: AbortSignal): void {
    if (frame.type === "offer") this.#track(this.#consider(frame, signal))
    if (frame.type === "cancel") this.#workOf(frame.lease, frame.epoch)?.stop.abort(cancelled(frame.reason))
    if (frame.type === "refused")
      this.#parts.log.warn({ code: frame.code, message: frame.message }, "market.refused")
  }

  async #consider({ offer, spec }: MarketFrameOf<"offer">, signal: AbortSignal): Promise<void> {
    const decision = await this.#decide(spec)
    if ("decline" in decision) return this.#decline(offer, decision)
    const { slot, berth } = decision.taken
    const { profile } = this.#parts.ports.rules
    this.#works.set(slot.id, null)
    try {
      const { wire } = await this.#parts.link.session(signal)
      const { lease, job, shard } = await wire.request({ type: "accept", offer }, "lease", signal)
      this.#start(leased({ lease, job, shard, spec }, { ...berth, profile }), signal)
    } catch (error) {
      this.#free(slot.id)
      if (!isFault(error) && !signal.aborted) throw error
      if (isFault(error)) this.#parts.log.info({ offer, code: error.code }, "offer.lost")
    }
  }

  /** The marketplace counts a slot as free from its receipt on; here a little is still to be cleaned up then. */
  async #decide(spec: ShardSpec): Promise<Decision> {
    const refusal = this.#judge(spec)
    if (refusal) return { decline: "not-allowed", refusal }
    const needs = spec.resources
    const decision = decide(needs, this.#parts.slots, new Set(this.#works.keys()))
    if (!("decline" in decision) || decision.decline !== "busy") return decision
    const patience = new AbortController()
    const late = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})
    await Promise.race([this.#freed.promise, late])
    patience.abort()
    return decide(needs, this.#parts.slots, new Set(this.#works.keys()))
  }

  /** A container keeps the walls with which it was made. */
  #judgeWalls(state: OpenState): Refusal | null {
    const [asked, allowed] = [profileOf(state), this.#parts.ports.rules.profile]
    if (asked === allowed) return null
    return { rule: "profile", asked, allowed, message: `it began as ${asked}, the owner wants ${allowed}` }
  }

  #judge(spec: ShardSpec): Refusal | null {
    const { rules, registry } = this.#parts.ports
    return judge(spec, rules, new URL(registry.url).host)
  }

  #decline(offer: OfferId, { decline: reason, refusal }: Extract<Decision, { decline: unknown }>): void {
    if (refusal)
      this.#parts.log.info({ offer, rule: refusal.rule, message: refusal.message }, "offer.declined")
    this.#tell({ type: "decline", offer, reason, ...(refusal && { rule: ruleTold(refusal) }) })
  }

  /** Work that was begun under other rules ends; what is done is handed in. */
  #resume(state: OpenState, signal: AbortSignal): void {
    this.#parts.log.info(fieldsOf(state), "shard.resumed")
    const done = state.step === "ran" || state.step === "proved"
    const refusal = done ? null : (this.#judgeWalls(state) ?? this.#judge(state.assignment.spec))
    const { stop } = this.#start(state, signal)
    if (refusal) stop.abort(notAllowed(refusal))
  }

  #free(slot: string): void {
    this.#works.delete(slot)
    this.#freed.resolve()
    this.#freed = Promise.withResolvers()
  }

  #start(state: OpenState, signal: AbortSignal): Work {
    const work: Work = { state, progress: null, stop: new AbortController() }
    this.#works.set(state.berth.slot, work)
    this.#track(this.#walk(state, work, AbortSignal.any([signal, work.stop.signal])))
    return work
  }

  async #walk(from: OpenState, work: Work, signal: AbortSignal): Promise<void> {
    const { journal, link } = this.#parts
    const over = new AbortController()
    const { lease } = from.assignment
    const kept = keepLease(link, lease, AbortSignal.any([signal, over.signal]))
    this.#track(kept.catch(error => (isFault(error) ? work.stop.abort(error) : Promise.reject(error))))
    try {
      const end = await walk(
        from,
        from.berth.placement.device === "cpu" ? this.#steps : this.#gpuSteps,
        async state => {
          await journal.record(state)
          work.state = state
          this.#report(state)
        },
        signal,
      )
      if (end.step === "abandoned" && !NOT_HELD.includes(end.code)) {
        this.#tell({
          type: "abandon",
          lease: lease.id,
          epoch: lease.epoch,
          code: end.code,
          message: end.message,
        })
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      over.abort()
      this.#free(from.berth.slot)
    }
  }

  #report(state: ShardState): void {
    const { log } = this.#parts
    if (state.step === "abandoned") {
      const { code, message, from } = state
      log.warn({ ...fieldsOf(state), from, code, message }, "shard.abandoned")
    } else log.info(fieldsOf(state), `shard.${state.step}`)
  }

  async #settle({ id, epoch }: Lease, bundle: Bundle, signal: AbortSignal): Promise<Bundle> {
    const proof = { type: "proof", lease: id, epoch, bundle } as const
    return (await this.#parts.link.request(proof, "receipt", signal)).bundle
  }

  #tellProgress({ id, epoch }: Lease, progress: Progress): void {
    const work = this.#workOf(id, epoch)
    if (work) work.progress = progress
    this.#tell({ type: "progress", lease: id, epoch, ...progress })
  }

  /** What the marketplace would find out by itself: lost when there is no session. */
  #tell(message: ClientMessage): void {
    this.#parts.link.current?.wire.tell(message)
  }

  #workOf(id: LeaseId, epoch: number): Work | undefined {
    for (const work of this.#works.values()) {
      const lease = work?.state.assignment.lease
      if (work && lease?.id === id && lease.epoch === epoch) return work
    }
    return undefined
  }

  /** A bug in a task ends the whole agent: a supervisor starts it again, and the journal tells where it was. */
  #track(task: Promise<void>): void {
    const tracked = task.catch(error => this.#bug.reject(error)).finally(() => this.#tasks.delete(tracked))
    this.#tasks.add(tracked)
  }
}

function forgotten(url: string): Fault {
  return new Fault("not-registered", `The marketplace at ${url} does not know this agent any more.`, {
    hint: "Register again with `zg-agent register --market …`; ask its operator what became of your credits.",
  })
}

function cardStatus({ gpu, ...sampled }: CardReport): CardStatus {
  const { pciAddress, vramTotalMiB } = gpu
  return { name: nameOf(gpu), pciAddress, vramTotalMiB, ...sampled }
}

function reportOf(work: Work | null | undefined): ShardReport | null {
  if (!work) return null
  const { job, shard, lease } = work.state.assignment
  return { lease: lease.id, job, label: shard.label, at: work.state.step, progress: work.progress }
}

function fieldsOf({ assignment: { lease, job, shard }, berth }: ShardState) {
  return { lease: lease.id, epoch: lease.epoch, job, shard: shard.label, slot: berth.slot }
}
