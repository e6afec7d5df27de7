import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterEach, beforeEach, expect, test } from "vitest"
import { MicroCredits } from "../../src/protocol/credits.ts"
import type { MarketMessage } from "../../src/protocol/message.ts"
import { openHome } from "../../src/runtime/agent/home.ts"
import { writeSettings } from "../../src/runtime/agent/settings.ts"
import { ensureIdentity } from "../../src/store/identity.ts"
import { StandInMarket } from "../stand-in/market.ts"

const credits = (amount: number) => MicroCredits.parse(amount * 1_000_000)

let market: StandInMarket
let home: string
let bond: number
let isHeld: boolean

beforeEach(async () => {
  ;[bond, isHeld] = [12, false]
  market = await StandInMarket.start(async ({ type }) => {
    if (type === "release" && isHeld)
      return { type: "refused", code: "bond-held", message: "A proof waits for its audits.", hint: "Wait." }
    if (type === "release") bond = 0
    return type === "account" || type === "release" ? account() : undefined
  })
  home = mkdtempSync(join(tmpdir(), "zg-account-"))
  const opened = openHome(home)
  await ensureIdentity(opened.identity)
  writeSettings(opened, {
    market: { url: market.url, publicKey: market.identity.publicKey },
    name: "rig",
  })
})
afterEach(() => market.close())

function account(): MarketMessage {
  const own = 100 - bond
  return {
    type: "account",
    ...{ balance: credits(own), granted: credits(0), own: credits(own), bond: credits(bond) },
    ...{ earned: credits(100), spent: credits(0), escrow: credits(0) },
  }
}

const run = (...args: string[]) =>
  execa(process.execPath, ["bin/run.js", "account", ...args], { env: { ZG_HOME: home }, reject: false })

test("an account shows its bond, which is paid out once", async () => {
  expect((await run()).stdout).toMatch(/earned +88\.00 of 100\.00 in all\n +bond +12\.00 kept back/)
  expect((await run("release")).stdout).toMatch(
    /^The bond of 12\.00 credits is paid out\. Every shard .* audited[\s\S]*\n +bond +0\.00/,
  )
  expect((await run("release")).stdout).toContain("There is no bond to pay out.")
  expect(JSON.parse((await run("release", "--json")).stdout)).toMatchObject({ bond: 0, own: 100_000_000 })
})

test("a bond that is held stays, and the marketplace says why", async () => {
  isHeld = true
  const { exitCode, stderr } = await run("release")
  expect([exitCode, stderr]).toEqual([20, expect.stringContaining("A proof waits for its audits.")])
  expect((await run()).stdout).toContain("bond      12.00")
})
