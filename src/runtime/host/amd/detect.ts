import { access } from "node:fs/promises"
import path from "node:path"
import { type IdFiles, readFirst, SYSTEM_ID_FILES } from "../drm/id-files.ts"
import { listPciCards } from "../drm/pci-card.ts"
import { openSysfs, type Sysfs } from "../drm/sysfs.ts"
import type { Detection, GpuProblem } from "../gpu.ts"
import { askTools, type Programs, ROCM_PROGRAMS, type ToolReport } from "./ask-tools.ts"
import { toolProblem } from "./call-tool.ts"
import { AMD } from "./chip.ts"
import { judge } from "./judge.ts"
import { readKfdNodes } from "./kfd.ts"
import { merge, recordOf } from "./merge.ts"
import { type NameTables, readCard } from "./read-card.ts"
import type { AmdRecord } from "./record.ts"

export interface DetectAmdOptions {
  /** Where sysfs is mounted, or a recorded copy of it lies. */
  sysfs: string
  signal: AbortSignal
  /** Where the machine's device files are; for a recorded copy, which has none, its compute driver's folder counts instead. */
  dev?: string
  idFiles?: IdFiles
  programs?: Programs
  /** How long one of AMD's tools may take. */
  toolLimitMs?: number
}

/** The AMD cards of this machine, by address: from sysfs, completed by ROCm's tools where they are installed. */
export async function detectAmd(options: DetectAmdOptions): Promise<Detection> {
  const { signal, programs = ROCM_PROGRAMS, toolLimitMs } = options
  signal.throwIfAborted()
  const sysfs = openSysfs(options.sysfs)
  const [seen, reports, hasKfd] = await Promise.all([
    readRecords(sysfs, options.idFiles ?? SYSTEM_ID_FILES),
    askTools(programs, signal, toolLimitMs),
    findKfd(sysfs, options),
  ])
  const { records, problems } = mergeReports(seen, reports)
  return {
    gpus: records.map((record, index) => ({ index, ...judge(record, hasKfd) })),
    problems: [...reports.flatMap(report => report.problems), ...problems],
  }
}

async function readRecords(sysfs: Sysfs, idFiles: IdFiles): Promise<AmdRecord[]> {
  const cards = await listPciCards(sysfs, AMD)
  if (cards.length === 0) return []
  const tables: NameTables = {
    amdgpuIds: await readFirst(idFiles.amdgpuIds),
    pciIds: await readFirst(idFiles.pciIds),
  }
  const nodes = await readKfdNodes(sysfs)
  return Promise.all(cards.map(card => readCard(sysfs, card, nodes, tables)))
}

/** One tool after the other: what the first has filled in stays. Cards that only a tool shows count once. */
function mergeReports(
  seen: AmdRecord[],
  reports: ToolReport[],
): { records: AmdRecord[]; problems: GpuProblem[] } {
  let records = seen
  const problems: GpuProblem[] = []
  for (const { source, cards } of reports) {
    const merged = merge(records, cards)
    const placed = merged.unmatched.filter(card => card.pciAddress !== null || records.length === 0)
    const lost = merged.unmatched.length - placed.length
    records = [...merged.records, ...placed.map(recordOf)]
    if (lost > 0)
      problems.push(toolProblem(source, `names no place for ${lost} of its cards, so they were left out`))
  }
  return { records: records.sort(byAddress), problems }
}

function byAddress({ readings: a }: AmdRecord, { readings: b }: AmdRecord): number {
  if (a.pciAddress === null || b.pciAddress === null) {
    return Number(a.pciAddress === null) - Number(b.pciAddress === null)
  }
  return a.pciAddress < b.pciAddress ? -1 : 1
}

async function findKfd(sysfs: Sysfs, { sysfs: root, dev }: DetectAmdOptions): Promise<boolean> {
  const devices = dev ?? (path.resolve(root) === "/sys" ? "/dev" : null)
  if (devices === null) return (await sysfs.resolve("class/kfd/kfd")) !== null
  return access(`${devices}/kfd`).then(
    () => true,
    () => false,
  )
}
