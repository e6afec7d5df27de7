import { closeSync, openSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import { Fault, isFaultCode } from "../../src/protocol/fault.ts"

const CLI = join(import.meta.dirname, "../../bin/run.js")
const STOP_LIMIT_MS = 20_000

/** Runs one command of the built CLI with --json and gives its answer. @throws the fault that it answered with. */
export async function zgAgent<T>(home: string, args: string[], signal: AbortSignal): Promise<T> {
  const { stdout, stderr, exitCode } = await execa(process.execPath, [CLI, ...args, "--json"], {
    env: { ZG_HOME: home },
    reject: false,
    cancelSignal: signal,
  })
  signal.throwIfAborted()
  const answer = parse(stdout)
  if (exitCode === 0) return answer as T
  const { error } = answer as { error?: { code: string; message: string; hint: string } }
  if (error && isFaultCode(error.code)) throw new Fault(error.code, error.message, { hint: error.hint })
  throw new Error(`zg-agent ${args.join(" ")} ended with ${exitCode}: ${stderr || stdout}`)
}

function parse(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch {
    return {}
  }
}

/** A command that runs until it is stopped, and where its log lies. */
export interface Program {
  name: string
  process: ReturnType<typeof launch>
  log: string
}

/** What it prints goes straight to its log: it must be able to end in order when this process is gone. */
export function start(name: string, home: string, args: string[]): Program {
  const log = `${home}.log`
  const file = openSync(log, "a")
  const running = launch(home, args, file)
  closeSync(file)
  return { name, process: running, log }
}

/** A process group of its own keeps the terminal's Ctrl-C from it: it is stopped in order. */
function launch(home: string, args: string[], file: number) {
  // execa's types name only 1 and 2, but it hands any open file descriptor on as it is.
  const output = file as 1
  const options = { env: { ZG_HOME: home }, reject: false, detached: true, stdin: "ignore" } as const
  return execa(process.execPath, [CLI, ...args], { ...options, stdout: output, stderr: output })
}

/** Follows a command that prints lines of JSON until it ends or the signal aborts. */
export async function* follow(home: string, args: string[], signal: AbortSignal): AsyncGenerator<unknown> {
  const options = { env: { ZG_HOME: home }, reject: false, detached: true, buffer: false } as const
  const running = execa(process.execPath, [CLI, ...args, "--json"], options)
  const end = () => running.kill()
  signal.addEventListener("abort", end, { once: true })
  try {
    for await (const line of createInterface({ input: running.stdout })) yield JSON.parse(line)
  } finally {
    signal.removeEventListener("abort", end)
    end()
    await running
  }
}

/** Asks a program to end, waits, and kills it if it does not. */
export async function stop({ process: running }: Program): Promise<void> {
  running.kill("SIGTERM")
  const late = setTimeout(() => running.kill("SIGKILL"), STOP_LIMIT_MS)
  await running
  clearTimeout(late)
}

/** Rejects when the program ends by itself, which none of ours should. */
export async function endedEarly({ name, process: running, log }: Program): Promise<never> {
  const { exitCode } = await running
  throw new Fault("not-serving", `${name} ended early with ${exitCode}.`, { hint: `See why in ${log}.` })
}

/** Waits until the marketplace answers. */
export async function untilHealthy(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url.replace(/^ws/, "http")}/healthz`, { signal }).catch(() => null)
    signal.throwIfAborted()
    if (answer?.ok) return
    await sleep(100, undefined, { signal })
  }
}

/** The first free port from `first` on. */
export async function freePort(first: number): Promise<number> {
  for (let port = first; ; port++) {
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once("error", () => resolve(false))
      server.listen(port, "127.0.0.1", () => resolve(true))
    })
    if (free) await new Promise(resolve => server.close(resolve))
    if (free) return port
  }
}
