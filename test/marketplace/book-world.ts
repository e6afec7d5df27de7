import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { type Book, openBook } from "../../src/marketplace/book/book.ts"
import { withdrawFrom } from "../../src/marketplace/book/leases.ts"
import { answer } from "../../src/marketplace/gateway/answers.ts"
import { type Peer, Roster } from "../../src/marketplace/gateway/roster.ts"
import { MARKET_DEFAULTS, type Terms } from "../../src/marketplace/options.ts"
import { MIGRATIONS } from "../../src/marketplace/schema.ts"
import type { AuditPolicy } from "../../src/protocol/audit.ts"
import { MicroCredits } from "../../src/protocol/credits.ts"
import { digestOf, type FileName, type NamedBlob } from "../../src/protocol/digest.ts"
import { isFault } from "../../src/protocol/fault.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import { BatchJob } from "../../src/protocol/job.ts"
import type { KeyId } from "../../src/protocol/keys.ts"
import type { ClientFrame, ClientMessage, Held, MarketMessage } from "../../src/protocol/message.ts"
import { NanoCreditsPerSecond } from "../../src/protocol/price.ts"
import type { Bundle } from "../../src/protocol/statement.ts"
import { BlobStore } from "../../src/store/blob-store.ts"
import { Database } from "../../src/store/database.ts"
import { type Identity, newIdentity, prove } from "../contract/client.ts"

export const PRICE = 1_000_003
/** At most PRICE for a shard, too. */
export const RATE = 100_000_300
export const TIME_MS = 10_000
export const ROYALTY = 333
export const TERMS: Terms = {
  ...MARKET_DEFAULTS,
  grant: MicroCredits.parse(20 * PRICE),
  leaseMs: 3000,
  offerMs: 1000,
  unmatchedMs: 60_000,
  coolOffMs: 500,
  attempts: 1,
  // So that three agents can decide, and be wrong.
  audit: { ...MARKET_DEFAULTS.audit, lead: 1, probation: 1 },
  vouched: [digestOf("out")],
}

type LeaseMessage = Extract<MarketMessage, { type: "lease" }>

/** A proof as it was handed in, to be handed in again. */
interface Sent extends Held {
  by: number
  bundle: Bundle
}

/** How a job is paid, where it is not in the plainest way. */
export interface Offered {
  perSecond?: boolean
  royaltyTo?: KeyId | undefined
  payFrom?: "any" | "self"
  audit?: AuditPolicy
}

/** A session without a socket: what it is sent lies in its inbox. */
class Session implements Peer {
  readonly agent: KeyId
  readonly publicKey: Identity["publicKey"]
  readonly granted = new Set<never>()
  readonly inbox: MarketMessage[] = []
  isConnected = true

  constructor({ keyId, publicKey }: Identity) {
    this.agent = keyId
    this.publicKey = publicKey
  }

  send(message: MarketMessage): void {
    this.inbox.push(message)
  }

  close(): void {
    this.isConnected = false
  }
}

/** Milliseconds since 1970. */
interface Clock {
  now: number
}

interface Parts {
  root: string
  db: Database
  book: Book
  roster: Roster
  clock: Clock
}

/** A book with its database, four agents who also buy, and a clock that goes when it is told to. */
export class World {
  readonly root: string
  readonly agents = Array.from({ length: 4 }, newIdentity)
  readonly leases: { by: number; lease: LeaseMessage }[] = []
  readonly proofs: Sent[] = []
  output: NamedBlob | null = null
  wrongOutput: NamedBlob | null = null
  readonly #clock: Clock
  sessions: Session[] = []
  book: Book
  #db: Database
  #roster: Roster

  private constructor({ root, db, book, roster, clock }: Parts) {
    this.#clock = clock
    this.root = root
    this.#db = db
    this.book = book
    this.#roster = roster
  }

  static async make(): Promise<World> {
    const root = await mkdtemp(join(tmpdir(), "zg-book-"))
    const roster = new Roster()
    const clock = { now: Date.parse("2026-01-01T00:00:00Z") }
    const { db, book } = await openIn(root, roster, clock)
    const world = new World({ root, db, book, roster, clock })
    const blob = await new BlobStore(join(root, "blobs")).add(text("out"), 100)
    world.output = { name: "out.txt" as FileName, ...blob }
    const wrong = await new BlobStore(join(root, "blobs")).add(text("wrong"), 100)
    world.wrongOutput = { name: "out.txt" as FileName, ...wrong }
    world.enter()
    for (const by of world.agents.keys())
      await world.say(by, {
        ...{ type: "register", name: `agent ${by}` },
        machine: { platform: "test", cpu: "test", cpus: 1, memoryMiB: 1, gpus: [] },
      })
    return world
  }

  get sql() {
    return this.#db.sql
  }

  /** Everybody comes in anew. */
  enter(): void {
    this.sessions = this.agents.map(identity => {
      const session = new Session(identity)
      this.#roster.enter(session)
      return session
    })
  }

