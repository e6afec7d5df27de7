import { readFile } from "node:fs/promises"
import os from "node:os"

/** Instruction sets that decide how fast a container computes; null where the machine does not tell. */
export interface InstructionSets {
  avx: boolean | null
  avx2: boolean | null
  avx512: boolean | null
  amx: boolean | null
}

export interface Processor {
  model: string | null
  /** Null where the machine does not tell. */
  physicalCores: number | null
  /** Those that this program may use. */
  logicalCores: number
  instructionSets: InstructionSets
}

const UNKNOWN: InstructionSets = { avx: null, avx2: null, avx512: null, amx: null }

/** Looks at the processor; what another system than Linux tells is its model and cores alone. */
export async function lookAtProcessor(path = "/proc/cpuinfo"): Promise<Processor> {
  const logicalCores = os.availableParallelism()
  const text = await readFile(path, "utf8").catch(() => null)
  if (text !== null) return { ...parseCpuInfo(text), logicalCores }
  // Loaded here because it takes memory for as long as this program runs.
  const { default: si } = await import("systeminformation")
  const { manufacturer, brand, physicalCores } = await si.cpu()
  const model = `${manufacturer} ${brand}`.trim() || null
  return { model, physicalCores: physicalCores || null, logicalCores, instructionSets: UNKNOWN }
}

/**
 * What `/proc/cpuinfo` says (proc_cpuinfo(5)). Only x86 has these instruction sets and writes them as `flags`: elsewhere they are null.
 */
export function parseCpuInfo(text: string): Omit<Processor, "logicalCores"> {
  const blocks = text.split(/\n\s*\n/).map(fieldsOf)
  const processors = blocks.filter(fields => fields.has("processor"))
  const [first = new Map<string, string>()] = processors
  const flags = first.get("flags")
  return {
    model: first.get("model name") ?? blocks.at(-1)?.get("Model") ?? null,
    physicalCores: physicalCoresOf(processors),
    instructionSets: flags === undefined ? UNKNOWN : instructionSetsIn(new Set(flags.split(/\s+/))),
  }
}

/** As the kernel writes them (Linux, arch/x86/include/asm/cpufeatures.h). */
function instructionSetsIn(flags: ReadonlySet<string>): InstructionSets {
  return {
    avx: flags.has("avx"),
    avx2: flags.has("avx2"),
    avx512: flags.has("avx512f"),
    amx: flags.has("amx_tile"),
  }
}

/** Threads of one core share its number within its socket. */
function physicalCoresOf(processors: readonly Map<string, string>[]): number | null {
  const cores = processors.map(fields => {
    const core = fields.get("core id")
    return core === undefined ? null : `${fields.get("physical id") ?? 0}/${core}`
  })
  return cores.length === 0 || cores.includes(null) ? null : new Set(cores).size
}

function fieldsOf(block: string): Map<string, string> {
  return new Map(
    block.split("\n").flatMap(line => {
      const [, name, value] = /^([^\t:]+?)\s*:\s*(.*)$/.exec(line) ?? []
      return name === undefined || value === undefined ? [] : [[name, value.trim()] as const]
    }),
  )
}
