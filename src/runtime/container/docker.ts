import { execa } from "execa"
import { Fault } from "../../protocol/fault.ts"

/** How one call of the engine's command line ended; a call that never ran or was ended by a limit throws instead. */
export interface Answer {
  ok: boolean
  exitCode: number
  stdout: string
  stderr: string
}

export interface CallOptions {
  signal: AbortSignal
  /** Milliseconds; absent only where the signal is the limit, because the call lasts as long as the shard. */
  timeoutMs?: number
  env?: Record<string, string>
  /** The folder to call it from, where that matters. */
  cwd?: string
  /** A file that takes stdout and stderr in the order they come. */
  intoFd?: number
}

const OUTPUT_LIMIT_CHARS = 16 << 20
const STDERR_FACT_CHARS = 600

/**
 * Calls the engine's command line once.
 * @throws Fault `engine-missing` or `engine-silent`; the signal's reason when it is aborted.
 */
export async function callDocker(program: string, args: string[], options: CallOptions): Promise<Answer> {
  options.signal.throwIfAborted()
  // execa's types name only 1 and 2, but it hands any open file descriptor on as it is.
  const output = (options.intoFd as 1 | undefined) ?? "pipe"
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    stdout: output,
    stderr: output,
    maxBuffer: OUTPUT_LIMIT_CHARS,
    cancelSignal: options.signal,
    // A client whose engine hangs may not answer a polite signal either.
    killSignal: "SIGKILL",
    // A helper of the client (a plugin, ssh) would hold the pipes open after it.
    killDescendants: true,
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { DOCKER_CLI_HINTS: "false", ...options.env },
  })
  if (result.isCanceled) throw options.signal.reason
  if (result.timedOut) throw silent(program, args, options.timeoutMs ?? 0)
  if (result.code === "ENOENT" || result.code === "EACCES") throw missing(program, result.code)
  const { exitCode = 1, stdout = "", stderr = "" } = result
  return { ok: !result.failed, exitCode, stdout: String(stdout), stderr: String(stderr) }
}

/** What an engine said on stderr, fit for a fault's facts. */
export function stderrFact(stderr: string): string {
  return printable(stderr.trim()).slice(-STDERR_FACT_CHARS)
}

/** Text from a stranger without control characters, so that it can neither move a cursor nor forge a log line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ")
}

function missing(program: string, code: string): Fault {
  return new Fault("engine-missing", `No container engine was found: ${program} is not on PATH.`, {
    hint: program.endsWith("podman")
      ? "Install Podman (https://podman.io/docs/installation), then try again."
      : "Install Docker (https://docs.docker.com/engine/install/), then try again.",
    facts: { program, code },
  })
}

function silent(program: string, [command = ""]: string[], timeoutMs: number): Fault {
  return new Fault("engine-silent", `The container engine did not answer within ${timeoutMs / 1000} s.`, {
    hint: program.endsWith("podman")
      ? "See whether `podman ps` answers; `podman system migrate` ends what hangs of it."
      : "Restart it (`sudo systemctl restart docker`), then try again.",
    facts: { program, command, timeoutMs },
  })
}
