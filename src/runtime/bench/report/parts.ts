import prettyBytes from "pretty-bytes"
import type { CapacityReport, CardReport, Soundness } from "../../../protocol/capacity-report.ts"
import type { Measurement, Unmeasured } from "../../../protocol/measurement.ts"
import { peakRemarks } from "../peak/remarks.ts"
import { cardPeakOf } from "../peak/share.ts"
import { changeOf } from "./compare.ts"
import { sustainedRemarks } from "./sustained-remarks.ts"
import { togetherRemarks } from "./together-remarks.ts"

/** Some part of the machine, and what was measured of it. */
export interface Part {
  title: string
  figures: readonly Measurement[]
  unmeasured: readonly Unmeasured[]
  /** The same figures with all cards at work at once. */
  together: readonly Measurement[]
  /** The same figures in the last run. */
  last: readonly Measurement[]
  /** Of the card's theoretical peak, by the figure's name. */
  shares: Readonly<Record<string, number>>
  notes: readonly string[]
}

/** What only cards have. */
const PLAIN = { together: [], shares: {}, notes: [] }

/** The host, each card, adapters that are no card, the trainer; a part that was left out has nothing to say. */
export function partsOf(report: CapacityReport, previous: CapacityReport | null): Part[] {
  const cards = report.cards.map(card => cardPart(card, previous))
  const work = workPart(report, previous)
  return [
    hostPart(report, previous),
    ...cards,
    ...softwareParts(report, previous),
    ...(work ? [work] : []),
  ].filter(isFilled)
}

export function isFilled({ figures, unmeasured, notes }: Part): boolean {
  return figures.length + unmeasured.length + notes.length > 0
}

export function hostPart({ host }: CapacityReport, previous: CapacityReport | null): Part {
  const { cpu, logicalCores, memoryMiB, figures, unmeasured } = host
  const title = `Host: ${cpu}, ${logicalCores} threads, ${memoryMiB} MiB`
  return { ...PLAIN, title, figures, unmeasured, last: previous?.host.figures ?? [] }
}

export function cardPart(card: CardReport, previous: CapacityReport | null): Part {
  const { name, identity, state, figures, unmeasured, together, soundness, timeline, faults } = card
  return {
    title: `Card ${name ?? "unknown"} (${identity}): ${state}`,
    ...{ figures, unmeasured, together },
    last: previous?.cards.find(other => other.identity === identity)?.figures ?? [],
    shares: cardPeakOf(card).shares,
    notes: [
      ...peakRemarks(card),
      ...soundness.map(one => `${one.test}: ${outcomeOf(one)}`),
      ...sustainedRemarks(timeline),
      ...togetherRemarks(card),
      ...faults.map(({ message, hint }) => `${message} ${hint}`),
    ],
  }
}

export function softwareParts({ software }: CapacityReport, previous: CapacityReport | null): Part[] {
  return software.map(({ adapter, figures, unmeasured }, at) => ({
    title: `No card: ${adapter.description || adapter.device} is software on the processor`,
    ...{ ...PLAIN, figures, unmeasured, last: previous?.software[at]?.figures ?? [] },
  }))
}

/** Null where the trainer was not asked for. */
export function workPart({ work }: CapacityReport, previous: CapacityReport | null): Part | null {
  if (work === null) return null
  const { engine, device, figures, unmeasured } = work
  const title = `Trainer in the sandbox: ${engine ?? "no engine"}, ${device ?? "nothing"}`
  return { ...PLAIN, title, figures, unmeasured, last: previous?.work?.figures ?? [] }
}

/** What a test of soundness found. */
export function outcomeOf({ test, checked, errors }: Soundness): string {
  const among = test === "vram-patterns" ? prettyBytes(checked, { binary: true }) : `${checked} results`
  return `${errors === 0 ? "no error" : `${errors} ERRORS`} in ${among}`
}

/** What got worse since the last run, such as `matmul-fp32 of Card …`. */
export function dropsOf(parts: readonly Part[]): string[] {
  return parts.flatMap(({ title, figures, last }) =>
    figures.filter(figure => changeOf(figure, last)?.isDrop).map(({ name }) => `${name} of ${title}`),
  )
}
