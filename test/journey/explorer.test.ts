import { expect, test } from "vitest"
import { Chromium, needChromium } from "../marketplace/explorer/chromium.ts"
import { Town } from "./town.ts"

test("a marketplace as it is installed shows its ledger, and the browser verifies it", {
  timeout: 120_000,
}, async context => {
  needChromium(context)
  const town = await Town.found()
  try {
    const { agent } = await town.register("garage")
    await using chromium = await Chromium.start()
    const page = await chromium.open()
    const http = town.url.replace("ws", "http")
    await page.visit(`${http}/agents/${agent}`)
    await page.said("ledger-status", /^1 entry, signed/)
    await page.click("verify")
    expect(await page.said("verify-result", /erified|poilt/)).toMatch(/^Verified/)
  } finally {
    await town.close()
  }
})
