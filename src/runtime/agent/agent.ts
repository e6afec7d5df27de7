import type { Logger } from "pino"
import { Fault } from "../../protocol/fault.ts"
import type { MarketFrame } from "../../protocol/message.ts"
import type { SignedReport } from "../bench/report/history.ts"
import type { Engine } from "../container/engine.ts"
import { notAllowed, type Refusal } from "../host/rules/judge.ts"
import type { Telemetry } from "../host/telemetry/telemetry.ts"
import type { Link } from "../market/link.ts"
import type { Session } from "../market/session.ts"
import type { Journal } from "../shard/journal.ts"
import type { Ports } from "../shard/ports.ts"
import { cancelled } from "../shard/road.ts"
import { profileOf } from "../shard/run.ts"
import type { OpenState } from "../shard/state.ts"
import { Breakers } from "./breakers.ts"
import { Capacity } from "./capacity.ts"
import { countRunning } from "./count-running.ts"
import type { Home } from "./home.ts"
import { keepMode, type Mode, PAUSE_LIMIT_MS, pauseLeftMs } from "./mode.ts"
import { Notice } from "./notice.ts"
import { Offers } from "./offers.ts"
import type { ServedSlot } from "./slots.ts"
import { type AgentStatus, cardStatus, type ModeReport, shardReport } from "./status.ts"
import { Tasks } from "./tasks.ts"
import { type AnsweredHere, giveBack } from "./told.ts"
import { stuck } from "./vitals.ts"
import { Walks } from "./walks.ts"
import { fieldsOf, heldOf, isDone, isProved, type Work } from "./work.ts"

export interface AgentParts {
  /** Where a pause is remembered. */
  home: Pick<Home, "pause">
  /** As it was left: a pause goes on. */
  mode: Mode
  /** How long the leases of paused shards are kept, in milliseconds. */
  pauseLimitMs?: number
  slots: readonly ServedSlot[]
  /** What the marketplace is told of this machine; null where nothing certain is known. */
  measured: SignedReport | null
  telemetry: Telemetry
  link: Link
  journal: Journal
  ports: Omit<Ports, AnsweredHere>
  /** The engine for slots with a card; null where there are none. */
  gpuEngine: Engine | null
  log: Logger
}

/** Takes leases and walks their shards to the end, one in each slot, as far as its owner lets it. */
export class Agent {
  readonly #parts: AgentParts
  readonly #pauseLimitMs: number
  readonly #tasks = new Tasks()
  readonly #breakers = new Breakers()
  readonly #capacity: Capacity
  readonly #walks: Walks
  readonly #offers: Offers
  readonly #modeChanged = new Notice()
  #mode: Mode
  /** One change of mode after the other, each with its file. */
  #entering: Promise<unknown> = Promise.resolve()

