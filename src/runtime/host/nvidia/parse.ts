import type { DetectedGpu, Detection, GpuProblem } from "../gpu.ts"
import { cardOf, type FoundCard, foundCard, withFindings } from "./card.ts"
import { type Complaint, complaintOf, isRemark, isWholeDriver, problem, problemOf } from "./complaint.ts"
import { count, version } from "./reading.ts"
import { gpuRecords, headText, linesAround } from "./record.ts"

/** All that one call of `nvidia-smi -q -x` says, good and bad. */
export interface Report {
  /** Cards whose record came to its end. */
  whole: FoundCard[]
  /** Cards whose record was cut or is no XML, with what could be read. */
  cut: FoundCard[]
  complaints: Complaint[]
  /** How many cards the driver counts; null where it does not say. */
  attached: number | null
  driverVersion: string | null
  problems: GpuProblem[]
  /** Whether the driver as a whole refuses, so that asking for single cards is of no use. */
  refused: boolean
}

/** Enough of what is no record: a wrong program on PATH may print anything. */
const MOST_LINES = 8

/** Reads whatever `nvidia-smi -q -x` printed on stdout and stderr: drivers 384 to 610, cut, mixed with error lines. */
export function readReport(output: string): Report {
  const driverVersion = driverOf(output)
  const records = gpuRecords(output)
  const lines = linesAround(output).filter(line => !isRemark(line))
  return {
    whole: records.filter(({ complete }) => complete).map(record => cardOf(record, driverVersion)),
    cut: records.filter(({ complete }) => !complete).map(record => cardOf(record, driverVersion)),
    complaints: lines.flatMap(line => complaintOf(line) ?? []),
    attached: count(headText(output, "attached_gpus")),
    driverVersion,
    problems: [...new Set(lines.filter(line => complaintOf(line) === null))]
      .slice(0, MOST_LINES)
      .map(problemOf),
    refused: lines.some(isWholeDriver),
  }
}

/** 610 prints a sentence behind the version, and calls it the kernel-mode driver's. */
function driverOf(output: string): string | null {
  const elements = ["driver_version", "kmd_version", "kmd_driver_version"]
  return elements.map(element => version(headText(output, element))).find(found => found !== null) ?? null
}

/**
 * The cards in the output of `nvidia-smi -q -x`. Never throws: what cannot be read is a problem or a card's reason.
 * What only other commands tell (compute capability, UUIDs of MIG slices) is null.
 */
export function parseNvidiaSmi(output: string): Detection {
  const report = readReport(output)
  const cards = complained([...report.whole, ...report.cut], report.complaints)
  const gpus = numbered(cards.map(card => ({ ...card, driverVersion: report.driverVersion })))
  return { gpus, problems: [...report.problems, ...missing(report, gpus.length)] }
}

/** Lays complaints on the cards that they name; a card that is only complained about is listed too. */
export function complained(cards: FoundCard[], complaints: Complaint[]): FoundCard[] {
  const told = [...cards]
  for (const { finding, ...known } of complaints) {
    const position = told.findIndex(card =>
      known.pciAddress === null || card.pciAddress === null
        ? known.index !== null && card.index === known.index
        : card.pciAddress === known.pciAddress,
    )
    const card = told[position]
    if (card) told[position] = withFindings({ ...card, index: card.index ?? known.index }, [finding])
    else told.push(foundCard(known, finding))
  }
  return told
}

/** Puts cards in the driver's order, which is that of PCI addresses; one without number takes the next that is free. */
export function numbered(cards: FoundCard[]): DetectedGpu[] {
  const inOrder = cards.every(card => card.pciAddress !== null) ? cards.toSorted(byAddress) : cards
  const taken = new Set<number>()
  const said = inOrder.map(({ index }) => {
    if (index === null || taken.has(index)) return null
    taken.add(index)
    return index
  })
  return inOrder
    .map((card, position) => ({ ...card, index: said[position] ?? nextFree(taken) }))
    .toSorted((a, b) => a.index - b.index)
}

function nextFree(taken: Set<number>): number {
  let index = 0
  while (taken.has(index)) index += 1
  taken.add(index)
  return index
}

function byAddress(a: FoundCard, b: FoundCard): number {
  const [first, second] = [a.pciAddress ?? "", b.pciAddress ?? ""]
  return first.length - second.length || (first < second ? -1 : first > second ? 1 : 0)
}

const LOOK =
  "Look for cards with `lspci | grep -i nvidia` and `sudo dmesg | grep -i xid`, then restart the machine."

/** The problem that hides cards: the driver counts more than are listed, or nothing was printed that can be read. */
export function missing({ attached, problems }: Report, listed: number): GpuProblem[] {
  if (attached !== null && attached > listed) {
    return [problem(`The driver counts ${attached} NVIDIA cards, but only ${listed} could be read.`, LOOK)]
  }
  if (listed > 0 || attached === 0 || problems.length > 0) return []
  return [problem("nvidia-smi printed no card.", LOOK)]
}
