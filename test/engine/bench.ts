import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { grant, settlement, submission } from "../../src/marketplace/ledger/posting.ts"
import { MicroCredits } from "../../src/protocol/credits.ts"
import type { Blob, Digest } from "../../src/protocol/digest.ts"
import { type Fault, isFault } from "../../src/protocol/fault.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { Signer } from "../../src/protocol/keys.ts"
import type { Assignment } from "../../src/protocol/proof.ts"
import { type Receipt, receiptStatement } from "../../src/protocol/receipt.ts"
import { type Checkpoint, type Image, ShardSpec } from "../../src/protocol/shard-spec.ts"
import { type Bundle, bundleDigest, signStatement } from "../../src/protocol/statement.ts"
import { BlobTransfer } from "../../src/runtime/blob/transfer.ts"
import { connectEngine } from "../../src/runtime/container/connect.ts"
import { chooseDisks } from "../../src/runtime/container/disks.ts"
import type { Engine } from "../../src/runtime/container/engine.ts"
import { DEFAULT_RULES } from "../../src/runtime/host/rules/rules.ts"
import { startTelemetry } from "../../src/runtime/host/telemetry/telemetry.ts"
import { ProofArchive } from "../../src/runtime/proof/archive.ts"
import { sweep } from "../../src/runtime/shard/clean.ts"
import { type Journal, openJournal } from "../../src/runtime/shard/journal.ts"
import type { Ports } from "../../src/runtime/shard/ports.ts"
import type { Progress } from "../../src/runtime/shard/progress.ts"
import { walk } from "../../src/runtime/shard/road.ts"
import {
  type Leased,
  leased,
  type OpenState,
  type Ran,
  type ShardState,
} from "../../src/runtime/shard/state.ts"
import { stepsOver } from "../../src/runtime/shard/steps.ts"
import { BlobStore } from "../../src/store/blob-store.ts"
import { ensureIdentity } from "../../src/store/identity.ts"
import { openLedger, recorded } from "../ledger/recorded.ts"
import { StandInRegistry } from "../stand-in/registry.ts"
import { publishShellImage } from "./image.ts"

const TOKEN = "a-token-of-the-test"

/** The engine of this machine, or the reason why there is none; in CI there has to be one. */
export async function engineOrReason(): Promise<Engine | string> {
  try {
    return await connectEngine({ signal: AbortSignal.timeout(60_000) })
  } catch (error) {
    if (process.env.CI || !isFault(error)) throw error
    return `${error.message} ${error.hint}`
  }
}

/** A shard, as far as a test cares. */
export interface Wish {
  argv: string[]
  env?: Record<string, string>
  inputs?: ShardSpec["inputs"]
  outputs?: string[]
  image?: Image
  limits?: Partial<ShardSpec["limits"]>
  resources?: Partial<ShardSpec["resources"]>
  checkpoints?: "travel"
  segments?: "kept"
}

/** An agent's parts around a real engine, with a registry and a marketplace's key of their own. */
export interface Bench {
  ports: Ports
  registry: StandInRegistry
  journal: Journal
  image: Image
  root: string
  progress: Progress[]
  proofs: Bundle[]
  /** What was told of checkpoints that travel, and why some did not. */
  checkpoints: Checkpoint[]
  unsent: Fault[]
  lease(wish: Wish): Leased
  /** Puts bytes into the registry, as an input. */
  blob(bytes: string): Blob
  close(): Promise<void>
}

/** @param program the engine's command line, by which the bench removes the images that it had pulled. */
export async function makeBench(engine: Engine, program: string = engine.facts.name): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "zg-engine-test-"))
  const registry = await StandInRegistry.start({ token: TOKEN })
  const image = await publishShellImage(registry, "test/shell")
  const [signer, market] = [await identity(root, "agent"), await identity(root, "market")]
  const [progress, proofs]: [Progress[], Bundle[]] = [[], []]
  const [checkpoints, unsent]: [Checkpoint[], Fault[]] = [[], []]
  const store = new BlobStore(join(root, "blobs"))
  const access = { url: registry.url, token: () => TOKEN }
  const ports: Ports = {
    engine,
    store,
    transfer: new BlobTransfer({ registry: access, store, pauseMs: 10 }),
    registry: access,
    shardsRoot: join(root, "shards"),
    rules: DEFAULT_RULES,
    disks: await chooseDisks(join(root, "shards"), AbortSignal.timeout(30_000)),
    home: randomId(),
    signer,
    archive: new ProofArchive(join(root, "proofs")),
    version: "0.0.0-test",
    marketKey: market.publicKey,
    handIn: async (lease, bundle) => {
      proofs.push(bundle)
      return receiptFor(lease.id, bundle, signer, market)
    },
    onCheckpoint: () => {},
    onProgress: (_, told) => progress.push(told),
    keepCheckpoint: async (_, files) => {
      checkpoints.push(files)
    },
    onUnshown: (_, fault) => unsent.push(fault),
    onUnsent: (_, fault) => unsent.push(fault),
    sendEveryMs: 200,
    meter: () => NO_CARDS.meter([]),
    graceMs: 2000,
  }
  const journal = openJournal(join(root, "journal.db"))
  return {
    ports,
    registry,
    journal,
    image,
    root,
    progress,
    proofs,
    checkpoints,
    unsent,
    lease: wish => leased(assignmentOf(image, wish), CPU),
    blob: text => ({ digest: registry.put(Buffer.from(text)) as Digest, size: Buffer.byteLength(text) }),
    close: () => closeBench({ ports, registry, journal, root }, program),
  }
}

