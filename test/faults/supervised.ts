import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { appendFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import type { Timeline } from "./timeline.ts"

/** What supervisors such as systemd are told in practice. */
const RESTART_MS = 1000
const STOP_LIMIT_MS = 60_000

export interface Command {
  program: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
}

export interface Supervision {
  name: string
  /** Asked at each start, so that the next process can be given something else. */
  command: () => Command
  /** Where all that it prints is kept. */
  log: string
  timeline: Timeline
}

/** A process that is started again a second after its end, whoever ended it, until it is stopped. */
export class Supervised {
  readonly #supervision: Supervision
  #process: ChildProcess | null = null
  #stopping = new AbortController()
  #keeping: Promise<void> = Promise.resolve()
  /** Resolves at the next launch. */
  #launched = Promise.withResolvers<void>()
  /** Its end was asked for by this harness and has not been seen yet. */
  #struck = false
  /** How it ended without being asked to, since it was last looked at. */
  #ends: string[] = []

  constructor(supervision: Supervision) {
    this.#supervision = supervision
  }

  start(): void {
    this.#stopping = new AbortController()
    this.#keeping = this.#keep(this.#stopping.signal)
  }

  /** Ends the present process: by SIGKILL it gets no chance to put things in order. Resolves when the next one has been started. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const next = this.#launched.promise
    this.#struck = true
    this.#process?.kill(signal)
    await next
  }

  pause(): void {
    this.#process?.kill("SIGSTOP")
  }

  resume(): void {
    this.#process?.kill("SIGCONT")
  }

  /** Asks it to end, waits, and starts no other. False when it had to be killed. */
  async stop(): Promise<boolean> {
    this.#stopping.abort()
    const running = this.#process
    let killed = false
    const late = setTimeout(() => {
      killed = true
      running?.kill("SIGKILL")
    }, STOP_LIMIT_MS)
    running?.kill("SIGTERM")
    await this.#keeping
    clearTimeout(late)
    return !killed
  }

  takeEnds(): string[] {
    return this.#ends.splice(0)
  }

  async #keep(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const code = await this.#runOnce()
      if (!this.#struck && !stop.aborted) this.#ends.push(`${this.#supervision.name} ended with ${code}`)
      this.#struck = false
      if (!stop.aborted) await sleep(RESTART_MS, undefined, { signal: stop }).catch(() => {})
    }
  }

  async #runOnce(): Promise<string> {
    const { program, args, env } = this.#supervision.command()
    // A process group of its own keeps the terminal's Ctrl-C from it.
    const running = spawn(program, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] })
    this.#process = running
    this.#launched.resolve()
    this.#launched = Promise.withResolvers()
    for (const stream of [running.stdout, running.stderr])
      createInterface({ input: stream }).on("line", line => this.#hear(line))
    const [code, signal] = await once(running, "exit")
    this.#process = null
    return String(code ?? signal)
  }

  #hear(line: string): void {
    const { name, log, timeline } = this.#supervision
    const at = Date.now()
    appendFileSync(log, `${at} ${line}\n`)
    if (!line.startsWith("{")) return
    try {
      const { event, ...fields } = JSON.parse(line) as Record<string, unknown>
      if (typeof event === "string") timeline.add({ by: name, at, event, fields })
    } catch {
      // A process that is killed may leave half a line.
    }
  }
}
