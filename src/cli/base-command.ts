import { Command, Flags } from "@oclif/core"
import type { Logger } from "pino"
import { EXIT_CODES, Fault } from "../protocol/fault.ts"
import { type Home, openHome } from "../runtime/agent/home.ts"
import { openLog } from "./log.ts"

const LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const

/** Exit codes of a process that a signal ended, as shells count them. */
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** What each command shares: where the state lies, the log, an end by signal, and faults in one form. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    home: Flags.directory({
      description: "folder that holds all state of this agent",
      env: "ZG_HOME",
      helpGroup: "GLOBAL",
      helpValue: "DIR",
    }),
    "log-level": Flags.option({ options: LEVELS })({
      description: "what goes to stderr",
      default: "info",
      env: "ZG_LOG_LEVEL",
      helpGroup: "GLOBAL",
    }),
  }

  #stop = new AbortController()

  /** Aborts when the process is asked to end; a second request ends it at once. */
  protected get signal(): AbortSignal {
    return this.#stop.signal
  }

  protected openHome(flags: { home?: string | undefined }): Home {
    return openHome(flags.home ?? this.config.dataDir)
  }

  protected openLog(flags: { "log-level": string }): Logger {
    return openLog(flags["log-level"])
  }

  /** Name and version, as the other end's log shows them. */
  protected get agentName(): string {
    return `${this.config.name}/${this.config.version}`
  }

  protected override async init(): Promise<void> {
    await super.init()
    for (const name of Object.keys(SIGNAL_EXITS) as (keyof typeof SIGNAL_EXITS)[]) {
      // A dependency of conf raises each signal again after its own clean-up, which would be the second one here.
      process.removeAllListeners(name)
      process.on(name, () => {
        if (this.#stop.signal.aborted) process.exit(SIGNAL_EXITS[name])
        process.exitCode = SIGNAL_EXITS[name]
        this.#stop.abort(new DOMException(`Ended by ${name}.`, "AbortError"))
      })
    }
  }

  /** A command that streams JSON lines has no result of its own to print. */
  protected override logJson(json: unknown): void {
    if (json !== undefined) super.logJson(json)
  }

  /** A fault is told with its hint and ends the process with its area's code; anything else is a bug, and ends it with 1. */
  protected override async catch(error: Error & { oclif?: { exit?: number } }): Promise<void> {
    if (this.signal.aborted && error === this.signal.reason) return
    const shown = error instanceof Fault ? error : usageFault(error)
    if (shown === null) throw error
    process.exitCode = shown.exitCode
    if (this.jsonEnabled()) this.logJson({ error: shown })
    else this.logToStderr(`${shown.message}\n  ${shown.hint}\n  (${shown.area}: ${shown.code})`)
  }
}

/** oclif's own parse errors, in our form. */
function usageFault(error: Error & { oclif?: { exit?: number } }): Fault | null {
  if (error.oclif?.exit !== EXIT_CODES.usage) return null
  const [first = error.message] = error.message.split("\nSee more help")
  return new Fault("bad-argument", first.replace("The following error occurred:", "").trim(), {
    hint: "Run the command with --help to see what it takes.",
    cause: error,
  })
}
