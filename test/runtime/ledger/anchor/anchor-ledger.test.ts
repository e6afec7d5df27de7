import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ledgerKey } from "../../../../src/protocol/ledger-proof.ts"
import { openChain } from "../../../../src/runtime/ledger/anchor/chain.ts"
import { newIdentity } from "../../../contract/client.ts"
import { Published } from "../../../ledger/publishing.ts"
import { Anchorer, signal } from "./anchoring.ts"
import { Anvil, whyNoAnvil } from "./anvil.ts"

interface Call {
  method: string
  params: unknown[]
}

/** A way to the node on which something happens before one method; where that gives false, the call is lost. */
async function detour(anvil: Anvil, method: string, before: (call: Call) => Promise<boolean>) {
  const pass = async (call: Call, answer: ServerResponse) => {
    if (call.method === method && !(await before(call))) return answer.destroy()
    const body = JSON.stringify(call)
    const headers = { "content-type": "application/json" }
    const told = await fetch(anvil.url, { method: "POST", headers, body })
    return answer.writeHead(told.status, headers).end(await told.text())
  }
  const server = createServer(async (request, answer) => pass((await json(request)) as Call, answer))
  await new Promise<void>(ready => server.listen(0, "127.0.0.1", ready))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise(closed => server.close(closed))
  }
  return { url, [Symbol.asyncDispose]: close }
}

describe.skipIf(whyNoAnvil !== null)("anchoring", () => {
  let anvil: Anvil
  beforeAll(async () => {
    anvil = await Anvil.start()
  })
  afterAll(() => anvil[Symbol.asyncDispose]())

  test("costs one transaction of the account to itself, without a coin moved", async () => {
    await using published = new Published()
    const wallet = await anvil.wallet()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(300)
    const { transaction } = await anchorer.anchor(published)
    const told = await anvil.rpc<Record<string, string>>("eth_getTransactionByHash", transaction)
    expect(told).toMatchObject({
      from: wallet.address.toLowerCase(),
      to: wallet.address.toLowerCase(),
      value: "0x0",
    })
    const { gasUsed } = await anvil.rpc<{ gasUsed: string }>("eth_getTransactionReceipt", transaction)
    expect(Number(gasUsed)).toBeLessThan(27_000)
  })

  test("refuses a ledger that does not go on from the last anchor, and spends nothing on it", async () => {
    const market = newIdentity()
    await using told = new Published(market)
    await using other = new Published(market)
    const wallet = await anvil.wallet()
    using anchorer = new Anchorer(anvil.url, wallet)
    await told.grow(5)
    await anchorer.anchor(told)
    for (const more of [3, 2, 9]) {
      await other.grow(more, 2)
      await expect(anchorer.anchor(other)).rejects.toMatchObject({ code: "ledger-forked" })
    }
    expect(await anvil.rpc("eth_getTransactionCount", wallet.address, "latest")).toBe("0x1")
  })

  test("asks for funds, and holds to what it may cost, before anything is sent", async () => {
    await using published = new Published()
    await published.grow(1)
    const log = ledgerKey(published.market.publicKey)
    using poor = new Anchorer(anvil.url, await anvil.wallet(0))
    await expect(poor.anchor(published)).rejects.toMatchObject({
      code: "funds-short",
      facts: { balance: "0" },
    })
    using thrifty = new Anchorer(anvil.url, await anvil.wallet())
    await expect(thrifty.anchor(published, { maxCostWei: 1000n })).rejects.toMatchObject({
      code: "fee-too-high",
    })
    for (const { anchors } of [poor, thrifty]) expect(await anchors.last(log)).toBeNull()
  })

  test("a number that is no private key is refused, and not told", async () => {
    await using published = new Published()
    await published.grow(1)
    using anchorer = new Anchorer(anvil.url, await anvil.wallet())
    const key = `0x${"f".repeat(64)}` as const
    const fault = await anchorer.anchor(published, { key }).catch(error => error)
    expect(fault).toMatchObject({ code: "wallet-unreadable" })
    expect(`${fault.stack}${JSON.stringify(fault)}${fault.cause}`).not.toContain("ffff")
  })

  test("a chain before London's fees is paid in its own way", async () => {
    await using old = await Anvil.start("--hardfork", "berlin")
    await using published = new Published()
    await published.grow(1)
    using anchorer = new Anchorer(old.url, await old.wallet())
    const { transaction } = await anchorer.anchor(published)
    expect(await anchorer.check(published, transaction)).toMatchObject({ size: 1 })
  })

  test("a transaction that no block takes is remembered, and found when one has", async () => {
    await using idle = await Anvil.start("--no-mining")
    await using published = new Published()
    await published.grow(2)
    using anchorer = new Anchorer(idle.url, await idle.wallet())
    await expect(anchorer.anchor(published, { blockLimitMs: 10 })).rejects.toMatchObject({
      code: "anchor-unconfirmed",
    })
    const last = await anchorer.anchors.last(ledgerKey(published.market.publicKey))
    await idle.mine(1)
    expect(await anchorer.check(published, last?.transaction ?? "")).toMatchObject({ size: 2 })
  })

  test("another transaction in its place is told before the time is up", async () => {
    await using idle = await Anvil.start("--no-mining")
    await using published = new Published()
    await published.grow(2)
    const wallet = await idle.wallet()
    using anchorer = new Anchorer(idle.url, wallet)
    const refused = expect(anchorer.anchor(published)).rejects.toMatchObject({
      code: "chain-refused",
      message: expect.stringContaining("took the place"),
    })
    await expect.poll(() => idle.rpc("txpool_status")).toMatchObject({ pending: "0x1" })
    const last = await anchorer.anchors.last(ledgerKey(published.market.publicKey))
    await idle.rpc("anvil_dropTransaction", last?.transaction)
    await idle.rpc("anvil_setNonce", wallet.address, "0x1")
    await refused
  })

  test("an answer that is lost is no failure: what counts is whether the chain has it", async () => {
    await using published = new Published()
    await published.grow(2)
    await using way = await detour(anvil, "eth_sendRawTransaction", async ({ params }) => {
      await anvil.rpc("eth_sendRawTransaction", ...params).catch(() => {})
      return false
    })
    using anchorer = new Anchorer(anvil.url, await anvil.wallet())
    const chain = await openChain(way.url, null, signal)
    const { transaction } = await anchorer.anchor(published, { chain })
    expect(await anchorer.check(published, transaction)).toMatchObject({ size: 2 })
  })

  test("what a node refuses is forgotten; what may still arrive is not", async () => {
    await using published = new Published()
    await published.grow(2)
    const log = ledgerKey(published.market.publicKey)
    const wallet = await anvil.wallet()
    using anchorer = new Anchorer(anvil.url, wallet)
    await using robbed = await detour(anvil, "eth_sendRawTransaction", async () => {
      await anvil.rpc("anvil_setBalance", wallet.address, "0x0")
      return true
    })
    const poor = { chain: await openChain(robbed.url, null, signal) }
    await expect(anchorer.anchor(published, poor)).rejects.toMatchObject({ code: "funds-short" })
    expect(await anchorer.anchors.last(log)).toBeNull()
    await anvil.rpc("anvil_setBalance", wallet.address, "0xde0b6b3a7640000")
    await using lost = await detour(anvil, "eth_sendRawTransaction", async () => false)
    const dark = { chain: await openChain(lost.url, null, signal) }
    await expect(anchorer.anchor(published, dark)).rejects.toMatchObject({ code: "chain-unreachable" })
    expect(await anchorer.anchors.last(log)).toMatchObject({ from: wallet.address })
  })
})
