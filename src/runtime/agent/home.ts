import { createHash } from "node:crypto"
import { accessSync, constants, mkdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Fault } from "../../protocol/fault.ts"

/** The kernel's limit for a UNIX socket's path is 108 bytes with its final zero. */
const SOCKET_PATH_BYTES = 107

/** Where everything of one agent lies: one folder that `ZG_HOME` moves. */
export interface Home {
  root: string
  identity: string
  settings: string
  journal: string
  blobs: string
  shards: string
  proofs: string
  /** The cards of the last look, to tell what has changed. */
  inventory: string
  /** The owner's newer table of versions with known escapes, if there is one. */
  minimumVersions: string
  /** What the owner lets a shard ask for; written by the owner alone, and not there before. */
  rules: string
  /** What `bench` has measured, one file each. */
  reports: string
  /** The largest checkpoint of the marketplace's ledger that was seen, and what contradicted it, if anything did. */
  ledger: string
  /** Checkpoints that were written to a chain from here, one file each. */
  anchors: string
  /** What this home's witness has signed last. */
  witness: string
  /** The embedded marketplace's state, when this home also runs one. */
  market: string
  /** There while the owner has paused the agent. */
  pause: string
  /** The control socket of the agent that serves from here. */
  socket: string
}

/** @throws Fault `home-unusable` when the folder cannot be made or written. */
export function openHome(root: string): Home {
  const home = resolve(root)
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new Fault("home-unusable", `The state folder ${home} cannot be made or written.`, {
      hint: "Check who owns it, or point ZG_HOME at a folder of your own.",
      facts: { home },
      cause,
    })
  }
  return {
    root: home,
    identity: join(home, "identity.pem"),
    settings: join(home, "config.json"),
    journal: join(home, "journal.sqlite"),
    blobs: join(home, "blobs"),
    shards: join(home, "shards"),
    proofs: join(home, "proofs"),
    inventory: join(home, "gpus.json"),
    minimumVersions: join(home, "minimum-versions.json"),
    rules: join(home, "rules.yaml"),
    reports: join(home, "reports"),
    ledger: join(home, "ledger"),
    anchors: join(home, "ledger", "anchors"),
    witness: join(home, "witness"),
    market: join(home, "market"),
    pause: join(home, "paused"),
    socket: socketPath(home),
  }
}

function socketPath(home: string): string {
  const path = join(home, "agent.sock")
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES) return path
  return join(tmpdir(), `zg-agent-${createHash("sha256").update(home).digest("hex").slice(0, 16)}.sock`)
}
