import { Fault } from "../../protocol/fault.ts"
import type { ContainerState } from "../container/engine.ts"
import type { End } from "./watch.ts"

/** A program that wrote a checkpoint when it was told to end says so with this code. */
const CUT_EXIT = 85
/** What the engine reports when somebody else ended the container, or the machine or the engine itself went down: SIGKILL, SIGTERM, unknown. */
const KILLED_EXITS = [137, 143, 255]
/** 128 + SIGXFSZ: a single file was over its limit. */
const FILE_TOO_LARGE_EXIT = 153

/**
 * What a container's end means: null when all is well, `cut` when it goes on from its checkpoint, else the fault. A kill is no fault of
 * the shard's unless it was for a limit; how often it may be killed, its account of cuts says.
 * @param logTail the last lines of its log, already made printable.
 */
export function verdictOf(
  { state, breach }: Pick<End, "state" | "breach">,
  logTail: string,
): Fault | "cut" | null {
  if (breach !== null) return breach
  if (state.exitCode === 0) return isUnseenEnd(state) ? "cut" : null
  if (state.oomKilled) return outOfMemory(state, logTail)
  if (state.exitCode === CUT_EXIT || KILLED_EXITS.includes(state.exitCode)) return "cut"
  if (state.exitCode === FILE_TOO_LARGE_EXIT) return fileTooLarge(state, logTail)
  return failed(state, logTail)
}

/** The fault of a shard that was cut off too often. */
export function cutOff({ exitCode }: ContainerState, logTail: string): Fault {
  return new Fault(
    "shard-cut-off",
    `The shard was cut off too often without an end (exit code ${exitCode}).${ends(logTail)}`,
    {
      hint: "See whether its program ends itself, and have it write a checkpoint to /shard/checkpoint at SIGTERM and now and then.",
      facts: { exitCode, log: logTail },
    },
  )
}

/** An engine that was down when a container ended can tell 0 because it does not know; then it has no time of the end either. */
function isUnseenEnd({ finishedAt }: ContainerState): boolean {
  return !(Date.parse(finishedAt) > 0)
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
