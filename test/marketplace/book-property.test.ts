import fc from "fast-check"
import { expect, test } from "vitest"
import { shareOf } from "../../src/marketplace/ledger/posting.ts"
import type { FaultCode } from "../../src/protocol/fault.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { Held } from "../../src/protocol/message.ts"
import { PRICE, TERMS, World } from "./book-world.ts"

const KINDS = [
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
  by: fc.nat(2),
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
    serve: () => world.serve(by, many, undefined),
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
    prove: () => taken && world.prove(taken.by, taken.lease),
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
}

/** Whatever has happened, this holds. */
function check(world: World, epochs: Map<string, number>): void {
  const { ledger, jobs } = world.book.exchange
  const all = <T>(query: string) => world.sql.prepare(query).all() as T[]
  expect(ledger.brokenAt()).toBeNull()
  expect(all<{ sum: number }>("SELECT coalesce(sum(amount), 0) AS sum FROM leg")).toEqual([{ sum: 0 }])
  const rows = all<Row>("SELECT job, state, lease, epoch, agent, slot FROM shard")
  const proofs = all<{ lease: string; agent: string }>("SELECT lease, agent FROM proof")
  const settled = rows.filter(({ state }) => state === "settled")
  expect(proofs.map(({ lease, agent }) => `${lease} ${agent}`).sort()).toEqual(
    settled.map(({ lease, agent }) => `${lease} ${agent}`).sort(),
  )
  for (const { id, state, total } of all<{ id: string; state: string; total: number }>(
    "SELECT id, state, json_array_length(spec, '$.shards') AS total FROM job",
  )) {
    const paid = settled.filter(({ job }) => job === id).length
    const isOver = state === "done" || state === "failed"
    expect(ledger.balance(`escrow:${id as never}`)).toBe(isOver ? 0 : PRICE * (total - paid))
    if (isOver) expect(rows.filter(({ job, state }) => job === id && /ready|leased/.test(state))).toEqual([])
    expect(jobs.one(id as never)?.state).toBe(state)
  }
  for (const { keyId } of world.agents) {
    const paid = settled.filter(({ agent }) => agent === keyId).length
    expect(ledger.statement(keyId).earned).toBe(paid * (PRICE - shareOf(PRICE, TERMS.feeBasisPoints)))
    expect(ledger.balance(`identity:${keyId}`)).toBeGreaterThanOrEqual(0)
  }
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
  timeout: 120_000,
}, async () => {
  const property = fc.asyncProperty(history, async groups => {
    const world = await World.make()
    const epochs = new Map<string, number>()
    try {
      await Promise.all([world.submit(0, 3), world.serve(1, 2, []), world.serve(2, 1, [])])
      await world.pass(1)
      for (const group of groups) {
        if (group[0]?.kind === "restart") await world.restart()
        await Promise.all(group.map(one => happen(world, one)))
        await world.pass(1)
        check(world, epochs)
      }
      await finish(world)
      check(world, epochs)
    } finally {
      await world.close()
    }
  })
  await fc.assert(property, { numRuns: Number(process.env.ZG_BOOK_RUNS ?? 40) })
})
