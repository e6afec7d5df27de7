import { Fault } from "../../protocol/fault.ts"
import type { ContainerState } from "../container/engine.ts"
import type { End } from "./watch.ts"

/** A program that wrote a checkpoint when it was told to end says so with this code. */
const CUT_EXIT = 85
/** What the engine reports when the machine or the engine itself went down: SIGKILL, SIGTERM, unknown. */
const KILLED_EXITS = [137, 143, 255]
/** 128 + SIGXFSZ: a single file was over its limit. */
const FILE_TOO_LARGE_EXIT = 153
const CUTS_LIMIT = 32

/**
 * What a container's end means: null when all is well, `cut` when it goes on from its checkpoint, else the fault.
 * @param cuts how often it was cut before.
 * @param logTail the last lines of its log, already made printable.
 */
export function verdictOf(end: End, cuts: number, logTail: string): Fault | "cut" | null {
  const { state, breach } = end
  if (breach !== null) return breach
  if (state.exitCode === 0) return null
  if (state.oomKilled) return outOfMemory(state, logTail)
  const isCut = state.exitCode === CUT_EXIT || (end.unseen && KILLED_EXITS.includes(state.exitCode))
  if (isCut && cuts < CUTS_LIMIT) return "cut"
  if (state.exitCode === FILE_TOO_LARGE_EXIT) return fileTooLarge(state, logTail)
  return failed(state, logTail)
}

function failed({ exitCode }: ContainerState, log: string): Fault {
  return new Fault("shard-failed", `The program ended with exit code ${exitCode}.${ends(log)}`, {
    hint: "Run the image with the same command and inputs to see what it lacks.",
    facts: { exitCode, log },
  })
}

function outOfMemory({ exitCode }: ContainerState, log: string): Fault {
  return new Fault("shard-out-of-memory", `The shard used more memory than it may.${ends(log)}`, {
    hint: "Make its batches smaller, or ask for a higher resources.memoryMiB.",
    facts: { exitCode, log },
  })
}

function fileTooLarge({ exitCode }: ContainerState, log: string): Fault {
  return new Fault("shard-output-too-large", `The shard wrote a file over its limit.${ends(log)}`, {
    hint: "Write less, or ask for a higher limits.outMiB.",
    facts: { exitCode, log },
  })
}

function ends(log: string): string {
  return log === "" ? "" : ` Its log ends: ${log}`
}
