import { join } from "node:path"
import type { Digest } from "../../protocol/digest.ts"
import { randomId } from "../../protocol/handshake.ts"
import { ShardSpec, specDigest } from "../../protocol/shard-spec.ts"
import type { ProfileName } from "../container/policy.ts"
import type { GpuPlacement, Placement, ShardFolders } from "../container/sandbox.ts"
import { PROBE_IMAGE } from "./image.ts"

const GRACE_MS = 2000

export interface ProbePlace {
  /** The image's id, `sha256:…`. */
  image: string
  gpu: GpuPlacement
  /** The label by which this agent's containers are found. */
  home: string
  /** The probe's own folder, an absolute path. */
  root: string
  /** As `--runtime` takes it; null for the engine's default. */
  runtime: string | null
  /** What the probe is to do; it reports when not given. */
  argv?: readonly string[]
  /** `strict` when not given. */
  profile?: ProfileName
  limits?: Partial<ShardSpec["limits"]>
  memoryMiB?: number
  /** A file that is mounted as the input `data`. */
  input?: string
}

/** The probe as a shard like any other: a spec with the limits that every spec has unless it says otherwise. */
export function probePlacement(place: ProbePlace): Placement {
  const { image, gpu, home, root, runtime, argv = ["report"], memoryMiB, limits = {}, input } = place
  const spec = ShardSpec.parse({
    image: { name: PROBE_IMAGE, digest: image },
    command: { argv: ["/probe", ...argv] },
    inputs: [],
    outputs: ["report.json"],
    resources: { device: gpu.device, memoryMiB },
    limits,
  })
  return {
    spec,
    image,
    labels: { lease: randomId(), epoch: 1, spec: specDigest(spec), home },
    folders: foldersIn(root, input),
    profile: place.profile ?? "strict",
    gpu,
    graceMs: GRACE_MS,
    ...(runtime === null ? {} : { runtime }),
  }
}

function foldersIn(root: string, input: string | undefined): ShardFolders {
  return {
    spec: join(root, "spec.json"),
    inputs: input === undefined ? [] : [{ name: "data", path: input }],
    out: join(root, "out"),
    checkpoint: join(root, "checkpoint"),
  }
}

/** Stands for the image where a placement is only looked at and never run. */
export const NO_IMAGE = `sha256:${"0".repeat(64)}` as Digest
