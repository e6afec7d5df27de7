import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { canonicalJson } from "../../protocol/digest.ts"
import { type Disks, watchedDisks } from "../container/disks.ts"
import type { ProfileName } from "../container/policy.ts"
import type { Placement } from "../container/sandbox.ts"
import { prepareProbeImage } from "./image.ts"
import { type ProbePlace, probePlacement } from "./placement.ts"
import { type ProbeOptions, runtimeOf } from "./probe.ts"

/** Where and behind which walls the probe attacks: those that the next shard gets. */
export interface PlaceOptions extends ProbeOptions {
  /** Plain folders when not given. */
  disks?: Disks
  /** `strict` when not given. */
  profile?: ProfileName
}

/** What the probe is to do, and with which limits. */
export type Task = Pick<ProbePlace, "limits" | "memoryMiB"> & { argv: readonly string[] }

/** What the machine itself writes into the input. */
const INPUT = "An input of the probe.\n"

/**
 * Makes everything that a shard finds around it, and takes it away again after `use`.
 * @throws Fault `probe-missing`, `image-missing`, `disk-full`, `engine-*`, and what `use` throws.
 */
export async function inPlace<T>(
  options: PlaceOptions,
  task: Task,
  use: (placement: Placement) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { engine, scratch, disks = watchedDisks } = options
  const made = await mkdir(scratch, { recursive: true, mode: 0o700 })
  const root = await mkdtemp(join(scratch, "probe-"))
  try {
    const image = await prepareProbeImage(engine, root, signal)
    const placement = placementIn(options, task, image, root)
    await makeFolders(placement, disks, signal)
    return await use(placement)
  } finally {
    for (const name of await readdir(root).catch(() => [])) await disks.close(join(root, name))
    await rm(made === undefined ? root : scratch, { recursive: true, force: true })
  }
}

/** The placement of a task; also where it is only looked at and never run. */
export function placementIn(options: PlaceOptions, task: Task, image: string, root: string): Placement {
  const { gpu, home, profile = "strict" } = options
  const place = { image, gpu, home, root, profile, runtime: runtimeOf(options), ...task }
  return probePlacement({ ...place, input: join(root, "data") })
}

async function makeFolders({ spec, folders }: Placement, disks: Disks, signal: AbortSignal): Promise<void> {
  const { outMiB, checkpointMiB } = spec.limits
  await disks.open(folders.out, outMiB, signal)
  await disks.open(folders.checkpoint, checkpointMiB, signal)
  await writeFile(folders.spec, canonicalJson(spec), { mode: 0o444 })
  for (const { path } of folders.inputs) await writeFile(path, INPUT, { mode: 0o444 })
}

/** The folder of a placement's files. */
export function rootOf({ folders }: Placement): string {
  return dirname(folders.spec)
}
