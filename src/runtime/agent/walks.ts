import { isFault } from "../../protocol/fault.ts"
import type { Lease } from "../../protocol/lease.ts"
import type { Held } from "../../protocol/message.ts"
import type { Engine } from "../container/engine.ts"
import { keepLease } from "../market/keep-lease.ts"
import type { Ports } from "../shard/ports.ts"
import type { Progress } from "../shard/progress.ts"
import { walk } from "../shard/road.ts"
import { type EndState, isOpen, type OpenState, type Proved, type ShardState } from "../shard/state.ts"
import { stepsOver } from "../shard/steps.ts"
import { Hold } from "./hold.ts"
import { pausedTooLong } from "./mode.ts"
import { Notice } from "./notice.ts"
import type { Tasks } from "./tasks.ts"
import { type AnsweredHere, giveBack, type ToldParts, tellingPorts } from "./told.ts"
import { fieldsOf, heldOf, isDone, isProved, type Work } from "./work.ts"

/** A shutdown waits no longer than this for the checkpoints that travel. */
const PARTING_LIMIT_MS = 15_000

/** Is told when a shard is proved and how it ends, and how long it was where it was before, in milliseconds. */
type Learn = (state: Proved | EndState, lastedMs: number) => void

type AllSteps = ReturnType<typeof stepsOver>

export interface WalksParts extends ToldParts {
  ports: Omit<Ports, AnsweredHere>
  /** The engine for slots with a card, which may be another one; null where there are none. */
  gpuEngine: Engine | null
  /** How long the leases of paused shards are kept, in milliseconds. */
  pauseLimitMs: number
}

/** Walks shards to their ends and keeps their leases meanwhile. In each slot runs one at most; those that are proved hold none. */
export class Walks {
  /** Given when a slot is free, and when a shard is held or goes on. */
  readonly changed = new Notice()
  readonly #parts: WalksParts
  readonly #tasks: Tasks
  readonly #learn: Learn
  readonly #steps: AllSteps
  readonly #gpuSteps: AllSteps
  readonly #works = new Set<Work>()
  /** Those that hold a slot, by its id; null while an offer is being accepted for it. */
  readonly #slots = new Map<string, Work | null>()
  readonly #hold = new Hold()

  constructor(parts: WalksParts, tasks: Tasks, learn: Learn) {
    this.#parts = parts
    this.#tasks = tasks
    this.#learn = learn
    const onProgress = (lease: Lease, progress: Progress) => {
      const work = this.of(heldOf(lease))
      if (work) work.progress = progress
    }
    const ports = { ...parts.ports, ...tellingPorts(parts, onProgress) }
    this.#steps = stepsOver(ports)
    this.#gpuSteps = stepsOver({ ...ports, engine: parts.gpuEngine ?? ports.engine })
  }

  get works(): Work[] {
    return [...this.#works]
  }

  /** The slots that are taken, or about to be. */
  get taken(): ReadonlySet<string> {
    return new Set(this.#slots.keys())
  }

  /** Whether nothing is left to do here, but to wait for audits. */
  get areOver(): boolean {
    return this.#slots.size === 0 && this.works.every(({ state }) => state.step === "committed")
  }

  in(slot: string): Work | null {
    return this.#slots.get(slot) ?? null
  }

  of({ lease, epoch }: Held): Work | undefined {
    const isIt = ({ id, epoch: held }: Lease) => id === lease && held === epoch
    return this.works.find(work => isIt(work.state.assignment.lease))
  }

  /** Keeps a slot for a shard whose offer is being accepted. */
  reserve(slot: string): void {
    this.#slots.set(slot, null)
  }

  /** Gives back a slot that was reserved for a shard that did not come. */
  free(slot: string): void {
    this.#slots.delete(slot)
    this.changed.give()
  }

  /** Walks a shard on from wherever it is; while there is a hold, it waits for its end first. */
  start(state: OpenState, signal: AbortSignal): Work {
    const stop = new AbortController()
    const work: Work = { state, progress: null, isHeld: false, since: performance.now(), stop }
    this.#works.add(work)
    if (!isProved(state)) this.#slots.set(state.berth.slot, work)
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

  async #live(from: OpenState, work: Work, signal: AbortSignal): Promise<void> {
    const { link } = this.#parts
    const stopped = AbortSignal.any([signal, work.stop.signal])
    const over = new AbortController()
    const kept = keepLease(link, from.assignment.lease, AbortSignal.any([stopped, over.signal]))
    this.#tasks.track(kept.catch(error => this.#leaseLost(error, work)))
    try {
      const end = await this.#toItsEnd(from, work, stopped)
      over.abort()
      if (end.step === "abandoned") await giveBack(end, this.#parts, signal)
    } catch (error) {
      if (!stopped.aborted) throw error
      await this.#part(work)
    } finally {
      over.abort()
      this.#works.delete(work)
      this.#leaveSlot(work)
      this.changed.give()
    }
  }

  #leaveSlot(work: Work): void {
    const { slot } = work.state.berth
    if (this.#slots.get(slot) === work) this.#slots.delete(slot)
  }

  /**
   * What is proved is judged by its proof: a renewal may cross the settlement, and be refused for that alone. What is committed has no use
   * for its lease any more.
   */
  #leaseLost(error: unknown, work: Work): void {
    if (!isFault(error)) throw error
    const { step } = work.state
    const isHandedIn = step === "proved" && isFault(error, "lease-stale", "lease-unknown")
    if (step !== "committed" && !isHandedIn) work.stop.abort(error)
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
    if (isProved(state)) this.#leaveSlot(work)
    if (hasMoved) this.#move(work, {})
    this.#report(state)
    if (hasMoved && (state.step === "proved" || !isOpen(state))) this.#learn(state, lastedMs)
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
}

function isAtWork({ state, isHeld }: Work): boolean {
  return !isHeld && !isDone(state)
}
