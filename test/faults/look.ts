import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Ledger } from "../../src/marketplace/ledger/ledger.ts"
import { shareOf } from "../../src/marketplace/ledger/posting.ts"
import { MARKET_DEFAULTS } from "../../src/marketplace/options.ts"
import type { Posting } from "../../src/protocol/books.ts"
import { type Digest, digestOf, hexOf } from "../../src/protocol/digest.ts"
import { bundleDigest } from "../../src/protocol/statement.ts"
import { ProofArchive } from "../../src/runtime/proof/archive.ts"
import type { Submitted } from "./buyer.ts"
import type { AgentFacts, Facts, MarketFacts } from "./facts.ts"
import { PRICE } from "./job.ts"
import type { Lane } from "./lane.ts"
import type { Place } from "./place.ts"

type Row = Record<string, string | number | null>

/** Reads both ends' files beside the programs that write them. */
export async function look({ place, agentId }: Lane, { job, digest }: Submitted): Promise<Facts> {
  const paid = PRICE - shareOf(PRICE, MARKET_DEFAULTS.feeBasisPoints)
  return {
    job,
    market: await lookAtMarket(place, job, agentId),
    agent: await lookAtAgent(place, job),
    expected: { digest, price: PRICE, paid },
  }
}

/** Whether the marketplace has ended the job and the agent has nothing left to do. */
export function isOver(place: Place, job: string): boolean {
  using market = marketDatabase(place)
  const state = market.prepare("SELECT state FROM job WHERE id = ?").get(job)?.state
  if (state !== "done" && state !== "failed") return false
  using journal = agentDatabase(place)
  const open = journal.prepare(
    "SELECT count(*) AS open FROM shard WHERE step NOT IN ('settled', 'abandoned')",
  )
  return open.get()?.open === 0
}

async function lookAtMarket(place: Place, job: string, agentId: string): Promise<MarketFacts> {
  using sql = marketDatabase(place)
  const rows = (text: string, ...values: string[]) => sql.prepare(text).all(...values) as Row[]
  const sum = (where: string, ...values: string[]) =>
    Number(rows(`SELECT coalesce(sum(amount), 0) AS sum FROM leg WHERE ${where}`, ...values)[0]?.sum)
  const [found] = rows("SELECT state, reason FROM job WHERE id = ?", job)
  const account = `earned:${agentId}`
  const about = (field: string) => `json_extract(entry, '$.about.${field}')`
  const shards = rows("SELECT label, state, lease, proof, outputs FROM shard WHERE job = ?", job)
  return {
    job: { state: String(found?.state), reason: found?.reason == null ? null : String(found.reason) },
    shards: await Promise.all(shards.map(row => shardOf(row, place))),
    proofs: rows(
      "SELECT digest, lease FROM proof WHERE lease IN (SELECT lease FROM shard WHERE job = ?)",
      job,
    ) as MarketFacts["proofs"],
    settlements: rows(`SELECT entry FROM posting WHERE kind = 'settlement' AND ${about("job")} = ?`, job).map(
      ({ entry }) => JSON.parse(String(entry)) as Posting,
    ),
    escrow: sum("account = ?", `escrow:${job}`),
    ledgerSum: sum("true"),
    unsound: rows("SELECT posting FROM leg GROUP BY posting HAVING sum(amount) <> 0").length,
    paidTwice: rows(
      `SELECT ${about("lease")} AS lease FROM posting WHERE kind = 'settlement' GROUP BY lease HAVING count(*) > 1`,
    ).map(({ lease }) => String(lease)),
    brokenAt: new Ledger(sql, Date.now).brokenAt(),
    balance: sum("account = ? AND kind <> 'grant'", account),
  }
}

async function shardOf(row: Row, place: Place): Promise<MarketFacts["shards"][number]> {
  const { label, state, lease, proof, outputs } = row
  const named = JSON.parse(String(outputs ?? "[]")) as { name: string; digest: Digest }[]
  return {
    label: String(label),
    state: String(state),
    lease: String(lease),
    proof: proof === null ? null : String(proof),
    outputs: await Promise.all(
      named.map(async ({ name, digest }) => ({ name, digest, stored: await storedDigest(place, digest) })),
    ),
  }
}

async function storedDigest(place: Place, digest: Digest): Promise<Digest | null> {
  const path = join(place.home("market"), "market/blobs/sha256", hexOf(digest))
  return readFile(path).then(digestOf, () => null)
}

async function lookAtAgent(place: Place, job: string): Promise<AgentFacts> {
  using sql = agentDatabase(place)
  const rows = sql
    .prepare(
      `SELECT lease, epoch, step, paid, json_extract(state, '$.proof') AS proof, json_extract(state, '$.code') AS code,
       json_extract(state, '$.message') AS message FROM shard WHERE json_extract(state, '$.assignment.job') = ?`,
    )
    .all(job)
  return {
    journal: rows as unknown as AgentFacts["journal"],
    earned: Number(sql.prepare("SELECT coalesce(sum(paid), 0) AS sum FROM shard").get()?.sum),
    ...(await lookAtArchive(place, job)),
  }
}

async function lookAtArchive(
  place: Place,
  job: string,
): Promise<Pick<AgentFacts, "archive" | "archiveBroken">> {
  const archive: AgentFacts["archive"] = []
  try {
    for await (const { assignment, bundle, receipt } of new ProofArchive(
      join(place.home("agent"), "proofs"),
    ).list()) {
      const { id: lease, epoch } = assignment.lease
      const proof = bundleDigest(bundle)
      if (assignment.job === job) archive.push({ lease, epoch, proof, hasReceipt: receipt !== null })
    }
    return { archive, archiveBroken: null }
  } catch (error) {
    return { archive, archiveBroken: (error as Error).message }
  }
}

function marketDatabase(place: Place): DatabaseSync {
  return new DatabaseSync(join(place.home("market"), "market/market.sqlite"), { readOnly: true })
}

function agentDatabase(place: Place): DatabaseSync {
  return new DatabaseSync(join(place.home("agent"), "journal.sqlite"), { readOnly: true })
}
