import type { output, ZodType } from "zod"
import { Fault, isFault } from "../../protocol/fault.ts"
import { printable } from "../container/docker.ts"
import type { Engine } from "../container/engine.ts"
import type { ShardLabels } from "../container/sandbox.ts"

/** gVisor starts in seconds, a card's driver may load first; the probe itself takes milliseconds. */
const END_LIMIT_MS = 60_000
const REMOVE_LIMIT_MS = 30_000
const SAID_CHARS = 300

/** How a container ended, and all that it said on stdout. */
export interface Ended {
  exitCode: number
  oomKilled: boolean
  stdout: string
}

/** Makes a container by these arguments, waits for its end and removes it. @throws as `probe`. */
export function runToEnd(
  engine: Engine,
  args: readonly string[],
  labels: ShardLabels,
  signal: AbortSignal,
): Promise<Ended> {
  const wait = async (id: string, within: AbortSignal) => {
    const exitCode = await engine.wait(id, within)
    const state = await engine.state(id, within)
    return { exitCode, oomKilled: state?.oomKilled ?? false, stdout: await stdoutOf(engine, id, within) }
  }
  return withContainer(engine, args, labels, wait, signal)
}

/** Makes and starts a container by these arguments, and removes it after `use`. @throws as `probe`. */
export async function withContainer<T>(
  engine: Engine,
  args: readonly string[],
  labels: ShardLabels,
  use: (id: string, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const limit = AbortSignal.timeout(END_LIMIT_MS)
  const either = AbortSignal.any([signal, limit])
  try {
    const id = await engine.create(args, either)
    await engine.start(id, either)
    return await use(id, either)
  } catch (error) {
    if (limit.aborted && error === limit.reason)
      throw failed(`it did not end within ${END_LIMIT_MS / 1000} s`)
    throw error
  } finally {
    // By its labels, for a creation may be cut off before it tells the id; and also when the caller has given up.
    await removeOrLeave(engine, labels)
  }
}

/** What an engine in trouble does not remove carries the agent's label, and the sweep at its next start finds it. */
async function removeOrLeave(engine: Engine, labels: ShardLabels): Promise<void> {
  const limit = AbortSignal.timeout(REMOVE_LIMIT_MS)
  try {
    await engine.removeAll(labels, limit)
  } catch (error) {
    if (!isFault(error) && error !== limit.reason) throw error
  }
}

async function stdoutOf(engine: Engine, id: string, signal: AbortSignal): Promise<string> {
  const lines: string[] = []
  for await (const line of engine.logs(id, "all", signal)) lines.push(line)
  return lines.join("\n")
}

/** What the probe printed, by its schema. @throws Fault `probe-failed`. */
export function parseSaid<Schema extends ZodType>(
  schema: Schema,
  exitCode: number,
  stdout: string,
): output<Schema> {
  if (exitCode !== 0) throw failed(`it ended with exit code ${exitCode}`, stdout)
  try {
    return schema.parse(JSON.parse(stdout))
  } catch (cause) {
    throw failed("what it printed is no report", stdout, cause)
  }
}

/** What stopped the probe from telling. */
export function failed(why: string, stdout = "", cause?: unknown): Fault {
  return new Fault("probe-failed", `The probe did not report from inside the container: ${why}.`, {
    hint: "See whether `docker run` works with another image; if it does, run `npm run build` to make the probe anew.",
    facts: { stdout: printable(stdout).slice(0, SAID_CHARS) },
    cause,
  })
}
