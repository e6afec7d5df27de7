import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { canonicalJson } from "../../protocol/digest.ts"
import { Fault, isFault } from "../../protocol/fault.ts"
import { printable } from "../container/docker.ts"
import type { Engine } from "../container/engine.ts"
import { type GpuPlacement, type Placement, type ShardLabels, sandboxArgs } from "../container/sandbox.ts"
import type { Expected } from "./honoured.ts"
import { prepareProbeImage } from "./image.ts"
import { NO_IMAGE, probePlacement } from "./placement.ts"
import { ProbeReport } from "./report.ts"

/** gVisor starts in seconds, a card's driver may load first; the probe itself takes milliseconds. */
const REPORT_LIMIT_MS = 60_000
const REMOVE_LIMIT_MS = 30_000
const SAID_CHARS = 300

export interface ProbeOptions {
  engine: Engine
  gpu: GpuPlacement
  /** The label by which this agent's containers are found. */
  home: string
  /** A folder for the probe's own files, an absolute path where the engine sees it; it is removed again if it was not there. */
  scratch: string
  /** A runtime such as `runsc` instead of the one that the engine was connected with. */
  runtime?: string
}

/**
 * Runs the probe in the sandbox that shards get and returns what it saw. The container is removed in any case.
 * @throws Fault `probe-missing`, `probe-failed`, `image-missing`, `container-not-created` with the engine's own words, `engine-*`.
 */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeReport> {
  const { engine, gpu, home, scratch } = options
  const made = await mkdir(scratch, { recursive: true, mode: 0o700 })
  const root = await mkdtemp(join(scratch, "probe-"))
  try {
    const image = await prepareProbeImage(engine, root, signal)
    const placement = probePlacement({ image, gpu, home, root, runtime: runtimeOf(options) })
    await makeFolders(placement)
    return await runProbe(engine, sandboxArgs(placement), placement.labels, signal)
  } finally {
    await rm(made === undefined ? root : scratch, { recursive: true, force: true })
  }
}

/** What `probe` with the same engine, card and runtime should see: for `dishonoured` and `unseen`. */
export function expectedOf(options: Pick<ProbeOptions, "engine" | "gpu" | "runtime">): Expected {
  const { engine, gpu } = options
  const runtime = runtimeOf(options)
  const place = { image: NO_IMAGE, gpu, home: "", root: "/", runtime }
  const isolation = options.runtime?.startsWith("runsc") ? "gvisor" : engine.facts.isolation
  return { placement: probePlacement(place), isolation }
}

function runtimeOf({ engine, runtime }: Pick<ProbeOptions, "engine" | "runtime">): string | null {
  return runtime ?? engine.facts.runtimeFlag
}

async function makeFolders({ spec, folders: { spec: path, out, checkpoint } }: Placement): Promise<void> {
  for (const folder of [out, checkpoint]) {
    await mkdir(folder)
    // Only this user enters the folder above.
    await chmod(folder, 0o777)
  }
  await writeFile(path, canonicalJson(spec), { mode: 0o444 })
}

/**
 * Makes a container by these arguments, reads the probe's report from its stdout and removes it.
 * @param args as `sandboxArgs` makes them. @throws as `probe`.
 */
export async function runProbe(
  engine: Engine,
  args: readonly string[],
  labels: ShardLabels,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const limit = AbortSignal.timeout(REPORT_LIMIT_MS)
  const either = AbortSignal.any([signal, limit])
  try {
    const id = await engine.create(args, either)
    await engine.start(id, either)
    return parseReport(await engine.wait(id, either), await stdoutOf(engine, id, either))
  } catch (error) {
    if (limit.aborted && error === limit.reason)
      throw failed(`it did not end within ${REPORT_LIMIT_MS / 1000} s`)
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

/** @throws Fault `probe-failed`. */
export function parseReport(exitCode: number, stdout: string): ProbeReport {
  if (exitCode !== 0) throw failed(`it ended with exit code ${exitCode}`, stdout)
  try {
    return ProbeReport.parse(JSON.parse(stdout))
  } catch (cause) {
    throw failed("what it printed is no report", stdout, cause)
  }
}

function failed(why: string, stdout = "", cause?: unknown): Fault {
  return new Fault("probe-failed", `The probe did not report from inside the container: ${why}.`, {
    hint: "See whether `docker run` works with another image; if it does, run `npm run build` to make the probe anew.",
    facts: { stdout: printable(stdout).slice(0, SAID_CHARS) },
    cause,
  })
}
