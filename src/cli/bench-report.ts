import prettyBytes from "pretty-bytes"
import type { CapacityReport } from "../protocol/capacity-report.ts"
import type { Measurement, Unit, Unmeasured } from "../protocol/measurement.ts"
import type { Benched } from "../runtime/agent/bench.ts"
import type { Progress } from "../runtime/bench/host/figure.ts"
import { changeOf } from "../runtime/bench/report/compare.ts"
import { columns } from "./table.ts"

/** What is measured at this moment, and how far it is. */
export function progressLine({ name, unit, done, of, latest }: Progress): string {
  const share = of > 0 ? ` ${Math.min(100, Math.floor((done / of) * 100))} %` : ""
  return `Measuring ${name}${share}${latest === null ? "" : `, ${amount(latest, unit)}`}`
}

/** Some part of the machine, and what was measured of it. */
interface Part {
  title: string
  figures: readonly Measurement[]
  unmeasured: readonly Unmeasured[]
  /** The same figures with all cards at work at once. */
  together: readonly Measurement[]
  /** The same figures in the last run. */
  last: readonly Measurement[]
  notes: readonly string[]
}

const LOOK =
  "See whether something else was at work, then look at heat (`zg-agent gpus`), power limits, risers and new drivers."

/** A report as tables, one for each part of the machine; what could not be measured, and what got worse, with its reason below. */
export function benchReport({ report, previous, unsent, path }: Benched): string {
  const parts = partsOf(report, previous)
  const drops = parts.flatMap(({ title, figures, last }) =>
    figures.filter(figure => changeOf(figure, last)?.isDrop).map(({ name }) => `${name} of ${title}`),
  )
  const worse =
    drops.length === 0 ? [] : [`Worse than on ${previous?.startedOn}: ${drops.join("; ")}.\n  ${LOOK}`]
  const told = unsent === null ? "the marketplace has it" : `the marketplace does not have it: ${unsent}`
  return [
    ...parts.map(partLines),
    `Sandbox: ${heldOf(report)}`,
    ...worse,
    `Signed report: ${path}; ${told}`,
  ].join("\n\n")
}

function partsOf(report: CapacityReport, previous: CapacityReport | null): Part[] {
  const { host, cards, software, work } = report
  const plain = { together: [], notes: [] }
  const hostPart: Part = {
    ...{ ...plain, title: `Host: ${host.cpu}, ${host.logicalCores} threads, ${host.memoryMiB} MiB` },
    ...{ figures: host.figures, unmeasured: host.unmeasured, last: previous?.host.figures ?? [] },
  }
  const softwareParts = software.map(({ adapter, figures, unmeasured }, at) => ({
    ...{ ...plain, title: `No card: ${adapter.description || adapter.device} is software on the processor` },
    ...{ figures, unmeasured, last: previous?.software[at]?.figures ?? [] },
  }))
  const workPart = work && {
    ...{
      ...plain,
      title: `Trainer in the sandbox: ${work.engine ?? "no engine"}, ${work.device ?? "nothing"}`,
    },
    ...{ figures: work.figures, unmeasured: work.unmeasured, last: previous?.work?.figures ?? [] },
  }
  const cardParts = cards.map(card => cardPart(card, previous))
  return [hostPart, ...cardParts, ...softwareParts, ...(workPart ? [workPart] : [])].filter(isFilled)
}

/** A part that was left out has nothing to say. */
function isFilled({ figures, unmeasured, notes }: Part): boolean {
  return figures.length + unmeasured.length + notes.length > 0
}

function cardPart(card: CapacityReport["cards"][number], previous: CapacityReport | null): Part {
  const { name, identity, state, soundness, faults } = card
  const tests = soundness.map(({ test, checked, errors }) => {
    const among = test === "vram-patterns" ? prettyBytes(checked, { binary: true }) : `${checked} results`
    return `${test}: ${errors === 0 ? "no error" : `${errors} ERRORS`} in ${among}`
  })
  return {
    title: `Card ${name ?? "unknown"} (${identity}): ${state}`,
    ...{ figures: card.figures, unmeasured: card.unmeasured, together: card.together },
    last: previous?.cards.find(other => other.identity === identity)?.figures ?? [],
    notes: [...tests, ...faults.map(({ message, hint }) => `${message} ${hint}`)],
  }
}

function partLines({ title, figures, unmeasured, together, last, notes }: Part): string {
  const all = together.length > 0
  const since = last.length > 0
  const rows = figures.map(figure => {
    const others = together.find(({ name }) => name === figure.name)
    return [
      `  ${figure.name}`,
      amount(figure.median, figure.unit),
      `±${spread(figure)} %`,
      ...(all ? [others === undefined ? "" : amount(others.median, others.unit)] : []),
      ...(since ? [gained(figure, last)] : []),
    ]
  })
  const head = [
    "  figure",
    "median",
    "spread",
    ...(all ? ["all at once"] : []),
    ...(since ? ["last run"] : []),
  ]
  return [
    title,
    ...(rows.length === 0 ? [] : [columns(head, rows)]),
    ...unmeasured.map(({ name, reason }) => `  ${name}: ${reason}`),
    ...notes.map(note => `  ${note}`),
  ].join("\n")
}

function gained(figure: Measurement, last: readonly Measurement[]): string {
  const change = changeOf(figure, last)
  if (change === null) return ""
  const percent = Math.round(change.gained * 100)
  return `${percent > 0 ? "+" : ""}${percent} %${change.isDrop ? ", worse" : ""}`
}

/** Half of the distance between the quartiles, in percent of the median. */
function spread({ median, lowerQuartile, upperQuartile }: Measurement): string {
  return median === 0 ? "0" : (((upperQuartile - lowerQuartile) / 2 / median) * 100).toFixed(1)
}

function heldOf({ jail }: CapacityReport): string {
  if (jail === null) return "not tested yet; `zg-agent sandbox test` does, and each start of `serve`"
  return `${jail.passed ? "held" : "BROKEN"} on ${jail.testedOn} (${jail.engine}, ${jail.runtime})`
}

const PREFIXES = ["", "k", "M", "G", "T", "P"]

/** `12300000000000 FLOP/s` → `12.3 TFLOP/s`. */
export function amount(value: number, unit: Unit): string {
  if (unit === "s") return value < 1 ? `${(value * 1000).toPrecision(3)} ms` : `${value.toPrecision(3)} s`
  const power = Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  const name = unit === "op/s" ? "IOPS" : unit
  return `${Number((value / 1000 ** power).toPrecision(3))} ${PREFIXES[power]}${name}`
}
