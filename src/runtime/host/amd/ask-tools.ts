import type { GpuProblem } from "../gpu.ts"
import { AMD_SMI_METRIC, AMD_SMI_STATIC, parseAmdSmi } from "./amd-smi.ts"
import { callTool, type ToolAnswer, toolProblem } from "./call-tool.ts"
import type { SmiCard } from "./record.ts"
import { parseRocmSmi, ROCM_SMI_ARGUMENTS, ROCM_SMI_FALLBACK } from "./rocm-smi.ts"

/** Where ROCm's tools may be: the first that is there is used. */
export interface Programs {
  rocmSmi: string[]
  amdSmi: string[]
}

export const ROCM_PROGRAMS: Programs = {
  rocmSmi: ["rocm-smi", "/opt/rocm/bin/rocm-smi"],
  amdSmi: ["amd-smi", "/opt/rocm/bin/amd-smi"],
}

export interface ToolReport {
  source: string
  cards: SmiCard[]
  problems: GpuProblem[]
}

/** Asks both tools at once; one that is not installed says nothing. */
export async function askTools(
  programs: Programs,
  signal: AbortSignal,
  limitMs?: number,
): Promise<ToolReport[]> {
  return Promise.all([
    askAmdSmi(programs.amdSmi, signal, limitMs),
    askRocmSmi(programs.rocmSmi, signal, limitMs),
  ])
}

async function askAmdSmi(programs: string[], signal: AbortSignal, limitMs?: number): Promise<ToolReport> {
  const answers = await Promise.all(
    [AMD_SMI_STATIC, AMD_SMI_METRIC].map(args => callTool("amd-smi", programs, args, signal, limitMs)),
  )
  return report("amd-smi", answers, outputs => parseAmdSmi(outputs))
}

async function askRocmSmi(programs: string[], signal: AbortSignal, limitMs?: number): Promise<ToolReport> {
  const call = (args: string[]) => callTool("rocm-smi", programs, args, signal, limitMs)
  const asked = await call(ROCM_SMI_ARGUMENTS)
  // Exit code 2 is argparse's: this version does not know one of the flags.
  const answer = asked?.problem?.message.includes("failed (2)") ? await call(ROCM_SMI_FALLBACK) : asked
  return report("rocm-smi", [answer], ([output = ""]) => parseRocmSmi(output))
}

function report(
  source: string,
  answers: (ToolAnswer | null)[],
  parse: (outputs: string[]) => SmiCard[] | null,
): ToolReport {
  const given = answers.filter(answer => answer !== null)
  if (given.length === 0) return { source, cards: [], problems: [] }
  const cards = parse(given.map(answer => answer.output))
  const problem = given.find(answer => answer.problem !== null)?.problem
  const unread = cards === null ? toolProblem(source, "printed nothing that can be read") : null
  const told = problem ?? unread
  return { source, cards: cards ?? [], problems: told ? [told] : [] }
}
