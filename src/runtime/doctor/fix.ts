import { rm } from "node:fs/promises"
import { execa } from "execa"
import { askControl } from "../agent/control.ts"
import type { Home } from "../agent/home.ts"
import { printable } from "../container/docker.ts"

const RUN_LIMIT_MS = 90_000
const STDERR_CHARS = 300

/** Something that can be done safely: nothing that touches a driver, removes data or installs a program. */
export type Fix =
  /** A command, exactly as it is shown. */
  | { kind: "run"; argv: readonly [string, ...string[]] }
  /** The control socket of an agent that has ended without order. */
  | { kind: "remove-socket"; path: string }

export interface DoneFix {
  shown: string
  ok: boolean
  /** Why it did not work. */
  message: string | null
}

/** The fix as a command line, before it is done and in the report. */
export function shownFix(fix: Fix): string {
  return (fix.kind === "run" ? fix.argv : ["rm", fix.path]).map(quoted).join(" ")
}

/** Does one fix; a failure is told, not thrown. Throws only the signal's reason when it is aborted. */
export async function carryOut(fix: Fix, openHome: () => Home, signal: AbortSignal): Promise<DoneFix> {
  const shown = shownFix(fix)
  try {
    if (fix.kind === "run") await run(fix.argv, signal)
    else await removeSocket(fix.path, openHome())
    return { shown, ok: true, message: null }
  } catch (error) {
    signal.throwIfAborted()
    return { shown, ok: false, message: (error as Error).message }
  }
}

async function run([program, ...args]: readonly [string, ...string[]], signal: AbortSignal): Promise<void> {
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    timeout: RUN_LIMIT_MS,
    cancelSignal: signal,
    killDescendants: true,
  })
  if (!result.failed) return
  if (result.timedOut) throw new Error(`It did not end within ${RUN_LIMIT_MS / 1000} s.`)
  const said = printable(String(result.stderr ?? "").trim()).slice(-STDERR_CHARS)
  throw new Error(said || result.shortMessage)
}

/** An agent may have started while the owner thought about it. */
async function removeSocket(path: string, home: Home): Promise<void> {
  if ((await askControl(home)) !== null) throw new Error("An agent serves there now.")
  await rm(path, { force: true })
}

/** Quoted for a POSIX shell where it needs to be. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
