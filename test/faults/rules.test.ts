import { expect, test } from "vitest"
import { settlement } from "../../src/marketplace/ledger/posting.ts"
import type { MicroCredits } from "../../src/protocol/credits.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import type { JobId } from "../../src/protocol/job.ts"
import type { KeyId } from "../../src/protocol/keys.ts"
import { check } from "./check.ts"
import type { Facts } from "./facts.ts"

const [LEASE, PROOF, DIGEST] = ["lease-1", "sha256:proof", digestOf(Buffer.from("right"))]
const about = { job: "job-1" as JobId, agent: "agent" as KeyId, lease: LEASE, proof: PROOF }
const FEE = { feeBasisPoints: 200 }
const charged = (amount: number) => ({ per: "shard" as const, amount: amount as MicroCredits })
const output = { name: "result.txt", digest: DIGEST, stored: DIGEST }

/** One shard, abandoned once and then settled, as it should be. */
function sound(): Facts {
  const held = { lease: LEASE, proof: null, code: null, message: null, paid: 0 }
  return {
    job: about.job,
    market: {
      job: { state: "done", reason: null },
      shards: [{ label: "shard-0", state: "settled", lease: LEASE, proof: PROOF, outputs: [{ ...output }] }],
      proofs: [{ digest: PROOF, lease: LEASE }],
      settlements: [settlement(about, charged(100_000), FEE)],
      ...{ escrow: 0, ledgerSum: 0, unsound: 0, paidTwice: [], brokenAt: null, balance: 98_000 },
    },
    agent: {
      journal: [
        { ...held, epoch: 1, step: "abandoned", code: "disk-full", message: "The disk is full." },
        { ...held, epoch: 2, step: "settled", paid: 98_000, proof: PROOF },
      ],
      earned: 98_000,
      archive: [{ lease: LEASE, epoch: 2, proof: PROOF, hasReceipt: true }],
      archiveBroken: null,
    },
    expected: { digest: DIGEST, paid: 98_000, price: 100_000 },
  }
}

/** The first of what is there; these facts are never empty. */
function first<T>(things: readonly T[]): T {
  return things[0] as T
}

const other = digestOf(Buffer.from("wrong"))

const BREACHES: [what: string, rule: string, breach: (facts: Facts) => unknown][] = [
  ["a job that is not over", "job-open", ({ market }) => Object.assign(market.job, { state: "waiting" })],
  [
    "a job that failed for nothing",
    "no-reason",
    ({ market }) => Object.assign(market.job, { state: "failed" }),
  ],
  [
    "a shard that hangs",
    "shard-open",
    ({ market }) => Object.assign(first(market.shards), { state: "leased" }),
  ],
  [
    "a shard on its road",
    "journal-open",
    ({ agent }) => Object.assign(first(agent.journal), { step: "ran" }),
  ],
  ["no reason", "no-reason", ({ agent }) => Object.assign(first(agent.journal), { code: null })],
  ["a payment that the agent does not know of", "ends-disagree", ({ agent }) => agent.journal.pop()],
  [
    "another proof",
    "ends-disagree",
    ({ market }) => Object.assign(first(market.shards), { proof: "sha256:x" }),
  ],
  ["no posting", "payments", ({ market }) => market.settlements.pop()],
  ["two postings", "payments", ({ market }) => market.settlements.push(first(market.settlements))],
  ["two proofs", "payments", ({ market }) => market.proofs.push(first(market.proofs))],
  [
    "too little paid",
    "payments",
    ({ market }) => market.settlements.splice(0, 1, settlement(about, charged(90_000), FEE)),
  ],
  ["pay for what was abandoned", "payments", ({ agent }) => Object.assign(first(agent.journal), { paid: 1 })],
  ["a lease of any job that was paid twice", "paid-twice", ({ market }) => market.paidTwice.push("lease-0")],
  ["money from nowhere", "books", ({ market }) => Object.assign(market, { ledgerSum: 1 })],
  ["a posting from nowhere", "books", ({ market }) => Object.assign(market, { unsound: 1 })],
  ["a ledger that was changed", "books", ({ market }) => Object.assign(market, { brokenAt: 3 })],
  ["credits forgotten in escrow", "books", ({ market }) => Object.assign(market, { escrow: 100_000 })],
  [
    "earnings that differ by a micro-credit",
    "books",
    ({ agent }) => Object.assign(agent, { earned: 97_999 }),
  ],
  [
    "a wrong output",
    "outputs",
    ({ market }) => Object.assign(first(first(market.shards).outputs), { digest: other }),
  ],
  [
    "damaged bytes",
    "outputs",
    ({ market }) => Object.assign(first(first(market.shards).outputs), { stored: other }),
  ],
  [
    "lost bytes",
    "outputs",
    ({ market }) => Object.assign(first(first(market.shards).outputs), { stored: null }),
  ],
  ["no output", "outputs", ({ market }) => first(market.shards).outputs.pop()],
  ["no receipt", "archive", ({ agent }) => Object.assign(first(agent.archive), { hasReceipt: false })],
  [
    "two proofs of one lease",
    "archive",
    ({ agent }) => agent.archive.push({ ...first(agent.archive), proof: "y" }),
  ],
  ["a broken chain of proofs", "archive", ({ agent }) => Object.assign(agent, { archiveBroken: "damaged" })],
]

test("books in order break no rule, also after an abandoned lease", () => {
  expect(check(sound())).toEqual([])
})

test("a job that failed with a reason breaks no rule, when nothing was paid for it", () => {
  const facts = sound()
  facts.agent.journal.pop()
  const { market, agent } = facts
  Object.assign(market.job, { state: "failed", reason: "shard-0 was abandoned 3 times" })
  Object.assign(first(market.shards), { state: "failed", proof: null, outputs: [] })
  Object.assign(market, { proofs: [], settlements: [], balance: 0 })
  Object.assign(agent, { archive: [], earned: 0 })
  expect(check(facts)).toEqual([])
})

test.for(BREACHES)("%s breaks the rule %s", ([, rule, breach]) => {
  const facts = sound()
  breach(facts)
  expect(check(facts).map(violation => violation.rule)).toContain(rule)
})
