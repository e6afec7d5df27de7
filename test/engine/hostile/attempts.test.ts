import { once } from "node:events"
import { readdir } from "node:fs/promises"
import { type AddressInfo, connect, createServer } from "node:net"
import { networkInterfaces } from "node:os"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ATTEMPTS, type Attempt } from "../../../src/runtime/probe/attempts.ts"
import { type JailReport, jail } from "../../../src/runtime/probe/jail.ts"
import { groundOrReason, openPlace, type Place } from "./ground.ts"

const ground = await groundOrReason("the hostile suite's attempts")
const sandboxes = typeof ground === "string" ? [] : [...ground.sandboxes.keys()]
const limit = () => AbortSignal.timeout(120_000)

let place: Place
let market: Awaited<ReturnType<typeof listenAsMarket>>
beforeAll(async () => {
  if (typeof ground === "string") return
  place = await openPlace(ground, limit())
  market = await listenAsMarket()
})
afterAll(async () => {
  await place?.close()
  await market?.close()
})

/** Listens where a marketplace would: on this machine's address in its network, or its loopback where it has no network. */
async function listenAsMarket() {
  const own = Object.values(networkInterfaces()).flat()
  const host = own.find(one => one?.family === "IPv4" && !one.internal)?.address ?? "127.0.0.1"
  let count = 0
  const server = createServer(socket => {
    count++
    socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  // That it can be reached at all is the other half of the proof.
  const arrived = once(server, "connection")
  connect(port, host)
    .on("error", () => {})
    .end()
  await arrived
  const close = () => new Promise(resolve => server.close(resolve))
  return { address: { host, port }, arrivals: () => count - 1, close }
}

if (typeof ground === "string") test.skip(`not run: ${ground}`, () => {})

describe.for(sandboxes)("on %s", sandbox => {
  let report: JailReport
  beforeAll(async () => {
    report = await jail({ ...place.options(sandbox), addresses: [market.address] }, limit())
  })

  test.for(Object.entries(ATTEMPTS))("a shard cannot %s", ([name, attempt], { expect, skip }) => {
    const { needs, tolerated }: Attempt = attempt
    const tried = report.attempts.find(one => one.name === name)
    if (tried === undefined && needs !== undefined) skip(`nothing to try: no ${needs} was told`)
    const allowed = tolerated === undefined ? ["blocked"] : ["blocked", "tolerated"]
    expect(allowed, tried?.how).toContain(tried?.outcome)
  })

  test("nothing arrived, no card is there, and every flag that shows is in force", () => {
    expect(report.violations).toEqual([])
    for (const name of ["arrivals", "other-gpus"])
      expect(report.attempts.find(one => one.name === name)).toMatchObject({ outcome: "blocked" })
    expect(market.arrivals()).toBe(0)
    expect(report.passed).toBe(true)
  })

  test("neither a container nor a file is left", async () => {
    expect(await place.left()).toEqual([])
    expect(await readdir(place.root)).not.toContain("scratch")
  })
})
