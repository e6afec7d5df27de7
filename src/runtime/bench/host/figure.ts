import type { Measurement, Unit, Unmeasured } from "../../../protocol/measurement.ts"

/** What a room has measured, and what it could not. */
export interface Figures {
  measurements: Measurement[]
  unmeasured: Unmeasured[]
}

/** How far one figure is: in repeats, in the bytes of a line, in a program's milliseconds. `of` is the most that there can be, as time may run out before. */
export interface Progress {
  name: string
  unit: Unit
  done: number
  of: number
  /** The newest repeat, in the unit; null before the first. */
  latest: number | null
}

/** Who follows a measurement, and can end it. */
export interface Watch {
  signal: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** How often a figure is taken. */
export interface Budget {
  /** Repeats that are taken and thrown away, while caches, clocks and connections warm up. */
  warmUps: number
  /** Repeats that count. */
  repeats: number
  /** Milliseconds of one repeat. */
  windowMs: number
  /** After so many milliseconds no further repeat begins. */
  limitMs: number
}

const REASON_CHARS = 400

/** By the host's clock. @param samples one for each repeat, at least one. */
export function measurementOf(name: string, unit: Unit, samples: readonly number[]): Measurement {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    name,
    unit,
    median: quantile(sorted, 0.5),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
    repeats: sorted.length,
    clock: "host",
  }
}

/** Between the two nearest samples (Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996, definition 7). */
function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  if (below === undefined || above === undefined) throw new TypeError("a figure needs a sample")
  return below + (above - below) * (place - Math.floor(place))
}

export function unmeasured(name: string, reason: string): Unmeasured {
  return { name, reason: reason.slice(0, REASON_CHARS) }
}

/** Sums up what several measurements found. */
export function together(figures: readonly Figures[]): Figures {
  return {
    measurements: figures.flatMap(({ measurements }) => measurements),
    unmeasured: figures.flatMap(part => part.unmeasured),
  }
}

/**
 * Takes a figure again and again within its budget.
 * @param once one repeat; gives its figure in the unit.
 * @param isSpent whether something else than time has run out, so that no further repeat begins.
 * @throws what `once` throws, and the signal's reason.
 */
export async function repeated(
  { name, unit }: Pick<Measurement, "name" | "unit">,
  { warmUps, repeats, limitMs }: Budget,
  once: () => Promise<number>,
  { signal, onProgress = () => {} }: Watch,
  isSpent: () => boolean = () => false,
): Promise<Measurement> {
  const until = performance.now() + limitMs
  const goesOn = () => performance.now() < until && !isSpent()
  const samples: number[] = []
  onProgress({ name, unit, done: 0, of: repeats, latest: null })
  for (let warmUp = 0; warmUp < warmUps && goesOn(); warmUp++) {
    signal.throwIfAborted()
    await once()
  }
  while (samples.length === 0 || (samples.length < repeats && goesOn())) {
    signal.throwIfAborted()
    const latest = await once()
    samples.push(latest)
    onProgress({ name, unit, done: samples.length, of: repeats, latest })
  }
  return measurementOf(name, unit, samples)
}
