import type { Witness } from "../ledger/cosign.ts"
import { recordEarlierPostings } from "../ledger/earlier.ts"
import { Ledger } from "../ledger/ledger.ts"
import { Publisher } from "../ledger/publisher.ts"
import { Audits } from "./audit/audit-row.ts"
import { auditOpen } from "./audit/auditing.ts"
import { Canaries } from "./audit/canary-row.ts"
import { Commitments } from "./audit/commitment-row.ts"
import { drawBy } from "./audit/drawing.ts"
import { Bell } from "./bell.ts"
import type { Exchange } from "./exchange.ts"
import { Identities } from "./identity-row.ts"
import { Jobs } from "./job-row.ts"
import { expireLeases, extendLeases, withdrawOverdue } from "./leases.ts"
import { judgeJobs, match, type UnmatchedSince } from "./matching.ts"
import { Offers } from "./offers.ts"
import { Progress } from "./progress.ts"
import { Proofs } from "./proof-row.ts"
import { Refusals } from "./refusals.ts"
import { Reports } from "./report-row.ts"
import { Shards } from "./shard-row.ts"
import { jobStatus } from "./status.ts"
import { Watches } from "./watches.ts"

/** How often deadlines are looked at. */
const TICK_MS = 200
/** Longer between two looks, and this process or its machine stood still. */
const STOOD_STILL_MS = 5_000

export interface BookParts
  extends Pick<Exchange, "db" | "blobs" | "identity" | "roster" | "terms" | "clock" | "log"> {
  /** Where the ledger is published. */
  ledgerFolder: string
  witnesses: readonly Witness[]
}

export interface Book {
  exchange: Exchange
  close(): Promise<void>
}

/**
 * Opens the book on what the database holds: leases go on, everything else is offered anew.
 * @throws Fault `ledger-forked` when the database holds less than was published; `disk-full`.
 */
export async function openBook({ ledgerFolder, witnesses, ...parts }: BookParts): Promise<Book> {
  const { db, clock, log, identity } = parts
  const jobs = new Jobs(db.sql)
  const sources = {
    shards: new Shards(db.sql),
    ledger: new Ledger(db.sql, clock),
    offers: new Offers(),
    progress: new Progress(),
  }
  const { log: entries } = sources.ledger
  await db.write(() => recordEarlierPostings(db.sql, entries))
  const commitments = new Commitments(db.sql)
  const publisher = await Publisher.open({
    ...{ log: entries, folder: ledgerFolder, identity, witnesses, clock, logger: log },
    onPublished: published =>
      db
        .write(() => drawBy(commitments, identity.publicKey, published))
        // The next checkpoint draws what this one could not.
        .catch(error => log.warn({ event: "audit.undrawn", message: (error as Error).message })),
  })
  const watches = new Watches(id => {
    const job = jobs.one(id)
    if (!job) throw new Error(`${id} is watched and not there`)
    return jobStatus(sources, job)
  })
  const bell = new Bell(
    async () => {
      // Nobody could renew a lease meanwhile, so that nobody loses one for it.
      if (clock() - lookedAt > STOOD_STILL_MS) await extendLeases(exchange)
      lookedAt = clock()
      await round(exchange, since)
    },
    error => log.error({ event: "book.bug", err: error }),
  )
  const since: UnmatchedSince = new Map()
  const exchange: Exchange = {
    ...parts,
    ...sources,
    publisher,
    jobs,
    watches,
    identities: new Identities(db.sql),
    commitments,
    audits: new Audits(db.sql),
    canaries: new Canaries(db.sql),
    proofs: new Proofs(db.sql),
    reports: new Reports(db.sql),
    refusals: new Refusals(),
    wake: () => bell.ring(),
  }
  await extendLeases(exchange)
  let lookedAt = clock()
  const ticking = setInterval(() => bell.ring(), TICK_MS)
  return {
    exchange,
    close: async () => {
      clearInterval(ticking)
      watches.close()
      await bell.silence()
      await publish(exchange)
    },
  }
}

/** One look at all deadlines and all free slots. */
async function round(exchange: Exchange, since: UnmatchedSince): Promise<void> {
  exchange.offers.warm(exchange.clock())
  withdrawOverdue(exchange)
  await expireLeases(exchange)
  await auditOpen(exchange)
  await judgeJobs(exchange, since)
  match(exchange)
  void publish(exchange)
}

/** What no receipt waits for is published soon, too. */
async function publish({ publisher, ledger, log }: Exchange): Promise<void> {
  try {
    await publisher.covering(ledger.log.size)
  } catch (error) {
    log.warn({ event: "ledger.unpublished", message: (error as Error).message })
  }
}
