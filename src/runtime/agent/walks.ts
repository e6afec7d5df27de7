import type { Logger } from "pino"
import { type Fault, isFault } from "../../protocol/fault.ts"
import type { Lease, LeaseId } from "../../protocol/lease.ts"
import type { Held } from "../../protocol/message.ts"
import type { Receipt } from "../../protocol/receipt.ts"
import type { Checkpoint } from "../../protocol/shard-spec.ts"
import type { Bundle } from "../../protocol/statement.ts"
import type { Engine } from "../container/engine.ts"
import { keepLease } from "../market/keep-lease.ts"
import type { Link } from "../market/link.ts"
import type { Journal } from "../shard/journal.ts"
import { untilRoom } from "../shard/patience.ts"
import type { Ports } from "../shard/ports.ts"
import type { Progress } from "../shard/progress.ts"
import { walk } from "../shard/road.ts"
import { type Abandoned, type EndState, isOpen, type OpenState, type ShardState } from "../shard/state.ts"
import { stepsOver } from "../shard/steps.ts"
import { Hold } from "./hold.ts"
import { pausedTooLong } from "./mode.ts"
import { Notice } from "./notice.ts"
import type { Tasks } from "./tasks.ts"

/** A shutdown waits no longer than this for the checkpoints that travel. */
const PARTING_LIMIT_MS = 15_000

/** Ends of a lease that the marketplace knows of already. */
const NOT_HELD = ["shard-cancelled", "lease-stale", "lease-unknown"]

type AllSteps = ReturnType<typeof stepsOver>

/** A shard on its road, in one slot. */
export interface Work {
  state: ShardState
  progress: Progress | null
  /** Whether it waits for the end of a pause. */
  isHeld: boolean
  /** Since when it is where it is, in milliseconds of `performance.now`. */
  since: number
  /** Aborted with a fault it abandons the shard, with anything else it leaves it for the next start. */
  stop: AbortController
}

/** What a walk has the marketplace told through this agent's session. */
export type AnsweredHere = "settle" | "onProgress" | "keepCheckpoint" | "onUnsent"

export interface WalksParts {
  link: Link
  journal: Journal
  ports: Omit<Ports, AnsweredHere>
  /** The engine for slots with a card, which may be another one; null where there are none. */
  gpuEngine: Engine | null
  log: Logger
  /** How long the leases of paused shards are kept, in milliseconds. */
  pauseLimitMs: number
}

/** Walks shards to their ends, one in each slot, and keeps their leases meanwhile. */
export class Walks {
  /** Given when a slot is free, and when a shard is held or goes on. */
  readonly changed = new Notice()
  readonly #parts: WalksParts
  readonly #tasks: Tasks
  readonly #onEnd: (end: EndState, lastedMs: number) => void
  readonly #steps: AllSteps
  readonly #gpuSteps: AllSteps
  /** By slot; null while an offer is being accepted for it. */
  readonly #works = new Map<string, Work | null>()
  readonly #hold = new Hold()

  /** @param onEnd is told how each shard ended, and how long it had been where it was before. */
  constructor(parts: WalksParts, tasks: Tasks, onEnd: (end: EndState, lastedMs: number) => void) {
    this.#parts = parts
    this.#tasks = tasks
    this.#onEnd = onEnd
    const ports = {
      ...parts.ports,
      settle: (lease: Lease, bundle: Bundle, signal: AbortSignal) => this.#settle(lease, bundle, signal),
      onProgress: (lease: Lease, progress: Progress) => this.#tellProgress(lease, progress),
      keepCheckpoint: (lease: Lease, files: Checkpoint, signal: AbortSignal) =>
        this.#keepCheckpoint(lease, files, signal),
      onUnsent: ({ id: lease }: Lease, { code, message }: Fault) =>
        parts.log.warn({ lease, code, message }, "checkpoint.unsent"),
    }
    this.#steps = stepsOver(ports)
    this.#gpuSteps = stepsOver({ ...ports, engine: parts.gpuEngine ?? ports.engine })
  }

