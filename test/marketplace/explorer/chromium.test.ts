import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { vkeyOf } from "../../../src/protocol/tlog/note.ts"
import { loadIdentity } from "../../../src/store/identity.ts"
import { newIdentity } from "../../contract/client.ts"
import { Published } from "../../ledger/publishing.ts"
import { setAuditScene } from "./audit-scene.ts"
import { Chromium, findChromium, needChromium, type Page } from "./chromium.ts"
import { type Scene, setScene } from "./scene.ts"
import { Spoiling } from "./spoiling.ts"

let scene: Scene
let chromium: Chromium

beforeAll(async () => {
  if (findChromium() === null) return
  scene = await setScene()
  chromium = await Chromium.start()
}, 120_000)

afterAll(async () => {
  await chromium?.[Symbol.asyncDispose]()
  await scene?.close()
})

beforeEach(context => {
  needChromium(context)
})

const CALM = /^\d+ entries, signed by the key that this page names\./
const limits = { timeout: 120_000 }

/** A place before the marketplace, with storage of its own in the browser, and a tab. */
async function arrive() {
  return { site: await Spoiling.before(scene.http), page: await chromium.open() }
}

async function verified(page: Page, fits: RegExp): Promise<string> {
  await page.click("verify")
  return page.said("verify-result", fits)
}

test("entries verify: one by itself, and all that a list shows", limits, async () => {
  const { site, page } = await arrive()
  await using _site = site
  await page.visit(`${site.http}/entries/4`)
  expect(await page.said("ledger-status", CALM)).not.toContain("before")
  expect(await verified(page, /erified|poilt/)).toMatch(/^Verified: the entry stands as shown/)
  await page.visit(`${site.http}/entries`)
  expect(await page.said("ledger-status", CALM)).toContain("goes on from")
  const size = await page.value<number>("document.querySelectorAll('tr[data-entry]').length")
  expect(await verified(page, /erified|poilt/)).toContain(`Verified: ${size} entries stand as shown`)
  expect(await page.value("document.querySelectorAll('td.mark .good').length")).toBe(size)
  // Again, over its own marks.
  expect(await verified(page, /Verified/)).toContain(`${size} entries`)
})

test("an entry that was changed, or a tile, does not lead to the signed root", limits, async () => {
  for (const [spoilt, change] of [
    ["/ledger/tile/entries/", rewrite],
    ["/ledger/tile/0/", flip],
  ] as const) {
    const { site, page } = await arrive()
    await using _site = site
    site.spoil = (path, body) => (path.startsWith(spoilt) ? change(body) : null)
    await page.visit(`${site.http}/entries/4`)
    expect(await verified(page, /erified|poilt/)).toMatch(/^Spoilt\. .*Entry 4 /s)
    await page.visit(`${site.http}/entries`)
    expect(await verified(page, /erified|poilt/)).toMatch(/^\d+ of \d+: Spoilt/)
    expect(await page.value("document.querySelectorAll('td.mark .bad').length")).toBeGreaterThan(0)
  }
})

test("a page that shows an entry as something else than is recorded is found out", limits, async () => {
  const { site, page } = await arrive()
  await using _site = site
  const more = (path: string, body: Buffer) =>
    path.startsWith("/entries") ? Buffer.from(body.toString().replaceAll("1000.00", "9000.00")) : null
  site.spoil = more
  for (const path of ["/entries/0", "/entries"]) {
    await page.visit(`${site.http}${path}`)
    expect(await page.value("document.body.textContent")).toContain("9000.00")
    expect(await verified(page, /erified|poilt/)).toContain("shows it as something else")
  }
})

test("a checkpoint that was changed is not signed, and nothing verifies by it", limits, async () => {
  const { site, page } = await arrive()
  await using _site = site
  site.spoil = (path, body) =>
    path === "/ledger/checkpoint" ? Buffer.from(body.toString().replace(/\n(\d+)\n/, "\n1$1\n")) : null
  await page.visit(`${site.http}/entries/4`)
  expect(await page.said("ledger-status", /signed/)).toMatch(/^Not signed as it should be/)
  expect(await page.value("document.getElementById('ledger-status').className")).toContain("bad")
  expect(await verified(page, /erified/)).toMatch(/^Not verified/)
})

test(
  "a ledger that was rewritten since the last visit is told of loudly, at every visit",
  limits,
  async () => {
    const { site, page } = await arrive()
    await using _site = site
    await page.visit(`${site.http}/`)
    await page.said("ledger-status", CALM)
    const market = await loadIdentity(join(scene.market.root, "market.pem"))
    await using other = new Published(market)
    await other.grow(200)
    site.spoil = path => (path.startsWith("/ledger/") ? fileIn(other.folder, path) : null)
    for (const path of ["/", "/jobs"]) {
      await page.visit(`${site.http}${path}`)
      expect(await page.said("ledger-status", /REWRITTEN/)).toContain("does not go on from")
    }
    await page.click("forget")
    await page.said("ledger-status", /^200 entries/)
  },
)

