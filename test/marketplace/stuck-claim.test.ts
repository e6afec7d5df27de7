import { expect, test } from "vitest"
import { randomId } from "../../src/protocol/handshake.ts"
import { World } from "./book-world.ts"

const AUDIT = { kind: "replicate", copies: 2, quorum: 2, share: 0 } as const

test("a claim that something is wrong with stops neither other audits nor what the book does besides", async () => {
  const world = await World.make()
  try {
    await Promise.all([1, 2].map(by => world.serve(by, 2, [])))
    await world.submit(0, 1, randomId(), { audit: AUDIT })
    for (let turn = 0; turn < 40 && world.leases.length === 0; turn++) {
      await world.pass(200)
      for (const by of [1, 2]) for (const offer of world.offersOf(by)) await world.accept(by, offer)
    }
    const [first] = world.leases as [(typeof world.leases)[0]]
    await world.prove(first.by, first.lease)
    world.sql.exec("UPDATE commitment SET checkpoint = 'none', seed = NULL")
    await world.submit(0, 1, randomId(), { audit: AUDIT })
    await world.submit(0, 1)
    for (let turn = 0; turn < 60; turn++) await work(world)
    const states = world.sql.prepare("SELECT state FROM job ORDER BY submitted_at, rowid").all()
    expect(states).toEqual([{ state: "running" }, { state: "done" }, { state: "done" }])
  } finally {
    await world.close()
  }
})

/** Both agents take and prove whatever they are offered. */
async function work(world: World): Promise<void> {
  for (const by of [1, 2]) {
    for (const offer of world.offersOf(by).splice(0)) await world.accept(by, offer)
    for (const { lease } of world.leases.filter(lease => lease.by === by)) await world.prove(by, lease)
  }
  await world.pass(200)
}
