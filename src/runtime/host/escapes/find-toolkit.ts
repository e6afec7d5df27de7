import { execa } from "execa"
import { printedVersion } from "./version.ts"

const ANSWER_LIMIT_MS = 5000
/** Any of them may be there without the others: the base package has no hook, Docker's has no tool. */
const PROGRAMS = ["nvidia-ctk", "nvidia-container-toolkit", "nvidia-container-cli"] as const

export interface Toolkit {
  program: string
  /** Null where the program does not tell it. */
  version: string | null
}

/** NVIDIA's Container Toolkit as its own programs on PATH tell it; null where there is none. */
export async function findToolkit(signal: AbortSignal): Promise<Toolkit | null> {
  let silent: Toolkit | null = null
  for (const program of PROGRAMS) {
    const result = await execa(program, ["--version"], {
      reject: false,
      stdin: "ignore",
      timeout: ANSWER_LIMIT_MS,
      cancelSignal: signal,
      killSignal: "SIGKILL",
      killDescendants: true,
    })
    signal.throwIfAborted()
    if (result.code === "ENOENT") continue
    const version = printedVersion(`${result.stdout ?? ""}\n${result.stderr ?? ""}`)
    if (version !== null) return { program, version }
    silent ??= { program, version: null }
  }
  return silent
}
