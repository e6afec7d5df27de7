export interface Extent {
  min: number
  max: number
}

/** A stretch of an axis, with a tick at every step. */
export interface Ticks extends Extent {
  step: number
}

/** The decades around all of the values, which are above zero. */
export function decadesAround(values: readonly number[]): Extent {
  const min = 10 ** Math.floor(Math.log10(Math.min(...values)))
  return { min, max: 10 ** Math.ceil(Math.log10(Math.max(...values))) }
}

/** Noise of less than this share of the values is not blown up to mountains. */
const LEAST_SHARE = 0.05

/** From a round number to a round number around all of the values, in some three steps. */
export function ticksAround(values: readonly number[]): Ticks {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const reach = Math.max(high - low, Math.abs(high) * LEAST_SHARE)
  const [bottom, top] = [(low + high - reach) / 2, (low + high + reach) / 2]
  const step = roundStep(reach / 3)
  const min = Math.floor(bottom / step) * step
  return { min, max: Math.max(min + step, Math.ceil(top / step) * step), step }
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function roundStep(least: number): number {
  if (least <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find(step => step * power >= least) ?? 10)
}