  get works(): Work[] {
    return [...this.#works.values()].filter(work => work !== null)
  }

  /** The slots that are taken, or about to be. */
  get taken(): ReadonlySet<string> {
    return new Set(this.#works.keys())
  }

  in(slot: string): Work | null {
    return this.#works.get(slot) ?? null
  }

  of({ lease, epoch }: Held): Work | undefined {
    const isIt = ({ id, epoch: held }: Lease) => id === lease && held === epoch
    return this.works.find(work => isIt(work.state.assignment.lease))
  }

  /** Keeps a slot for a shard whose offer is being accepted. */
  reserve(slot: string): void {
    this.#works.set(slot, null)
  }

  free(slot: string): void {
    this.#works.delete(slot)
    this.changed.give()
  }

  /** Walks a shard on from wherever it is; while there is a hold, it waits for its end first. */
  start(state: OpenState, signal: AbortSignal): Work {
    const stop = new AbortController()
    const work: Work = { state, progress: null, isHeld: false, since: performance.now(), stop }
    this.#works.set(state.berth.slot, work)
    this.#tasks.track(this.#live(state, work, signal))
    return work
  }

  /**
   * Suspends every shard that is not done yet: its container writes a checkpoint and ends, its lease is kept. Resolves when nothing runs
   * any more, or when the hold is over before.
   * @param leftMs how long the leases are kept.
   */
  async hold(leftMs: number): Promise<void> {
    this.#hold.begin(leftMs)
    const { suspend } = this.#hold
    while (this.#hold.suspend === suspend && this.works.some(isAtWork)) await this.changed.next
  }

  /** Lets the held shards walk on. */
  release(): void {
    this.#hold.end()
    this.changed.give()
  }

  /** Repeats itself until the marketplace has heard it: the slot stays taken until then, at both ends. */
  async giveBack({ assignment: { lease }, code, message }: Abandoned, signal: AbortSignal): Promise<void> {
    const { link, journal, log } = this.#parts
    const abandon = { type: "abandon", ...heldOf(lease), code, message } as const
    try {
      // A marketplace whose disk is full cannot note it yet.
      if (!NOT_HELD.includes(code)) await untilRoom(() => link.request(abandon, "abandoned", signal), signal)
    } catch (error) {
      if (!isFault(error)) throw error
      log.warn({ lease: lease.id, code: error.code }, "market.refused")
    }
    await journal.told(lease.id, lease.epoch).catch(error => {
      // It is told again after the next start, which is harmless.
      if (!isFault(error, "disk-full")) throw error
      log.warn({ lease: lease.id, code: error.code }, "journal.full")
    })
  }

  async #live(from: OpenState, work: Work, signal: AbortSignal): Promise<void> {
    const { link } = this.#parts
    const stopped = AbortSignal.any([signal, work.stop.signal])
    const over = new AbortController()
    const kept = keepLease(link, from.assignment.lease, AbortSignal.any([stopped, over.signal]))
    this.#tasks.track(kept.catch(error => this.#leaseLost(error, work)))
    try {
      const end = await this.#toItsEnd(from, work, stopped)
      over.abort()
      if (end.step === "abandoned") await this.giveBack(end, signal)
    } catch (error) {
      if (!stopped.aborted) throw error
      await this.#part(work)
    } finally {
      over.abort()
      this.free(from.berth.slot)
    }
  }

  /** What is proved is judged by its proof: a renewal may cross the settlement, and be refused for that alone. */
  #leaseLost(error: unknown, work: Work): void {
    if (!isFault(error)) throw error
    const isHandedIn = work.state.step === "proved" && isFault(error, "lease-stale", "lease-unknown")
    if (!isHandedIn) work.stop.abort(error)
  }

  /** This agent may not come back before the lease runs out: the next holder goes on from here. */
  async #part({ state }: Work): Promise<void> {
    const isReached = this.#parts.link.current !== null
    if (isReached && isOpen(state) && !isDone(state))
      await this.#stepsFor(state).send(state, AbortSignal.timeout(PARTING_LIMIT_MS))
  }

