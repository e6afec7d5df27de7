import { pino } from "pino"
import { expect, test } from "vitest"
import type { JobStatus } from "../../../src/protocol/job.ts"
import { followJob } from "../../../src/runtime/job/follow.ts"
import { Link } from "../../../src/runtime/market/link.ts"
import { enrol } from "../../contract/client.ts"
import { Embedded } from "../../contract/market.ts"
import { batchJob, finish, slotFor, submit, takeLease } from "../../contract/work.ts"

const log = pino({ level: "silent" })

test("a job is followed over a restart of the marketplace to its end", async () => {
  const market = await Embedded.start({ coolOffMs: 100 })
  const [agent, buyer] = [await enrol(market.url), await enrol(market.url)]
  const job = batchJob(2)
  const id = await submit(buyer, job)
  const told: JobStatus[] = []
  const link = new Link({ url: market.url, signer: buyer.identity, agent: "test", pinned: null }, log)
  const followed = followJob(link, id, status => told.push(status), AbortSignal.timeout(20_000))
  agent.wire.send({ type: "capacity", slots: [slotFor(job)] })
  await finish(agent, await takeLease(agent, id))
  await expect.poll(() => told.some(({ spent }) => spent > 0)).toBe(true)
  await Promise.all([agent.close(), buyer.close()])
  await market.restart()
  const back = await enrol(market.url, agent.identity)
  back.wire.send({ type: "capacity", slots: [slotFor(job)] })
  await finish(back, await takeLease(back, id))
  expect(await followed).toMatchObject({ id, state: "done" })
  expect(told.at(-1)?.state).toBe("done")
  await back.close()
  await market.stop()
})

test("a marketplace that stays away ends it with market-lost, and the owner's signal at once", async () => {
  const market = await Embedded.start()
  const buyer = await enrol(market.url)
  const id = await submit(buyer, batchJob())
  const open = () => new Link({ url: market.url, signer: buyer.identity, agent: "test", pinned: null }, log)
  const stop = new AbortController()
  const stopped = followJob(open(), id, () => stop.abort(new Error("enough")), stop.signal)
  await expect(stopped).rejects.toThrow("enough")
  const told = Promise.withResolvers<void>()
  const lost = followJob(open(), id, () => told.resolve(), AbortSignal.timeout(20_000), 1500)
  const ended = expect(lost).rejects.toMatchObject({ code: "market-lost", hint: /goes on without you/ })
  await told.promise
  await buyer.close()
  await market.stop()
  await ended
})
