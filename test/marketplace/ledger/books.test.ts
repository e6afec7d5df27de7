import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Ledger } from "../../../src/marketplace/ledger/ledger.ts"
import { grant, refund, settlement, shareOf, submission } from "../../../src/marketplace/ledger/posting.ts"
import { MIGRATIONS } from "../../../src/marketplace/schema.ts"
import type { Posting } from "../../../src/protocol/books.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { JobId } from "../../../src/protocol/job.ts"
import { KeyId } from "../../../src/protocol/keys.ts"
import type { Account } from "../../../src/protocol/ledger-entry.ts"
import { NanoCreditsPerSecond } from "../../../src/protocol/price.ts"
import { Database } from "../../../src/store/database.ts"

let root: string
let db: Database
let ledger: Ledger

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "zg-ledger-"))
  open()
})
afterEach(() => {
  db.close()
  rmSync(root, { recursive: true })
})

function open(): void {
  db = new Database(join(root, "market.sqlite"), MIGRATIONS)
  ledger = new Ledger(db.sql, () => 1_700_000_000_000)
}

const people = [0, 1, 2].map(n => KeyId.parse(String(n).repeat(64)))
const jobs = [0, 1, 2].map(n => JobId.parse(`job-${String(n).repeat(12)}`))
const [buyer, agent] = people as [KeyId, KeyId]
const [job] = jobs as [JobId]
const micro = (amount: number) => MicroCredits.parse(amount)
const rate = (nano: number) => NanoCreditsPerSecond.parse(nano)
const granted = (amount: number) => ({ granted: micro(amount), earned: micro(0) })
const FEE = { feeBasisPoints: 1000 }

const step = fc.record({
  kind: fc.constantFrom("grant", "submission", "settlement", "refund"),
  who: fc.constantFrom(...people),
  job: fc.constantFrom(...jobs),
  amount: fc.integer({ min: 0, max: 1_000_000 }),
  split: fc.nat(1600),
})

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

const paidFrom = (amount: number, split: number) => {
  const earned = Math.floor((amount * split) / 1600)
  return { granted: micro(amount - earned), earned: micro(earned) }
}

function postingOf({ kind, who, job, amount, split }: Step): Posting {
  if (kind === "grant") return grant(who, micro(amount))
  if (kind === "submission") return submission(who, job, paidFrom(amount, split))
  if (kind === "refund") return refund(who, job, amount, paidFrom(amount, split))
  const royalties = jobs.map((_, at) => ({
    to: people[at] as KeyId,
    shareBasisPoints: split + at,
    for: "text",
  }))
  const charge = { per: "second", rate: rate(split), ms: amount } as const
  return settlement({ job, agent: who, lease: "l", proof: "p" }, charge, { feeBasisPoints: 250, royalties })
}

test("any sequence of postings keeps the sum at zero and every account but the issuer at zero or more", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      db.sql.exec("BEGIN")
      try {
        for (const one of steps) {
          try {
            ledger.append(postingOf(one))
          } catch (error) {
            // The only reason to refuse one of these is an overdraft.
            expect(String(error)).toContain("overdraws")
          }
        }
        const accounts = db.sql
          .prepare("SELECT account, sum(amount) AS balance FROM leg GROUP BY account")
          .all() as { account: string; balance: number }[]
        expect(accounts.reduce((sum, { balance }) => sum + balance, 0)).toBe(0)
        for (const { account, balance } of accounts)
          if (account !== "issuer") expect(balance).toBeGreaterThanOrEqual(0)
        expect(ledger.brokenAt()).toBeNull()
        expect(ledger.misstated()).toEqual([])
        for (const { account, balance } of accounts) expect(ledger.balance(account as Account)).toBe(balance)
      } finally {
        db.sql.exec("ROLLBACK")
      }
    }),
    { numRuns: 100 },
  )
})

test("the fee is the exact rounded-down share, even of prices near the largest exact integer", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 10_000 }), (price, basisPoints) => {
      const exact = (BigInt(price) * BigInt(basisPoints)) / 10_000n
      expect(BigInt(shareOf(price, basisPoints))).toBe(exact)
    }),
  )
})

test.each<[string, Posting, string]>([
  ["does not balance", { kind: "grant", about: {}, legs: [{ account: "market", amount: 1 }] }, "sum to zero"],
  [
    "moves a fraction",
    {
      kind: "grant",
      about: {},
      legs: [
        { account: "issuer", amount: -0.5 },
        { account: "market", amount: 0.5 },
      ],
    },
    "fraction",
  ],
  ["overdraws", submission(buyer, job, granted(1)), "overdraws"],
])("a posting that %s is not written", (_, posting, why) => {
  expect(() => ledger.append(posting)).toThrow(why)
  expect(db.sql.prepare("SELECT count(*) AS n FROM posting").get()).toEqual({ n: 0 })
})

test("a statement tells what was earned, spent and is set aside", async () => {
  await db.write(() => {
    const put = db.sql.prepare("INSERT INTO identity VALUES (?, '', '', '', 0)")
    for (const who of [buyer, agent]) put.run(who)
    db.sql.prepare("INSERT INTO job VALUES (?, ?, 'key', '{}', 'waiting', NULL, 0)").run(job, buyer)
    ledger.append(grant(buyer, micro(1000)))
    ledger.append(submission(buyer, job, granted(600)))
    ledger.append(
      settlement({ job, agent, lease: "l", proof: "p" }, { per: "shard", amount: micro(200) }, FEE),
    )
  })
  expect(ledger.statement(buyer)).toMatchObject({ balance: 400, earned: 0, spent: 200, escrow: 400 })
  expect(ledger.statement(agent)).toMatchObject({
    ...{ balance: 180, granted: 0, own: 180, earned: 180, spent: 0, escrow: 0 },
  })
  expect(ledger.balance("market")).toBe(20)
  await db.write(() => ledger.append(refund(buyer, job, 400, ledger.paidFrom(job))))
  expect(ledger.statement(buyer)).toMatchObject({ balance: 800, escrow: 0 })
})

