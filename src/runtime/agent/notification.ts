import { execa } from "execa"
import type { Logger } from "pino"

const CALL_LIMIT_MS = 10_000
const USEC = 1000

/** What a supervisor such as systemd gave this process in its environment (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Supervision {
  /** Path or, with `@`, abstract name of a datagram socket. */
  socket: string
  /** How long it waits for a sign of life, in milliseconds; null when it wants none. */
  watchdogMs: number | null
}

/**
 * Takes the supervisor's variables out of the environment: an engine's client that inherits them may hand the socket on to a container
 * (Podman does), and a shard must not speak for the agent.
 * @returns null without a supervisor.
 */
export function takeSupervision(env: NodeJS.ProcessEnv, pid: number): Supervision | null {
  const { NOTIFY_SOCKET: socket = "", WATCHDOG_USEC: usec = "", WATCHDOG_PID: of = "" } = env
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name]
  if (!/^[/@]./.test(socket)) return null
  const isMine = of === "" || of === String(pid)
  return { socket, watchdogMs: isMine && /^[1-9]\d*$/.test(usec) ? Number(usec) / USEC : null }
}

/** Variables of the protocol, such as `READY: "1"`. */
export type Said = Record<string, string>

/**
 * Speaks to a supervisor, one datagram after the other, through the program `systemd-notify`: Node.js has no datagram sockets of the UNIX
 * kind. One call takes about 7 ms of a processor. The message comes from a child of the agent, so that the unit has to allow it with
 * `NotifyAccess=all`.
 */
export class Notifier {
  readonly #supervision: Supervision
  readonly #log: Logger
  #last: Promise<void> = Promise.resolve()
  #isMute = false

  constructor(supervision: Supervision, log: Logger) {
    this.#supervision = supervision
    this.#log = log
  }

  /** Resolves when the supervisor has it, or cannot be told. */
  say(said: Said): Promise<void> {
    this.#last = this.#last.then(() => this.#send(said))
    return this.#last
  }

  async #send(said: Said): Promise<void> {
    if (this.#isMute) return
    const args = Object.entries(said).map(([name, value]) => `${name}=${value.replace(/[\r\n]+/g, " ")}`)
    const { failed, code, stderr } = await execa("systemd-notify", args, {
      reject: false,
      stdin: "ignore",
      timeout: CALL_LIMIT_MS,
      env: { NOTIFY_SOCKET: this.#supervision.socket },
    })
    if (!failed) return
    this.#isMute = code === "ENOENT"
    const hint = this.#isMute ? "Install systemd-notify (Debian: systemd), or use Type=exec." : stderr
    this.#log.warn({ said: Object.keys(said), hint }, "supervisor.unreachable")
  }
}