  /** One message and its answer; a refusal is an answer like another. */
  async say(by: number, message: ClientMessage): Promise<MarketMessage | undefined> {
    const session = this.sessions[by] as Session
    try {
      return await answer(this.book.exchange, session, { ...message, seq: 1 } as ClientFrame)
    } catch (error) {
      if (!isFault(error)) throw error
      return { type: "refused", code: error.code, message: error.message, hint: error.hint }
    }
  }

  async submit(by: number, shards: number, key = randomId(), terms: Offered = {}): Promise<void> {
    const { royaltyTo, perSecond, payFrom, audit } = terms
    const price = perSecond === true ? { pricePerSecond: RATE } : { pricePerShard: PRICE }
    const royalties = royaltyTo && [{ to: royaltyTo, shareBasisPoints: ROYALTY, for: "a text" }]
    const job = BatchJob.parse({
      ...{ kind: "batch", name: "a job", image: { name: "none", digest: this.output?.digest } },
      ...{ resources: {}, limits: { timeMs: TIME_MS }, checkpoints: "travel", ...price, royalties, audit },
      shards: Array.from({ length: shards }, () => ({
        ...{ command: { argv: ["true"] }, inputs: [], outputs: ["out.txt"] },
      })),
    })
    await this.say(by, { type: "submit", key, job, ...(payFrom && { payFrom }) })
  }

  async serve(by: number, slots: number, holding: Held[] | undefined, ask?: number): Promise<void> {
    const slot = {
      ...{ device: "cpu" as const, cpus: 4, memoryMiB: 4096, vramMiB: 0 },
      ...(ask !== undefined && { ask: NanoCreditsPerSecond.parse(ask) }),
    }
    await this.say(by, {
      type: "capacity",
      slots: Array.from({ length: slots }, (_, index) => ({ id: `slot-${index}`, ...slot })),
      ...(holding && { holding }),
    })
  }

  offersOf(by: number) {
    return (this.sessions[by]?.inbox ?? []).filter(({ type }) => type === "offer") as Extract<
      MarketMessage,
      { type: "offer" }
    >[]
  }

  async accept(by: number, offer: ReturnType<World["offersOf"]>[number]): Promise<void> {
    const answered = await this.say(by, { type: "accept", offer: offer.offer })
    if (answered?.type === "lease") this.leases.push({ by, lease: answered })
  }

  /** @param ranMs what it claims that the container ran; `output` what it claims that came out. */
  async prove(
    by: number,
    { lease, job, shard, spec, checkpoint }: LeaseMessage,
    ranMs = 1000,
    output = this.output,
  ): Promise<void> {
    const assignment = { lease, job, shard, spec, ...(checkpoint && { checkpoint }) }
    const bundle = await prove(this.agents[by] as Identity, assignment, output ? [output] : [], said => {
      const { metadata } = said.predicate.runDetails
      metadata.startedOn = new Date(Date.parse(metadata.finishedOn) - ranMs).toISOString()
    })
    const sent = { by, lease: lease.id, epoch: lease.epoch, bundle }
    this.proofs.push(sent)
    await this.handIn(sent)
  }

  handIn({ by, lease, epoch, bundle }: Sent): Promise<MarketMessage | undefined> {
    return this.say(by, { type: "proof", lease, epoch, bundle })
  }

  leave(by: number): void {
    const session = this.sessions[by] as Session
    session.isConnected = false
    if (this.#roster.leave(session)) withdrawFrom(this.book.exchange, session.agent)
    const next = new Session(this.agents[by] as Identity)
    this.#roster.enter(next)
    this.sessions[by] = next
  }

  /** Lets the clock go on, and the book look at it. */
  async pass(ms: number): Promise<void> {
    this.#clock.now += ms
    this.book.exchange.wake()
    for (let turns = 0; turns < 6; turns++) await new Promise(resolve => setImmediate(resolve))
  }

  /** The marketplace ends and starts again on what its database holds. */
  async restart(): Promise<void> {
    await this.book.close()
    this.#db.close()
    this.#roster = new Roster()
    const { db, book } = await openIn(this.root, this.#roster, this.#clock)
    this.#db = db
    this.book = book
    this.enter()
  }

  async close(): Promise<void> {
    await this.book.close()
    this.#db.close()
    await rm(this.root, { recursive: true })
  }
}

async function openIn(root: string, roster: Roster, time: Clock) {
  const db = new Database(join(root, "market.sqlite"), MIGRATIONS)
  const blobs = new BlobStore(join(root, "blobs"))
  const log = pino({ level: "silent" })
  const clock = () => time.now
  const ledger = { ledgerFolder: join(root, "ledger"), witnesses: [] }
  const book = await openBook({ db, blobs, identity: IDENTITY, roster, terms: TERMS, clock, log, ...ledger })
  return { db, book }
}

const IDENTITY = newIdentity()

async function* text(content: string) {
  yield Buffer.from(content)
}
