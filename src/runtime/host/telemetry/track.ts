import type { DetectedGpu } from "../gpu.ts"
import { integrate, type PowerPoint } from "./energy.ts"
import { type Readings, type Sample, STANDS_PERIODS, tellsNothing } from "./sample.ts"

/** A sample and when it came, by a clock that never jumps (milliseconds). */
export interface Timed {
  t: number
  sample: Sample
}

/** What a meter is told of its card. */
export type Listener = (timed: Timed) => void

/** So many of the newest samples are kept for a meter that begins a little after what it meters. */
const KEPT_SAMPLES = 8

/** All that is known of one card over time. */
export class Track {
  readonly gpu: DetectedGpu
  readonly periodMs: number
  readonly #now: () => number
  readonly #startedAt: number
  readonly #listeners = new Set<Listener>()
  #recent: Timed[] = []
  #joules: number | null = null
  #lastPower: PowerPoint | null = null
  #missed = 0

  /** @param now a clock that never jumps, in milliseconds. */
  constructor(gpu: DetectedGpu, periodMs: number, now: () => number) {
    this.gpu = gpu
    this.periodMs = periodMs
    this.#now = now
    this.#startedAt = now()
  }

  /** Takes one reading; a card that tells nothing has not been read. */
  take(readings: Readings): void {
    if (tellsNothing(readings)) return
    const timed = { t: this.#now(), sample: { at: Date.now(), ...readings } }
    this.#missed += Math.max(0, Math.round((timed.t - this.#newestAt) / this.periodMs) - 1)
    this.#recent = [...this.#recent.slice(1 - KEPT_SAMPLES), timed]
    this.#count(timed)
    for (const listener of this.#listeners) listener(timed)
  }

  /** The newest sample, for as long as it stands for the card. */
  get latest(): Sample | null {
    const stands = this.#now() - this.#newestAt <= STANDS_PERIODS * this.periodMs
    return stands ? (this.#recent.at(-1)?.sample ?? null) : null
  }

  /** Joules since the start, gaps left out; null while the card has told no power. */
  get energyJoules(): number | null {
    return this.#joules
  }

  /** Periods without a sample since the start. */
  get gaps(): number {
    return this.#missed + Math.max(0, Math.floor((this.#now() - this.#newestAt) / this.periodMs) - 1)
  }

  /** Tells every sample from now on, after the newest ones so far; the function that comes back ends that. */
  listen(listener: Listener): () => void {
    this.#recent.forEach(listener)
    return this.follow(listener)
  }

  /** As {@link listen}, without those before. */
  follow(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get #newestAt(): number {
    return this.#recent.at(-1)?.t ?? this.#startedAt
  }

  #count({ t, sample: { powerDrawW } }: Timed): void {
    if (powerDrawW === null) return
    const point = { t, watts: powerDrawW }
    const points = this.#lastPower === null ? [point] : [this.#lastPower, point]
    const reach = { joinMs: STANDS_PERIODS * this.periodMs, holdMs: 0 }
    const { joules } = integrate(points, { from: points[0]?.t ?? t, to: t }, reach)
    this.#joules = (this.#joules ?? 0) + joules
    this.#lastPower = point
  }
}
