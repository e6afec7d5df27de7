import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { anchorData } from "../../../../src/protocol/anchor.ts"
import { ledgerKey } from "../../../../src/protocol/ledger-proof.ts"
import { openCheckpoint } from "../../../../src/protocol/tlog/checkpoint.ts"
import { lastAnchor } from "../../../../src/runtime/ledger/anchor/check-anchor.ts"
import { newIdentity } from "../../../contract/client.ts"
import { Published } from "../../../ledger/publishing.ts"
import { Anchorer } from "./anchoring.ts"
import { Anvil, type Wallet, whyNoAnvil } from "./anvil.ts"

describe.skipIf(whyNoAnvil !== null)("an anchor", () => {
  let anvil: Anvil
  let wallet: Wallet
  beforeAll(async () => {
    anvil = await Anvil.start()
    wallet = await anvil.wallet()
  })
  afterAll(() => anvil[Symbol.asyncDispose]())

  test("tells when a ledger held what, and a ledger that grew goes on from it", async () => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(5)
    const sent = await anchorer.anchor(published)
    expect(sent).toMatchObject({ chain: 31_337, from: wallet.address, block: { isSuccess: true } })
    await published.grow(300)
    await anvil.mine(11)
    const { root } = sent.checkpoint
    expect(await anchorer.check(published, sent.transaction, { confirmations: 12 })).toEqual({
      ...{ size: 5, root, transaction: sent.transaction, chain: 31_337, from: wallet.address },
      ...{ block: sent.block.number, at: sent.block.at.toISOString(), confirmations: 12 },
    })
    const again = await anchorer.anchor(published)
    expect(again.checkpoint.size).toBe(305)
    expect(await anchorer.check(published, sent.transaction)).toMatchObject({ size: 5 })
    const log = ledgerKey(published.market.publicKey)
    expect(await lastAnchor(anchorer.anchors, log)).toMatchObject({ transaction: again.transaction })
  })

  test("finds a ledger that was rewritten after it, shrank, or forked at the same size", async () => {
    const market = newIdentity()
    await using told = new Published(market)
    await using other = new Published(market)
    using anchorer = new Anchorer(anvil.url, wallet)
    await told.grow(7)
    const { transaction } = await anchorer.anchor(told)
    for (const more of [4, 3, 20]) {
      await other.grow(more, 2)
      const checked = anchorer.check(other, transaction)
      await expect(checked).rejects.toMatchObject({ code: "ledger-forked", area: "proof" })
    }
  })

  test("must be sent by whom it is said to be", async () => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(2)
    const { transaction } = await anchorer.anchor(published)
    const from = wallet.address.toLowerCase()
    expect(await anchorer.check(published, transaction, { from })).toMatchObject({ size: 2 })
    const stranger = (await anvil.wallet()).address
    await expect(anchorer.check(published, transaction, { from: stranger })).rejects.toMatchObject({
      code: "anchor-mismatch",
      message: expect.stringContaining(`not by ${stranger}`),
    })
  })

  /** The ledger's own anchor, as bytes. */
  const dataOf = async (published: Published) => {
    const log = ledgerKey(published.market.publicKey)
    return Buffer.from(anchorData(openCheckpoint(await published.publish(), log), log))
  }

  test.each<[string, (data: Buffer) => Buffer, string]>([
    ["nothing", () => Buffer.alloc(0), "holds no anchor"],
    ["other data", () => Buffer.from("hello"), "holds no anchor"],
    ["one of another version", data => Buffer.from(data.fill(2, 7, 8)), "holds no anchor"],
    ["more than an anchor", data => Buffer.concat([data, data]), "holds no anchor"],
    ["another ledger's name", data => Buffer.from(data.fill(0, 8, 9)), "is not about zg-agent.dev/ledger/"],
    ["a size that was not signed", data => Buffer.from(data.fill(9, 47, 48)), "has not signed"],
    ["a size past all numbers", data => Buffer.from(data.fill(255, 40, 48)), "has not signed"],
    ["a root that was not signed", data => Buffer.from(data.fill(0, 48, 80)), "has not signed"],
  ])("of somebody who wrote %s says nothing, and accuses nobody", async (_, change, why) => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(3)
    const transaction = await anvil.send(change(await dataOf(published)))
    await expect(anchorer.check(published, transaction)).rejects.toMatchObject({
      code: "anchor-mismatch",
      message: expect.stringContaining(why),
    })
  })

  test("may be sent by anybody, since the ledger itself has signed it", async () => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(3)
    const transaction = await anvil.send(await dataOf(published))
    expect(await anchorer.check(published, transaction)).toMatchObject({ size: 3 })
  })

  test("that was reverted counts for nothing", async () => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(3)
    const contract = `0x${"c0".repeat(20)}`
    // PUSH1 0, PUSH1 0, REVERT
    await anvil.rpc("anvil_setCode", contract, "0x60006000fd")
    const transaction = await anvil.send(await dataOf(published), contract)
    await expect(anchorer.check(published, transaction)).rejects.toMatchObject({
      code: "anchor-mismatch",
      message: expect.stringContaining("reverted"),
    })
  })

  test("must be deep enough in the chain", async () => {
    await using published = new Published()
    using anchorer = new Anchorer(anvil.url, wallet)
    await published.grow(1)
    const { transaction } = await anchorer.anchor(published)
    await anvil.mine(1)
    await expect(anchorer.check(published, transaction, { confirmations: 3 })).rejects.toMatchObject({
      code: "anchor-unconfirmed",
      message: expect.stringContaining("2 of 3"),
    })
  })

  test("that no block holds yet is not confirmed, and a hash that nobody knows is named", async () => {
    await using published = new Published()
    await using idle = await Anvil.start("--no-mining")
    using anchorer = new Anchorer(idle.url, wallet)
    await published.grow(1)
    const transaction = await idle.send(await dataOf(published))
    await expect(anchorer.check(published, transaction)).rejects.toMatchObject({
      code: "anchor-unconfirmed",
      facts: { confirmations: 0 },
    })
    await expect(anchorer.check(published, `0x${"5".repeat(64)}`)).rejects.toMatchObject({
      code: "anchor-unknown",
    })
    const log = ledgerKey(published.market.publicKey)
    await expect(lastAnchor(anchorer.anchors, log)).rejects.toMatchObject({ code: "anchor-unknown" })
  })
})
