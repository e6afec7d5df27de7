import { execa } from "execa"

/** How one call of nvidia-smi ended; what it printed before a limit ended it is kept. */
export interface Reply {
  ended: "well" | "badly" | "silent" | "absent"
  stdout: string
  stderr: string
}

/** Milliseconds for one call: without persistence mode the driver wakes eight cards on risers one after the other. */
export const ANSWER_LIMIT_MS = 20_000
/** Far more than a hundred cards print. */
const OUTPUT_LIMIT_CHARS = 32 << 20

export interface AskOptions {
  signal: AbortSignal
  program: string
  /** Milliseconds for one call. */
  timeoutMs: number
}

/** Calls nvidia-smi once; throws only the signal's reason when it is aborted. */
export async function ask(args: string[], { signal, program, timeoutMs }: AskOptions): Promise<Reply> {
  signal.throwIfAborted()
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    maxBuffer: OUTPUT_LIMIT_CHARS,
    cancelSignal: signal,
    timeout: timeoutMs,
    // A driver that hangs leaves the tool deaf to polite signals.
    killSignal: "SIGKILL",
    // A wrapper's child would hold the pipes open after it.
    killDescendants: true,
    env: { LC_ALL: "C" },
  })
  if (result.isCanceled) throw signal.reason
  const { stdout = "", stderr = "", code } = result
  const spawned = code !== "EACCES" && code !== "ENOEXEC"
  return {
    ended: ending(result),
    stdout: String(stdout),
    stderr: spawned ? String(stderr) : `${program} could not be run: permission denied (${code}).`,
  }
}

function ending(result: { timedOut: boolean; failed: boolean; code?: string | undefined }): Reply["ended"] {
  if (result.timedOut) return "silent"
  if (result.code === "ENOENT") return "absent"
  return result.failed ? "badly" : "well"
}