test("the reader's own key decides, is kept, and another one is told of", limits, async () => {
  const { site, page } = await arrive()
  await using _site = site
  await page.visit(`${site.http}/`)
  const trust = async (key: string) => {
    await page.value(`document.getElementById("trusted-key").value = ${JSON.stringify(key)}`)
    await page.click("trust")
  }
  await trust("nonsense")
  await page.said("trust-result", /no key/)
  await trust(vkeyOf(ledgerKey(newIdentity().publicKey)))
  expect(await page.said("ledger-status", /another key/)).toContain("Not signed as it should be")
  await trust(scene.market.market.ledgerKey)
  await page.said("ledger-status", /signed by the key that you trust/)
  await page.visit(`${site.http}/entries/1`)
  await page.said("ledger-status", /signed by the key that you trust/)
  expect(await page.value("document.getElementById('trusted-key').value")).toBe(scene.market.market.ledgerKey)
  expect(await verified(page, /erified/)).toMatch(/^Verified/)
})

test("without script the lists are there, and what to run instead", limits, async () => {
  const page = await chromium.open()
  await page.send("Emulation.setScriptExecutionDisabled", { value: true })
  for (const [path, shown] of [
    ["/", "settlement"],
    ["/agents", "attic-rig"],
    ["/jobs", "King James, small"],
    [`/jobs/${scene.jobs.trained}`, "round-2/evaluate"],
    ["/entries", "grant"],
    ["/entries/0", '"kind": "grant"'],
  ] as const) {
    await page.visit(`${scene.http}${path}`)
    expect(await page.value("document.body.innerText")).toContain(shown)
  }
  expect(await page.value("document.body.innerText")).toContain(
    `zg-agent ledger verify ${scene.http}/ledger --key`,
  )
  expect(await page.value("document.getElementById('verify').checkVisibility()")).toBe(false)
})

test("an audit is read without script, fits 400 px, and its entry verifies", limits, async () => {
  const audited = await setAuditScene()
  try {
    const page = await chromium.open()
    chromium.heard.length = 0
    const size = { width: 400, height: 800, deviceScaleFactor: 1, mobile: false }
    await page.send("Emulation.setDeviceMetricsOverride", size)
    const linksOn = (path: string, to: string) =>
      page
        .visit(`${audited.http}${path}`)
        .then(() =>
          page.value<string[]>(
            `[...document.querySelectorAll('main a[href^="${to}"]')].map(link => link.getAttribute("href"))`,
          ),
        )
    const [path = ""] = await linksOn(`/jobs/${audited.jobs.failed}`, "/audits/")
    const [, entry = ""] = await linksOn(path, "/entries/")
    for (const shown of [path, `/jobs/${audited.jobs.failed}`, `/jobs/${audited.jobs.canary}`, "/agents"]) {
      await page.visit(`${audited.http}${shown}`)
      expect(await page.value("document.querySelectorAll('img, main script').length")).toBe(0)
      expect(await page.value("document.documentElement.scrollWidth"), shown).toBeLessThanOrEqual(400)
    }
    await page.visit(`${audited.http}${entry}`)
    expect(await verified(page, /erified|poilt/)).toMatch(/^Verified/)
    // The verdict's own entry is the marketplace's, which the browser tells by the key.
    await page.visit(`${audited.http}/entries`)
    expect(await page.value("document.querySelector('tbody').innerText")).toContain("by the marketplace")
    expect(await verified(page, /erified|poilt/)).toMatch(/^Verified/)
    expect(chromium.heard.filter(({ method }) => /entryAdded|exceptionThrown/.test(method))).toEqual([])
    await page.send("Emulation.setScriptExecutionDisabled", { value: true })
    await page.visit(`${audited.http}${path}`)
    expect(await page.value("document.body.innerText")).toContain("Others came to another result")
  } finally {
    await audited.close()
  }
})

test(
  "names cannot run anything, pages fit 400 px, and the browser has nothing to complain about",
  limits,
  async () => {
    const page = await chromium.open()
    chromium.heard.length = 0
    await page.send("Emulation.setDeviceMetricsOverride", {
      width: 400,
      height: 800,
      deviceScaleFactor: 1,
      mobile: false,
    })
    const buyer = scene.clients.buyer.identity.keyId
    for (const path of [
      "/",
      "/agents",
      `/agents/${buyer}`,
      "/jobs",
      `/jobs/${scene.jobs.waiting}`,
      "/entries",
      "/entries/5",
    ]) {
      await page.visit(`${scene.http}${path}`)
      await page.said("ledger-status", CALM)
      expect(await page.value("document.title")).toMatch(/ · zg-agent marketplace$/)
      expect(await page.value("document.querySelectorAll('img, main script').length")).toBe(0)
      expect(await page.value("document.documentElement.scrollWidth"), path).toBeLessThanOrEqual(400)
    }
    const told = chromium.heard.filter(({ method }) =>
      [
        "Log.entryAdded",
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Page.javascriptDialogOpening",
      ].includes(method),
    )
    expect(told).toEqual([])
  },
)

/** A bit of every hash. */
function flip(hashes: Buffer): Buffer {
  return Buffer.from(hashes.map((byte, at) => (at % 32 === 5 ? byte ^ 1 : byte)))
}

/** Another word of the same length in every proof's entry. */
function rewrite(entries: Buffer): Buffer {
  return Buffer.from(entries.toString("latin1").replaceAll("SHA2_256", "SHA2_257"), "latin1")
}

function fileIn(folder: string, path: string): Buffer {
  const file = join(folder, path.slice("/ledger/".length))
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
}