  #stepsFor({ berth }: OpenState): AllSteps {
    return berth.placement.device === "cpu" ? this.#steps : this.#gpuSteps
  }

  async #toItsEnd(from: OpenState, work: Work, stopped: AbortSignal): Promise<EndState> {
    const steps = this.#stepsFor(from)
    const record = (state: ShardState) => this.#record(state, work)
    for (let state = from; ; ) {
      await this.#whileHeld(state, work, stopped)
      const { suspend } = this.#hold
      // What is done is handed in also during a pause: that takes no card.
      const ends = isDone(state) ? [stopped] : [stopped, suspend]
      try {
        return await walk(state, steps, record, AbortSignal.any(ends))
      } catch (error) {
        if (error !== suspend.reason || !isOpen(work.state)) throw error
        state = work.state
      }
    }
  }

  /** @returns at the end of the pause or of the work; a pause over its limit abandons the shard. */
  async #whileHeld(state: OpenState, work: Work, stopped: AbortSignal): Promise<void> {
    if (!this.#hold.isOn || isDone(state)) return
    // A lease that has just come is nowhere yet; every later state is in the journal.
    if (state.step === "leased") await this.#parts.journal.record(state)
    const fields = fieldsOf(state)
    this.#parts.log.info(fields, "shard.suspended")
    this.#move(work, { isHeld: true })
    const over = new AbortController()
    const sending = this.#stepsFor(state).send(state, AbortSignal.any([stopped, over.signal]))
    if (!(await this.#hold.wait(stopped))) work.stop.abort(pausedTooLong(this.#parts.pauseLimitMs))
    over.abort()
    await sending
    if (!stopped.aborted) this.#parts.log.info(fields, "shard.resumed")
    this.#move(work, { isHeld: false })
  }

  async #record(state: ShardState, work: Work): Promise<void> {
    await this.#parts.journal.record(state)
    const lastedMs = performance.now() - work.since
    const hasMoved = state.step !== work.state.step
    work.state = state
    if (hasMoved) this.#move(work, {})
    this.#report(state)
    if (!isOpen(state)) this.#onEnd(state, lastedMs)
  }

  #move(work: Work, change: Partial<Pick<Work, "isHeld">>): void {
    Object.assign(work, change, { since: performance.now() })
    this.changed.give()
  }

  #report(state: ShardState): void {
    const { log } = this.#parts
    if (state.step === "abandoned") {
      const { code, message, from } = state
      log.warn({ ...fieldsOf(state), from, code, message }, "shard.abandoned")
    } else log.info(fieldsOf(state), `shard.${state.step}`)
  }

  async #settle({ id, epoch }: Lease, proof: Bundle, signal: AbortSignal): Promise<Receipt> {
    const said = { type: "proof", lease: id, epoch, bundle: proof } as const
    const { bundle, ledger } = await this.#parts.link.request(said, "receipt", signal)
    return { bundle, ledger }
  }

  async #keepCheckpoint(lease: Lease, files: Checkpoint, signal: AbortSignal): Promise<void> {
    const held = heldOf(lease)
    await this.#parts.link.request({ type: "checkpoint", ...held, files }, "kept", signal)
    this.#parts.log.info({ ...held, files: files.length }, "checkpoint.kept")
  }

  #tellProgress(lease: Lease, progress: Progress): void {
    const held = heldOf(lease)
    const work = this.of(held)
    if (work) work.progress = progress
    this.#parts.link.tell({ type: "progress", ...held, ...progress })
  }
}

export function heldOf({ id, epoch }: Pick<Lease, "epoch"> & { id: LeaseId }): Held {
  return { lease: id, epoch }
}

export function fieldsOf({ assignment: { lease, job, shard }, berth }: ShardState) {
  return { lease: lease.id, epoch: lease.epoch, job, shard: shard.label, slot: berth.slot }
}

/** Whether the container's work is done: what is left needs no card. */
export function isDone({ step }: ShardState): boolean {
  return step !== "leased" && step !== "prepared" && step !== "running"
}

function isAtWork({ state, isHeld }: Work): boolean {
  return !isHeld && !isDone(state)
}
