import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { mostOfJob, mostOfShard, total } from "../../src/marketplace/plans/plan.ts"
import type { FaultCode } from "../../src/protocol/fault.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { JobId, JobSpec } from "../../src/protocol/job.ts"
import type { KeyId } from "../../src/protocol/keys.ts"
import type { Account } from "../../src/protocol/ledger-entry.ts"
import type { Held } from "../../src/protocol/message.ts"
import { mostOf, type Price } from "../../src/protocol/price.ts"
import { ledgerFiles } from "../../src/runtime/ledger/files.ts"
import { verifyLog } from "../../src/runtime/ledger/verify.ts"
import { RATE, World } from "./book-world.ts"

const KINDS = [
  ...["submit-replicated", "submit-spotted", "submit-canaried", "prove-wrong", "prove-wrong", "release"],
  ...["submit-per-second", "submit-with-royalty", "submit-from-self", "serve-asking", "serve-asking-much"],
  ...["submit", "submit-twice", "serve", "serve", "serve-holding", "serve-none", "leave", "drain", "restart"],
  ...["accept", "accept", "accept", "accept-twice", "decline", "renew", "abandon", "progress", "checkpoint"],
  ...["prove", "prove-twice", "prove-foreign", "resend", "pass", "pass-long"],
] as const

interface Act {
  kind: (typeof KINDS)[number]
  by: number
  which: number
  many: number
}

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom(...KINDS),
  by: fc.nat(3),
  which: fc.nat(7),
  many: fc.integer({ min: 1, max: 3 }),
})

/** Some things happen one after the other, some at once. */
const history = fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), {
  minLength: 10,
  maxLength: 50,
  size: "max",
})

const CODES: FaultCode[] = ["shard-failed", "gpu-unusable", "container-lost", "disk-full"]
/** One of the newest four: what is long over is of little interest. */
const pick = <T>(all: readonly T[], which: number): T | undefined =>
  all.at(-1 - (which % Math.max(1, Math.min(4, all.length))))

async function happen(world: World, { kind, by, which, many }: Act): Promise<void> {
  const taken = pick(world.leases, which)
  const held = taken && { lease: taken.lease.lease.id, epoch: taken.lease.lease.epoch }
  const royaltyTo = world.agents[which % 5]?.keyId
  const offer = pick(world.offersOf(by), which)
  const own: Held[] = world.leases
    .filter(lease => lease.by === by)
    .map(({ lease }) => ({ lease: lease.lease.id, epoch: lease.lease.epoch }))
  const acts: Record<Act["kind"], () => unknown> = {
    submit: () => world.submit(by, many),
    "submit-twice": async () => {
      const key = randomId()
      await Promise.all([world.submit(by, many, key), world.submit(by, many, key)])
    },
    "submit-per-second": () => world.submit(by, many, randomId(), { perSecond: true, royaltyTo }),
    "submit-with-royalty": () => world.submit(by, many, randomId(), { royaltyTo }),
    "submit-replicated": () =>
      world.submit(by, many, randomId(), {
        ...{ royaltyTo, perSecond: which % 2 === 0 },
        audit: { kind: "replicate", copies: 2, quorum: 2, share: 0 },
      }),
    "submit-spotted": () =>
      world.submit(by, many, randomId(), {
        audit: { kind: "spot", segments: 1, drawn: 1, tolerance: null, share: which / 10 },
      }),
    "submit-canaried": () =>
      world.submit(by, many + 2, randomId(), { audit: { kind: "canary", share: which / 10 } }),
    "prove-wrong": () => taken && world.prove(taken.by, taken.lease, 1000, world.wrongOutput),
    release: () => world.say(by, { type: "release" }),
    "submit-from-self": () =>
      world.submit(by, 1, randomId(), { payFrom: "self", perSecond: which % 2 === 0, royaltyTo }),
    serve: () => world.serve(by, many, undefined),
    "serve-asking": () => world.serve(by, many, undefined, Math.floor(RATE / (which + 1))),
    "serve-asking-much": () => world.serve(by, many, undefined, RATE + 1),
    "serve-holding": () => world.serve(by, many, own.slice(which % (own.length + 1))),
    "serve-none": () => world.serve(by, many, []),
    leave: () => world.leave(by),
    drain: () => world.say(by, { type: "drain" }),
    restart: () => {},
    accept: () => offer && world.accept(by, offer),
    "accept-twice": () => offer && Promise.all([world.accept(by, offer), world.accept(by, offer)]),
    decline: () => offer && world.say(by, { type: "decline", offer: offer.offer, reason: "busy" }),
    renew: () => taken && held && world.say(taken.by, { type: "renew", ...held }),
    progress: () =>
      taken && held && world.say(taken.by, { type: "progress", ...held, step: 1, steps: 2, loss: null }),
    checkpoint: () =>
      taken &&
      held &&
      world.output &&
      world.say(taken.by, { type: "checkpoint", ...held, files: [world.output] }),
    abandon: () =>
      taken &&
      held &&
      world.say(taken.by, {
        type: "abandon",
        ...held,
        code: pick(CODES, many) ?? "shard-failed",
        message: "so",
      }),
    prove: () => taken && world.prove(taken.by, taken.lease, which * 700),
    "prove-twice": () =>
      taken && Promise.all([world.prove(taken.by, taken.lease), world.prove(taken.by, taken.lease)]),
    "prove-foreign": () => taken && world.prove(by, taken.lease),
    resend: async () => {
      const sent = pick(world.proofs, which)
      if (sent) await world.handIn(sent)
    },
    pass: () => world.pass(many * 400),
    "pass-long": () => world.pass(many * 1500),
  }
  await acts[kind]()
}