const NO_CARDS = startTelemetry({ gpus: [], sysfs: "/sys" }, AbortSignal.abort())

const CPU: Leased["berth"] = { slot: "cpu", placement: { device: "cpu" }, gpus: [] }

function assignmentOf(image: Image, { argv, env = {}, limits, resources, ...rest }: Wish): Assignment {
  return {
    job: "job-0123456789ab" as Assignment["job"],
    shard: { index: 0, label: "shard-0" },
    lease: {
      id: randomId(),
      epoch: 1,
      nonce: randomId(),
      notAfter: new Date(Date.now() + 600_000).toISOString(),
    },
    spec: ShardSpec.parse({
      image,
      command: { argv, env },
      inputs: [],
      outputs: ["result.txt"],
      ...rest,
      resources: { memoryMiB: 64, ...resources },
      limits: { timeMs: 60_000, outMiB: 2, checkpointMiB: 2, tmpMiB: 1, shmMiB: 1, ...limits },
    }),
  }
}

/** Walks a shard to its end and keeps what came by. */
export async function walkToEnd(bench: Bench, shard: OpenState, signal = new AbortController().signal) {
  const seen: ShardState[] = []
  const record = async (state: ShardState) => {
    seen.push(state)
    await bench.journal.record(state)
  }
  const end = await walk(shard, stepsOver(bench.ports), record, signal)
  const ran = seen.find(state => state.step === "ran") as Ran
  return { end, seen, ran }
}

const NOTHING = MicroCredits.parse(0)

async function receiptFor(
  lease: Assignment["lease"]["id"],
  bundle: Bundle,
  agent: Signer,
  market: Signer,
): Promise<Receipt> {
  const job = "job-0123456789ab" as Assignment["job"]
  const [proof, paid] = [bundleDigest(bundle), MicroCredits.parse(250_000)]
  const charge = { per: "shard", amount: paid } as const
  const ledger = openLedger()
  ledger.append(grant(agent.keyId, paid))
  ledger.append(submission(agent.keyId, job, { granted: paid, earned: NOTHING }))
  const payment = settlement({ job, lease, agent: agent.keyId, proof }, charge, { feeBasisPoints: 0 })
  const record = await recorded(ledger, market, { bundle, key: agent.publicKey }, payment)
  const statement = receiptStatement({
    ...{ proof, market: market.keyId, at: new Date().toISOString() },
    settlement: { job, lease, agent: agent.keyId, paid, charge, ledger: record.place },
  })
  return { bundle: await signStatement(statement, market), ledger: record.ledger }
}

function identity(root: string, name: string): Promise<Signer> {
  return ensureIdentity(join(root, `${name}.pem`))
}

async function closeBench(
  { ports, registry, journal, root }: Pick<Bench, "ports" | "registry" | "journal" | "root">,
  program: string,
): Promise<void> {
  await sweep([], ports, AbortSignal.timeout(30_000), 0)
  const run = promisify(execFile)
  const { stdout } = await run(program, ["image", "ls", "--digests", "--format={{.Repository}}@{{.Digest}}"])
  for (const reference of stdout.split("\n").filter(line => line.startsWith(`${registry.host}/`)))
    await run(program, ["image", "rm", reference])
  await registry[Symbol.asyncDispose]()
  journal.close()
  await rm(root, { recursive: true, force: true })
}

export async function outputText({ ports }: Bench, digest: Digest): Promise<string> {
  return readFile(ports.store.path(digest), "utf8")
}
