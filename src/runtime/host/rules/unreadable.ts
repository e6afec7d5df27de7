import { Fault } from "../../../protocol/fault.ts"

/** The fault that rules are when they cannot be read; a line of the file where one is to blame. */
export function unreadable(file: string, line: number | null, what: string, cause?: unknown): Fault {
  const where = line === null ? file : `${file}:${line}`
  return new Fault("rules-unreadable", `${where}: ${what}`, {
    hint: "Mend it: without its owner's rules the agent takes no work and measures no card. `zg-agent sandbox show` prints those in force.",
    facts: { file, line },
    cause,
  })
}