interface Row {
  job: string
  state: string
  lease: string
  epoch: number
  agent: string | null
  slot: string | null
  price: string | null
  cost: number | null
  /** The proof that it audits. */
  claim: string | null
}

interface JobRow {
  id: JobId
  owner: KeyId
  state: string
  spec: string
}

/** No job pays more than it offered, or other than its lease said. */
function checkCosts(settled: Row[], specs: Map<string, JobSpec>): void {
  for (const { job, price, cost, claim } of settled) {
    const spec = specs.get(job) as JobSpec
    const said: Price = JSON.parse(price ?? "null")
    // Royalties are paid once, however often a shard is run.
    const most = claim === null ? mostOfShard(spec) : mostOf(said, spec.limits.timeMs)
    expect(cost).toBeLessThanOrEqual(most)
    if (said.per === "shard") expect(cost).toBe(most)
    else expect(said.rate).toBeLessThanOrEqual(RATE)
  }
}

/** The legs add up, in each way that they are counted. */
function checkBalances(world: World): void {
  const { ledger } = world.book.exchange
  const legs = world.sql.prepare("SELECT account, sum(amount) AS amount FROM leg GROUP BY account").all() as {
    account: Account
    amount: number
  }[]
  expect(legs.reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
  for (const { account, amount } of legs) {
    if (account !== "issuer") expect(amount).toBeGreaterThanOrEqual(0)
    expect(ledger.balance(account)).toBe(amount)
  }
  expect(ledger.misstated()).toEqual([])
}

/** Whoever reads the published files comes to the same balances. Verdicts and secrets may still be on their way, and come after them. */
async function checkPublished(world: World): Promise<void> {
  const { ledger, publisher } = world.book.exchange
  const { size } = await publisher.covering(ledger.log.size)
  const files = ledgerFiles(join(world.root, "ledger"))
  const head = { size, root: ledger.log.root(size) }
  const { balances } = await verifyLog(files, head, { signal: AbortSignal.timeout(20_000) })
  const legs = world.sql
    .prepare("SELECT account, sum(amount) AS amount FROM leg WHERE posting < ? GROUP BY account")
    .all(size) as { account: Account; amount: number }[]
  expect(balances).toEqual(new Map(legs.map(({ account, amount }) => [account, amount])))
}

/** What lost bonds have paid back to a job. */
function returnedTo(world: World, job: JobId): number {
  const row = world.sql
    .prepare("SELECT coalesce(sum(amount), 0) AS sum FROM leg WHERE account = ? AND kind = 'forfeit'")
    .get(`escrow:${job}`)
  return (row as { sum: number }).sum
}

/** Whatever has happened, this holds. */
function check(world: World, epochs: Map<string, number>): void {
  const { ledger, jobs, commitments, audits, shards } = world.book.exchange
  const all = <T>(query: string) => world.sql.prepare(query).all() as T[]
  expect(ledger.brokenAt()).toBeNull()
  checkBalances(world)
  const rows = all<Row>("SELECT job, state, lease, epoch, agent, slot, price, cost, claim FROM shard")
  const proofs = all<{ lease: string; agent: string }>("SELECT lease, agent FROM proof")
  const settled = rows.filter(({ state }) => state === "settled")
  expect(proofs.map(({ lease, agent }) => `${lease} ${agent}`).sort()).toEqual(
    settled.map(({ lease, agent }) => `${lease} ${agent}`).sort(),
  )
  const specs = new Map<string, JobSpec>()
  for (const { id, state, spec: text } of all<JobRow>("SELECT id, owner, state, spec FROM job")) {
    const spec: JobSpec = JSON.parse(text)
    specs.set(id, spec)
    const paid = settled.filter(({ job }) => job === id).reduce((sum, { cost }) => sum + (cost ?? 0), 0)
    const isOver = state === "done" || state === "failed"
    const isDecided = commitments.openOf(id).length === 0 && audits.open(id).length === 0
    const forfeited = returnedTo(world, id)
    const escrow = ledger.balance(`escrow:${id}`)
    expect(escrow).toBe(isOver && isDecided ? 0 : mostOfJob(spec) - paid + forfeited)
    expect(ledger.spentOn(id)).toBe(paid)
    const planned = rows.filter(({ job, claim }) => job === id && claim === null)
    if (isOver) expect(planned.filter(({ state }) => /ready|leased/.test(state))).toEqual([])
    // Whatever audits have cost, there is enough for every shard that may have to be paid.
    const unpaid = isOver ? commitments.openOf(id).length : total(spec) - shards.count(id).settled
    expect(escrow).toBeGreaterThanOrEqual(unpaid * mostOfShard(spec))
    expect(jobs.one(id)?.state).toBe(state)
  }
  checkCosts(settled, specs)
  const { earned, spent } = world.agents
    .map(({ keyId }) => ledger.statement(keyId))
    .reduce((sum, one) => ({ earned: sum.earned + one.earned, spent: sum.spent + one.spent }), {
      ...{ earned: 0, spent: 0 },
    })
  expect(earned + ledger.balance("market")).toBe(spent)
  const places = rows.filter(({ state }) => state === "leased").map(({ agent, slot }) => `${agent} ${slot}`)
  expect(new Set(places).size).toBe(places.length)
  const granted = world.leases.map(({ lease: { lease } }) => `${lease.id} ${lease.epoch}`)
  expect(new Set(granted).size).toBe(granted.length)
  for (const { lease, epoch } of rows) {
    expect(epoch).toBeGreaterThanOrEqual(epochs.get(lease) ?? 1)
    epochs.set(lease, epoch)
  }
}

/** From here on all are honest and nothing is lost: every job has to come to its end. */
async function finish(world: World): Promise<void> {
  const open = () => world.book.exchange.jobs.open().length
  for (let rounds = 0; rounds < 120 && open() > 0; rounds++) {
    for (const by of world.agents.keys()) {
      await world.serve(by, 3, [])
      for (const offer of world.offersOf(by).splice(0)) await world.accept(by, offer)
      for (const { lease } of world.leases.filter(lease => lease.by === by).slice(-3))
        await world.prove(by, lease)
    }
    await world.pass(700)
  }
  expect(open()).toBe(0)
}

test("whatever happens in whatever order, every shard is paid once or not at all, and the books balance", {
  timeout: 400_000,
}, async () => {
  const property = fc.asyncProperty(history, async groups => {
    const world = await World.make()
    const epochs = new Map<string, number>()
    try {
      await Promise.all([world.submit(0, 3), ...[1, 2, 3].map(by => world.serve(by, 2, []))])
      await world.pass(1)
      for (const group of groups) {
        if (group[0]?.kind === "restart") await world.restart()
        await Promise.all(group.map(one => happen(world, one)))
        await world.pass(1)
        check(world, epochs)
      }
      await finish(world)
      check(world, epochs)
      await checkPublished(world)
    } finally {
      await world.close()
    }
  })
  await fc.assert(property, { numRuns: Number(process.env.ZG_BOOK_RUNS ?? 30) })
})