  constructor(parts: AgentParts) {
    this.#parts = parts
    this.#mode = parts.mode
    this.#pauseLimitMs = parts.pauseLimitMs ?? PAUSE_LIMIT_MS
    this.#capacity = new Capacity(parts, this.#breakers, () => ({
      isServing: this.#isServing,
      holding: this.#walks.works.map(({ state: { assignment } }) => heldOf(assignment.lease)),
    }))
    const walksParts = { ...parts, pauseLimitMs: this.#pauseLimitMs }
    this.#walks = new Walks(walksParts, this.#tasks, (...what) => this.#capacity.learn(...what))
    this.#offers = new Offers(parts, this.#walks, this.#breakers)
  }

  /**
   * Goes on with what the journal holds, then takes offers until the signal aborts or it is drained; then it stops what runs and leaves it
   * in the journal.
   * @throws the fault that makes dialling the marketplace pointless, or a bug in a step.
   */
  async serve(signal: AbortSignal): Promise<void> {
    const { link, journal } = this.#parts
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    this.#tasks.track(this.#holdIfPaused())
    for (const state of journal.open()) this.#resume(state, either)
    for (const state of journal.untold())
      this.#tasks.track(
        giveBack(state, this.#parts, either).catch(error => this.#unlessAborted(error, either)),
      )
    // The session outlives the walks: what they part with is told through it.
    const parted = new AbortController()
    const kept = link.keep(session => this.#greet(session, either), parted.signal)
    try {
      await Promise.race([kept, untilAborted(signal), this.#tasks.bug, this.#drained()])
    } finally {
      this.#parts.log.info({ shards: this.#walks.works.length }, "agent.stopping")
      link.tell({ type: "drain" })
      stop.abort()
      await this.#tasks.over()
      parted.abort()
      await Promise.allSettled([kept])
    }
  }

  /** Suspends what runs and takes nothing more, until it is resumed. Resolves when nothing runs. @throws Fault `disk-full`. */
  async pause(): Promise<ModeReport> {
    const changed = await this.#enter("paused")
    await this.#holdIfPaused()
    return this.#reportMode(changed)
  }

  /** Ends a pause or a drain: walks on, and takes offers. */
  async resume(): Promise<ModeReport> {
    return this.#reportMode(await this.#enter("serving"))
  }

  /** Takes nothing more; `serve` ends when what is on the road has come to its end. Paused shards walk on for that. */
  async drain(): Promise<ModeReport> {
    return this.#reportMode(await this.#enter("draining"))
  }

  status(): AgentStatus {
    const { slots, link, journal, ports, telemetry } = this.#parts
    const workIn = (slot: string) => {
      const work = this.#walks.in(slot)
      return work && shardReport(work)
    }
    return {
      agent: ports.signer.keyId,
      pid: process.pid,
      connected: link.current !== null,
      mode: this.#mode,
      slots: slots.map(({ slot, berth }) => ({ ...slot, gpus: berth.gpus, shard: workIn(slot.id) })),
      proved: this.#walks.works.filter(({ state }) => isProved(state)).map(shardReport),
      breakers: this.#breakers.report(),
      cards: telemetry.cards().map(cardStatus),
      ...journal.totals(),
    }
  }

  /** When it last tried to reach the marketplace, or had it, on the clock of `performance.now`. */
  get dialledAt(): number {
    return this.#parts.link.turnedAt
  }

  /** The shards whose walks have not moved for longer than any of their waits may last. */
  stuck(): Work[] {
    return stuck(this.#walks.works, performance.now())
  }

  get #isServing(): boolean {
    return this.#mode.mode === "serving"
  }

  #greet({ wire, registered }: Session, signal: AbortSignal): void {
    if (!registered) throw forgotten(wire.url)
    wire.listen(frame => this.#hear(frame, signal))
    const { measured } = this.#parts
    if (measured !== null) wire.tell({ type: "report", ...measured })
    wire.tell(this.#capacity.message)
  }

  #hear(frame: MarketFrame, signal: AbortSignal): void {
    if (frame.type === "offer") this.#tasks.track(this.#offers.consider(frame, () => this.#isServing, signal))
    if (frame.type === "cancel") this.#walks.of(frame)?.stop.abort(cancelled(frame.reason))
    if (frame.type === "refused")
      this.#parts.log.warn({ code: frame.code, message: frame.message }, "market.refused")
  }

  /** Work that was begun under other rules ends; what is done is handed in. */
  #resume(state: OpenState, signal: AbortSignal): void {
    this.#parts.log.info(fieldsOf(state), "shard.resumed")
    const refusal = isDone(state)
      ? null
      : (this.#judgeWalls(state) ?? this.#offers.judge(state.assignment.spec))
    const { stop } = this.#walks.start(state, signal)
    if (refusal) stop.abort(notAllowed(refusal))
  }

  /** A container keeps the walls with which it was made. */
  #judgeWalls(state: OpenState): Refusal | null {
    const [asked, allowed] = [profileOf(state), this.#parts.ports.rules.profile]
    if (asked === allowed) return null
    return { rule: "profile", asked, allowed, message: `it began as ${asked}, the owner wants ${allowed}` }
  }

  /** @returns whether the mode was another one. */
  #enter(mode: Mode["mode"]): Promise<boolean> {
    const entered = this.#entering.then(async () => {
      if (this.#mode.mode === mode) return false
      const next: Mode = mode === "serving" ? { mode } : { mode, since: new Date().toISOString() }
      await keepMode(this.#parts.home, next)
      this.#mode = next
      this.#parts.log.info(next, `agent.${mode === "serving" ? "resumed" : mode}`)
      if (mode === "serving") this.#capacity.announce()
      else this.#parts.link.tell({ type: "drain" })
      if (mode !== "paused") this.#walks.release()
      this.#modeChanged.give()
      return true
    })
    this.#entering = entered.catch(() => {})
    return entered
  }

  async #holdIfPaused(): Promise<void> {
    const mode = this.#mode
    if (mode.mode === "paused")
      await this.#walks.hold(pauseLeftMs(mode.since, Date.now(), this.#pauseLimitMs))
  }

  async #drained(): Promise<void> {
    while (this.#mode.mode !== "draining" || !this.#walks.areOver)
      await Promise.race([this.#modeChanged.next, this.#walks.changed.next])
    // Audits are others' work, and may take long: what waits for them alone goes on at the next start.
    this.#parts.log.info({ committed: this.#walks.works.length }, "agent.drained")
  }

  async #reportMode(changed: boolean): Promise<ModeReport> {
    const { ports, gpuEngine } = this.#parts
    const mode = this.#mode
    const isPaused = mode.mode === "paused"
    return {
      mode,
      changed,
      pid: process.pid,
      shards: this.#walks.works.map(shardReport),
      keptUntil: isPaused ? new Date(Date.parse(mode.since) + this.#pauseLimitMs).toISOString() : null,
      unstopped: isPaused ? await countRunning([ports.engine, gpuEngine ?? ports.engine], ports.home) : 0,
    }
  }

  #unlessAborted(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) throw error
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>()
  if (signal.aborted) aborted.resolve()
  signal.addEventListener("abort", () => aborted.resolve(), { once: true })
  return aborted.promise
}

function forgotten(url: string): Fault {
  return new Fault("not-registered", `The marketplace at ${url} does not know this agent any more.`, {
    hint: "Register again with `zg-agent register --market …`; ask its operator what became of your credits.",
  })
}
