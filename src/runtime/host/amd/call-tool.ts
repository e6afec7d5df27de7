import { execa, type Result } from "execa"
import type { GpuProblem } from "../gpu.ts"

/** rocm-smi is a Python program and takes a second on a small processor; one that hangs in a driver never ends. */
export const TOOL_LIMIT_MS = 8000

const OUTPUT_LIMIT_CHARS = 4 << 20

export interface ToolAnswer {
  /** What it printed before it ended, or was ended. */
  output: string
  /** Null where it ended well. */
  problem: GpuProblem | null
}

/**
 * Runs a vendor's tool once, the first of the programs that is there.
 * @returns null where none is installed.
 * @throws the signal's reason when it is aborted.
 */
export async function callTool(
  source: string,
  programs: string[],
  args: string[],
  signal: AbortSignal,
  limitMs = TOOL_LIMIT_MS,
): Promise<ToolAnswer | null> {
  for (const program of programs) {
    signal.throwIfAborted()
    const result = await execa(program, args, {
      reject: false,
      stdin: "ignore",
      maxBuffer: OUTPUT_LIMIT_CHARS,
      cancelSignal: signal,
      timeout: limitMs,
      // A client that waits for a driver may not answer a polite signal.
      killSignal: "SIGKILL",
      killDescendants: true,
    })
    if (result.isCanceled) throw signal.reason
    if (result.code === "ENOENT") continue
    const { stdout = "", stderr = "", failed, timedOut } = result
    const ending = timedOut ? `did not answer within ${limitMs / 1000} s` : endingOf(result, String(stderr))
    return { output: String(stdout), problem: failed ? toolProblem(source, ending) : null }
  }
  return null
}

function endingOf(
  { signal, exitCode, code }: Pick<Result, "signal" | "exitCode" | "code">,
  stderr: string,
): string {
  const how = signal ? `was ended by ${signal}` : `failed (${exitCode ?? code ?? "not started"})`
  const last = stderr
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(-200)
  return last === "" ? how : `${how}: ${last}`
}

export function toolProblem(source: string, what: string): GpuProblem {
  return {
    source,
    message: `${source} ${what}.`,
    hint: `The AMD cards are read from sysfs without it. Run ${source} by hand to see what it needs; a restart of the machine ends a driver that hangs.`,
  }
}
