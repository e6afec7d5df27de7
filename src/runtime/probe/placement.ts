import { join } from "node:path"
import type { Digest } from "../../protocol/digest.ts"
import { randomId } from "../../protocol/handshake.ts"
import { ShardSpec, specDigest } from "../../protocol/shard-spec.ts"
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
}

/** The probe as a shard like any other: a spec with the limits that every spec has unless it says otherwise. */
export function probePlacement({ image, gpu, home, root, runtime }: ProbePlace): Placement {
  const spec = ShardSpec.parse({
    image: { name: PROBE_IMAGE, digest: image },
    command: { argv: ["/probe", "report"] },
    inputs: [],
    outputs: ["report.json"],
    resources: { device: gpu.device },
    limits: {},
  })
  return {
    spec,
    image,
    labels: { lease: randomId(), epoch: 1, spec: specDigest(spec), home },
    folders: foldersIn(root),
    gpu,
    graceMs: GRACE_MS,
    ...(runtime === null ? {} : { runtime }),
  }
}

function foldersIn(root: string): ShardFolders {
  return {
    spec: join(root, "spec.json"),
    inputs: [],
    out: join(root, "out"),
    checkpoint: join(root, "checkpoint"),
  }
}

/** Stands for the image where a placement is only looked at and never run. */
export const NO_IMAGE = `sha256:${"0".repeat(64)}` as Digest
