import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import { type Fault, isFault } from "../../../protocol/fault.ts"
import { GO, heard, type Said, type Task } from "./said.ts"
import type { Command } from "./seal.ts"
import { watchdog } from "./watchdog.ts"

/** How long a child may say nothing before it is taken for hung. A sweep over a large memory behind a bad riser is a matter of seconds. */
const SILENCE_LIMIT_MS = 60_000
/** How long a killed process may take to be gone; one that a driver holds on to never is. */
const END_LIMIT_MS = 10_000
const KEPT_LINES = 5
const LINE_CHARS = 200

export interface ChildOptions {
  task: Task
  /** The whole may take so long, in milliseconds. */
  limitMs: number
  silenceMs?: number | undefined
  /** What the child runs in: {@link sealed}, or nothing. */
  wrap?: ((command: Command) => Command) | undefined
  /** Aborts with the fault for which this card alone has to be stopped. */
  stop?: AbortSignal | undefined
  /** `go` tells a child that is ready to take its figure. */
  onSaid: (said: Said, go: () => void) => void
}

/** How a child ended. */
export type Ending =
  | { kind: "done" }
  /** It ended without having said that it is done; `said` is the last that it or its driver printed. */
  | { kind: "crashed"; how: string; said: string }
  /** It was killed; `isGone` unless a driver holds on to it. */
  | { kind: "silent" | "late"; limitMs: number; isGone: boolean }
  /** It was stopped for a reason that is not its own, and killed if it had begun. */
  | { kind: "stopped"; why: Fault; isGone: boolean }

/**
 * Measures in a process of its own, and kills it when it is silent or late, or by a signal: at once, as a driver that hangs hears nothing else.
 * What it had on the card ends with it.
 * @throws the signal's reason.
 */
export async function runChild(
  { task, limitMs, silenceMs = SILENCE_LIMIT_MS, wrap = command => command, stop, onSaid }: ChildOptions,
  signal: AbortSignal,
): Promise<Ending> {
  signal.throwIfAborted()
  if (stop?.aborted) return stopped(stop, true)
  const child = start(wrap)
  using dog = watchdog({ limitMs, silenceMs }, stop === undefined ? signal : AbortSignal.any([signal, stop]))
  const printed: string[] = []
  let isDone = false
  const go = () => {
    dog.wake()
    child.stdin.write(`${GO}\n`)
  }
  const hear = (line: string) => {
    const said = heard(line)
    dog.wake()
    if (said === null) keep(printed, line)
    else if (said.type === "done") isDone = true
    else {
      if (said.type === "ready") dog.rest()
      onSaid(said, go)
    }
  }
  // A child that is already gone has closed it.
  child.stdin.on("error", () => {})
  child.stdin.write(`${JSON.stringify(task)}\n`)
  const read = Promise.all([each(child, "stdout", hear), each(child, "stderr", line => keep(printed, line))])
  const barked = await Promise.race([child.then(() => null), dog.barked])
  if (barked !== null) {
    const isGone = await kill(child)
    signal.throwIfAborted()
    if (stop?.aborted) return stopped(stop, isGone)
    return {
      kind: barked === "late" ? "late" : "silent",
      limitMs: barked === "late" ? limitMs : silenceMs,
      isGone,
    }
  }
  await read
  if (isDone) return { kind: "done" }
  const { signal: killedBy, exitCode } = await child
  return { kind: "crashed", how: killedBy ?? `exit code ${exitCode ?? "unknown"}`, said: printed.join("\n") }
}

function stopped({ reason }: AbortSignal, isGone: boolean): Ending {
  if (!isFault(reason)) throw reason
  return { kind: "stopped", why: reason, isGone }
}

type Child = ReturnType<typeof start>

/** This very Node runs the program beside this file, from the source or from the package. */
function start(wrap: (command: Command) => Command) {
  const file = fileURLToPath(new URL(`./measure-card${extname(import.meta.url)}`, import.meta.url))
  const [program, ...args] = wrap([process.execPath, file])
  return execa(program, args, { reject: false, buffer: false, stdin: "pipe", stdout: "pipe", stderr: "pipe" })
}

async function each(child: Child, from: "stdout" | "stderr", hear: (line: string) => void): Promise<void> {
  try {
    for await (const line of child.iterable({ from })) hear(line)
  } catch {
    // How the process ended is told elsewhere.
  }
}

function keep(printed: string[], line: string): void {
  if (line.trim() !== "") printed.push(line.slice(0, LINE_CHARS))
  if (printed.length > KEPT_LINES) printed.shift()
}

/** Whether the process is gone in time. */
async function kill(child: Child): Promise<boolean> {
  child.kill("SIGKILL")
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), END_LIMIT_MS)
  try {
    return await Promise.race([child.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
