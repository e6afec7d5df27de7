/** A card's power at one moment of a clock that never jumps. */
export interface PowerPoint {
  /** Milliseconds. */
  t: number
  watts: number
}

export interface Span {
  from: number
  to: number
}

export interface Energy {
  joules: number
  /** Milliseconds of the span that the points account for. */
  coveredMs: number
}

export interface Reach {
  /** Neighbours further apart leave a gap between them. */
  joinMs: number
  /** How long a point stands for the time before and after it where no neighbour is near; at most half of `joinMs`. */
  holdMs: number
}

/**
 * The energy of a span: the trapezoid rule between neighbouring points, each piece cut where the span ends. In a gap, and before
 * the first and after the last point, a point is held for a while; the rest of that time adds nothing.
 * @param points in the order of their time.
 */
export function integrate(points: readonly PowerPoint[], { from, to }: Span, reach: Reach): Energy {
  const sum: Energy = { joules: 0, coveredMs: 0 }
  let before: PowerPoint | null = null
  for (const point of points) {
    if (before !== null && point.t - before.t <= reach.joinMs) add(sum, before, point, { from, to })
    else {
      if (before !== null) add(sum, before, { ...before, t: before.t + reach.holdMs }, { from, to })
      add(sum, { ...point, t: point.t - reach.holdMs }, point, { from, to })
    }
    before = point
  }
  if (before !== null) add(sum, before, { ...before, t: before.t + reach.holdMs }, { from, to })
  return sum
}

function add(sum: Energy, a: PowerPoint, b: PowerPoint, { from, to }: Span): void {
  const [start, end] = [Math.max(a.t, from), Math.min(b.t, to)]
  if (end <= start) return
  sum.joules += (((wattsAt(a, b, start) + wattsAt(a, b, end)) / 2) * (end - start)) / 1000
  sum.coveredMs += end - start
}

function wattsAt(a: PowerPoint, b: PowerPoint, t: number): number {
  return a.watts + ((b.watts - a.watts) * (t - a.t)) / (b.t - a.t)
}

const COVERED_SHARE = 0.95

/**
 * Whether so much of a span is covered that its energy can be told: 95 % of it, its first and last period aside; of a span of a
 * few periods 95 % of its half. Less would be told as too little energy.
 */
export function isCovered({ coveredMs }: Energy, { from, to }: Span, periodMs: number): boolean {
  const length = to - from
  return coveredMs > 0 && coveredMs >= COVERED_SHARE * Math.max(length - 2 * periodMs, length / 2)
}
