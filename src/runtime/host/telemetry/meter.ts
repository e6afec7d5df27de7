import { integrate, isCovered, type PowerPoint, type Span } from "./energy.ts"
import { STANDS_PERIODS } from "./sample.ts"
import type { Timed, Track } from "./track.ts"

/** What a shard used of its cards; null where that cannot be told truly. */
export interface Metered {
  energyJoules: number | null
  peakVramBytes: number | null
}

/** Watches some cards from when it was made until it is closed; it keeps 58 KB for each card and hour. */
export interface Meter extends Disposable {
  /**
   * What the cards used between two moments of the machine's clock (milliseconds since the epoch): a container's start and end
   * as the engine tells them. May be called before or after {@link close}, and again.
   *
   * `energyJoules` is null where a card tells no power, or where less than 95 % of the time is covered by samples: a shard that
   * had run for long before its meter began (the agent was started again) has no energy to tell, rather than too little.
   * `peakVramBytes` is the most that was in use on the whole card in any sample of that time; over several cards the sum of
   * their peaks, which may have been at different times. Null when a card never told it, or when there are no cards.
   */
  read(startedAtMs: number, finishedAtMs: number): Metered
  /** Hears no more samples; those that it has stay readable. */
  close(): void
}

interface Series {
  track: Track
  power: PowerPoint[]
  vram: { t: number; mib: number }[]
}

/** The two clocks at one moment: `mono` never jumps, `wall` is what engines and people tell the time by. */
export interface Clocks {
  mono(): number
  wall(): number
}

/** @param tracks one for each card; null for a card of which nothing is known. */
export function openMeter(tracks: readonly (Track | null)[], clocks: Clocks): Meter {
  const began = { mono: clocks.mono(), wall: clocks.wall() }
  const known = tracks.filter(track => track !== null)
  const watched = known.map(watch)
  const close = () => {
    for (const { stop } of watched) stop()
  }
  return {
    read(startedAtMs, finishedAtMs) {
      // Each end by the clock of its own time: a jump of the machine's clock in between changes nothing.
      const from = began.mono + (startedAtMs - began.wall)
      const to = Math.min(clocks.mono() + (finishedAtMs - clocks.wall()), clocks.mono())
      const series = known.length === tracks.length ? watched.map(one => one.series) : []
      return {
        energyJoules: sum(series.map(one => energyOf(one, { from, to }))),
        peakVramBytes: sum(series.map(one => peakOf(one, { from, to }))),
      }
    },
    close,
    [Symbol.dispose]: close,
  }
}

function watch(track: Track): { series: Series; stop: () => void } {
  const series: Series = { track, power: [], vram: [] }
  const stop = track.listen(({ t, sample: { powerDrawW, vramUsedMiB } }: Timed) => {
    if (powerDrawW !== null) series.power.push({ t, watts: powerDrawW })
    if (vramUsedMiB !== null) series.vram.push({ t, mib: vramUsedMiB })
  })
  return { series, stop }
}

function energyOf({ power, track: { periodMs } }: Series, span: Span): number | null {
  const energy = integrate(power, span, { joinMs: STANDS_PERIODS * periodMs, holdMs: periodMs })
  return isCovered(energy, span, periodMs) ? energy.joules : null
}

function peakOf({ vram }: Series, { from, to }: Span): number | null {
  const peak = vram.reduce((most, { t, mib }) => (t >= from && t <= to ? Math.max(most, mib) : most), -1)
  return peak < 0 ? null : Math.round(peak * (1 << 20))
}

/** Null as soon as one part is not known: a sum over the others would be too little. */
function sum(parts: readonly (number | null)[]): number | null {
  if (parts.length === 0) return null
  return parts.reduce((total, part) => (total === null || part === null ? null : total + part), 0)
}
