import type { Logger } from "pino"
import { BlobStore } from "../../store/blob-store.ts"
import { loadIdentity } from "../../store/identity.ts"
import { BlobTransfer } from "../blob/transfer.ts"
import { connectEngine } from "../container/connect.ts"
import { chooseDisks } from "../container/disks.ts"
import { Link } from "../market/link.ts"
import { registryUrl } from "../market/session.ts"
import { ProofArchive } from "../proof/archive.ts"
import { sweep } from "../shard/clean.ts"
import { openJournal, type Totals } from "../shard/journal.ts"
import { Agent } from "./agent.ts"
import { openControl } from "./control.ts"
import type { Home } from "./home.ts"
import { type Offering, openSlots } from "./open-slots.ts"
import { requireSettings } from "./settings.ts"

const GRACE_MS = 10_000

export interface ServeOptions {
  home: Home
  offering: Offering
  /** Where sysfs is mounted. */
  sysfs: string
  /** This program, for the marketplace's log and for proofs. */
  program: { name: string; version: string }
  log: Logger
}

/**
 * Serves until the signal aborts; tells what this home has earned in all.
 * @throws Fault `nothing-to-offer`, `gpu-unusable`, `not-registered`, `already-serving`, `engine-*`, or a final refusal of the marketplace.
 */
export async function serve(
  { home, offering, sysfs, program, log }: ServeOptions,
  signal: AbortSignal,
): Promise<Totals> {
  const { market } = requireSettings(home)
  const signer = await loadIdentity(home.identity)
  const engine = await connectEngine({ signal })
  const { slots } = await openSlots(
    { offering, sysfs, engine: engine.facts, minimumVersions: home.minimumVersions, log },
    signal,
  )
  const link = new Link(
    { url: market.url, signer, agent: `${program.name}/${program.version}`, pinned: market.publicKey },
    log,
  )
  const registry = { url: registryUrl(market.url), token: () => link.current?.token ?? "" }
  const disks = await chooseDisks(home.shards, signal)
  const store = new BlobStore(home.blobs)
  const journal = openJournal(home.journal)
  const ports = {
    engine,
    store,
    registry,
    signer,
    transfer: new BlobTransfer({ registry, store }),
    archive: new ProofArchive(home.proofs),
    shardsRoot: home.shards,
    profile: "strict" as const,
    disks,
    home: signer.keyId,
    version: program.version,
    marketKey: market.publicKey,
    graceMs: GRACE_MS,
  }
  const agent = new Agent({ slots, link, journal, ports, log })
  try {
    const control = await openControl(home, () => agent.status())
    try {
      await sweep(journal.open(), ports, signal)
      const { name, version, runtime, isolation } = engine.facts
      const where = { engine: `${name} ${version}`, runtime, isolation, disks: disks.kind }
      log.info({ agent: signer.keyId, slots: slots.map(({ slot }) => slot.id), ...where }, "agent.serving")
      await agent.serve(signal)
      log.info("agent.stopped")
      return journal.totals()
    } finally {
      await control.close()
    }
  } finally {
    journal.close()
  }
}
