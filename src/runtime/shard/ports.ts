import { join } from "node:path"
import type { Fault } from "../../protocol/fault.ts"
import type { PublicKey, Signer } from "../../protocol/keys.ts"
import type { Lease } from "../../protocol/lease.ts"
import type { MarketFrameOf } from "../../protocol/message.ts"
import type { Receipt } from "../../protocol/receipt.ts"
import { type Checkpoint, specDigest } from "../../protocol/shard-spec.ts"
import type { Bundle } from "../../protocol/statement.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { Registry } from "../blob/registry.ts"
import type { BlobTransfer } from "../blob/transfer.ts"
import type { Disks } from "../container/disks.ts"
import type { Engine } from "../container/engine.ts"
import type { ShardFolders, ShardLabels } from "../container/sandbox.ts"
import type { Rules } from "../host/rules/rules.ts"
import type { Meter } from "../host/telemetry/meter.ts"
import type { ProofArchive } from "../proof/archive.ts"
import type { Progress } from "./progress.ts"
import type { Berth, OpenState } from "./state.ts"

/** What comes of a proof: the receipt or, while its audits are open, what is to be shown for them. */
export type HandedIn = Receipt | Pick<MarketFrameOf<"committed">, "reveal">

/** Everything outside the road that its steps use. */
export interface Ports {
  engine: Engine
  store: BlobStore
  transfer: BlobTransfer
  registry: Registry
  /** Folder for the shards' own folders, an absolute path. */
  shardsRoot: string
  /** What the owner of this machine lets a shard ask for. */
  rules: Rules
  /** What keeps a shard's output and checkpoint within their limits. */
  disks: Disks
  /** Tells this agent's containers from another's on the same engine. */
  home: string
  signer: Signer
  archive: ProofArchive
  /** Version of this program, for the proof. */
  version: string
  marketKey: PublicKey
  /** Hands a proof in; waits through lost connections. The same proof twice gets the same receipt. */
  handIn: (lease: Lease, bundle: Bundle, signal: AbortSignal) => Promise<HandedIn>
  /** Told when something was not shown that an audit asks for; the shard goes on. */
  onUnshown: (lease: Lease, fault: Fault) => void
  /** Told of the ledger's checkpoint that came with a receipt. */
  onCheckpoint: (checkpoint: string) => void
  onProgress: (lease: Lease, progress: Progress) => void
  /** Tells the marketplace of a checkpoint whose blobs it has; waits through lost connections. Twice is harmless. */
  keepCheckpoint: (lease: Lease, files: Checkpoint, signal: AbortSignal) => Promise<void>
  /** Told when a checkpoint that was to travel did not; the shard goes on. */
  onUnsent: (lease: Lease, fault: Fault) => void
  /** Between two looks at a running shard's checkpoint that travels; in milliseconds. */
  sendEveryMs: number
  /** Begins to meter what these cards use; none are a CPU's. */
  meter: (cards: Berth["gpus"]) => Meter
  /** Between SIGTERM and SIGKILL, for a checkpoint; in milliseconds. */
  graceMs: number
}

/** The shard's folder and what lies in it. */
export function foldersOf(
  { assignment: { lease, spec } }: OpenState,
  { shardsRoot, store }: Pick<Ports, "shardsRoot" | "store">,
): ShardFolders & { root: string; log: string } {
  const root = join(shardsRoot, `${lease.id}-${lease.epoch}`)
  return {
    root,
    log: join(root, "log"),
    spec: join(root, "spec.json"),
    inputs: spec.inputs.map(({ name, digest }) => ({ name, path: store.path(digest) })),
    out: join(root, "out"),
    checkpoint: join(root, "checkpoint"),
  }
}

export function shardLabels({ assignment: { lease, spec } }: OpenState, home: string): ShardLabels {
  return { lease: lease.id, epoch: lease.epoch, spec: specDigest(spec), home }
}
