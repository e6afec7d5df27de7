import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { canonicalJson } from "../../protocol/digest.ts"
import type { Isolation } from "../../protocol/proof.ts"
import type { Engine } from "../container/engine.ts"
import { type GpuPlacement, type Placement, type ShardLabels, sandboxArgs } from "../container/sandbox.ts"
import type { Expected } from "./honoured.ts"
import { prepareProbeImage } from "./image.ts"
import { NO_IMAGE, probePlacement } from "./placement.ts"
import { ProbeReport } from "./report.ts"
import { parseSaid, runToEnd } from "./run.ts"

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
  const place = { image: NO_IMAGE, gpu: options.gpu, home: "", root: "/", runtime: runtimeOf(options) }
  return { placement: probePlacement(place), isolation: isolationOf(options) }
}

/** How the probe's container is walled off. */
export function isolationOf({ engine, runtime }: Pick<ProbeOptions, "engine" | "runtime">): Isolation {
  return runtime?.startsWith("runsc") ? "gvisor" : engine.facts.isolation
}

/** As `--runtime` takes it: the one that was asked for, else what the engine was connected with; null for its default. */
export function runtimeOf({ engine, runtime }: Pick<ProbeOptions, "engine" | "runtime">): string | null {
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
  const { exitCode, stdout } = await runToEnd(engine, args, labels, signal)
  return parseReport(exitCode, stdout)
}

/** @throws Fault `probe-failed`. */
export function parseReport(exitCode: number, stdout: string): ProbeReport {
  return parseSaid(ProbeReport, exitCode, stdout)
}