test.each(["posting", "leg", "entry", "node"])(
  "rows of %s can be neither changed nor deleted",
  async table => {
    await db.write(() => ledger.append(grant(buyer, micro(5))))
    const column = table === "leg" ? "rowid" : table === "node" ? "level" : "idx"
    expect(() => db.sql.exec(`UPDATE ${table} SET ${column} = 7`)).toThrow("append-only")
    expect(() => db.sql.exec(`DELETE FROM ${table}`)).toThrow("append-only")
  },
)

test("an entry has its place: none can be left out, and none put in between", async () => {
  await db.write(() => ledger.append(grant(buyer, micro(5))))
  const put = (index: number) => db.sql.prepare("INSERT INTO entry (idx, body) VALUES (?, x'00')").run(index)
  expect(() => put(2)).toThrow("append-only")
  expect(() => put(0)).toThrow("append-only")
  expect(() => put(-1)).toThrow("append-only")
})

test("the ledger goes on after a restart, and a changed entry is found", async () => {
  await db.write(() => ledger.append(grant(buyer, micro(5))))
  db.close()
  open()
  const place = await db.write(() => ledger.append(grant(agent, micro(6))))
  expect(place.index).toBe(1)
  expect(ledger.brokenAt()).toBeNull()
  // Somebody with the file can drop the triggers; the tree still tells.
  db.sql.exec("DROP TRIGGER posting_stays; UPDATE posting SET entry = replace(entry, '6', '9') WHERE idx = 1")
  expect(ledger.brokenAt()).toBe(1)
  db.sql.exec(
    "DROP TRIGGER entry_stays; UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '5', '9') AS BLOB) WHERE idx = 0",
  )
  expect(ledger.brokenAt()).toBe(0)
})

test("what is not spent goes back to where it came from, earned credits first", async () => {
  const put = db.sql.prepare("INSERT INTO identity VALUES (?, '', '', '', 0)")
  await db.write(() => {
    for (const who of [buyer, agent]) put.run(who)
    ledger.append(grant(agent, micro(1000)))
    ledger.append(submission(agent, jobs[1] as JobId, granted(500)))
    const about = { job: jobs[1] as JobId, agent: buyer, lease: "l", proof: "p" }
    ledger.append(settlement(about, { per: "shard", amount: micro(500) }, { feeBasisPoints: 0 }))
    ledger.append(grant(buyer, micro(100)))
    ledger.append(submission(buyer, job, { granted: micro(100), earned: micro(300) }))
  })
  expect(ledger.paidFrom(job)).toEqual({ granted: 100, earned: 300 })
  expect(ledger.funds(buyer)).toEqual({ granted: 0, earned: 200 })
  await db.write(() => ledger.append(refund(buyer, job, 250, ledger.paidFrom(job))))
  expect(ledger.funds(buyer)).toEqual({ granted: 0, earned: 450 })
  await db.write(() => ledger.append(refund(buyer, job, 150, { granted: micro(100), earned: micro(50) })))
  expect(ledger.funds(buyer)).toEqual({ granted: 100, earned: 500 })
})

test("royalties come on top, are named, and what their rounding leaves stays in escrow", () => {
  const royalties = [
    { to: buyer, shareBasisPoints: 333, for: "letters of Ada" },
    { to: agent, shareBasisPoints: 1, for: "my own text" },
  ]
  const charge = { per: "second", rate: rate(1_000), ms: 1_234_567 } as const
  expect(
    settlement({ job, agent, lease: "l", proof: "p" }, charge, { feeBasisPoints: 200, royalties }),
  ).toEqual({
    kind: "settlement",
    about: { job, agent, lease: "l", proof: "p", per: "second", rate: "1000", ms: "1234567" },
    legs: [
      { account: `escrow:${job}`, amount: -1276 },
      { account: `earned:${agent}`, amount: 1211, for: "work" },
      { account: "market", amount: 24, for: "fee" },
      { account: `earned:${buyer}`, amount: 41, for: "royalty/letters of Ada" },
    ],
  })
})

test("balances that somebody changed in the file are found", async () => {
  await db.write(() => ledger.append(grant(buyer, micro(5))))
  expect(ledger.misstated()).toEqual([])
  db.sql.exec(`UPDATE turnover SET amount = 6 WHERE account = 'identity:${buyer}'`)
  expect(ledger.misstated()).toEqual([`identity:${buyer}`])
})

test("books of before balances were kept are added up at the first start", () => {
  db.close()
  rmSync(join(root, "market.sqlite"))
  db = new Database(join(root, "market.sqlite"), MIGRATIONS.slice(0, 7))
  db.sql.exec(
    `INSERT INTO posting VALUES (0, '', 'grant', '{}'), (1, '', 'settlement', '{}');
     INSERT INTO leg VALUES (0, 'identity:${buyer}', 'grant', 5), (1, 'identity:${buyer}', 'settlement', 7)`,
  )
  db.close()
  open()
  expect(ledger.balance(`identity:${buyer}`)).toBe(12)
  expect(ledger.statement(buyer)).toMatchObject({ granted: 12, own: 0, earned: 7 })
  expect(ledger.misstated()).toEqual([])
})
