import { isFault } from "../../src/protocol/fault.ts"

/** Runs a script: a fault is told with its hint and becomes the exit code; anything else is a bug, with its stack. */
export async function tellFaults(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    process.exitCode = isFault(error) ? error.exitCode : 1
    console.error(
      isFault(error) ? `${error.message}\n  ${error.hint}\n  (${error.area}: ${error.code})` : error,
    )
  }
}
