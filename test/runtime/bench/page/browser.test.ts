import { mkdtempSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, type TestContext, test } from "vitest"
import { reportPage } from "../../../../src/runtime/bench/page/page.ts"
import { sampleReport } from "../report/sample-report.ts"
import { Browser, needBrowser, type Screen } from "./browser.ts"
import { rig, rigBefore } from "./rig.ts"
import { signed } from "./signed.ts"

const folder = mkdtempSync(join(tmpdir(), "zg-page-"))
let started: Promise<Browser> | undefined
afterAll(async () => {
  await (await started)?.close()
  await rm(folder, { recursive: true })
})

/** One for all tests, which start it with the first. */
function theBrowser(context: TestContext): Promise<Browser> {
  const program = needBrowser(context)
  started ??= Browser.start(program)
  return started
}

async function written(name: string, page: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, page)
  return path
}

/** What sticks out of the window, and which texts of the drawings stick out of theirs. */
const STICKING_OUT = `(() => {
  const name = one => one.tagName + " " + one.textContent.slice(0, 60)
  const wide = [...document.querySelectorAll("body *")]
    .filter(one => one.getBoundingClientRect().width > 0)
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1)
  const cut = [...document.querySelectorAll("svg text")].filter(text => {
    const [own, frame] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()]
    return own.left < frame.left - 1 || own.right > frame.right + 1
  })
  return [...wide.map(name), ...cut.map(name)]
})()`

/** The least contrast of any text with what is behind it (WCAG 2.2, relative luminance), and which text that is. */
const LEAST_CONTRAST = `(() => {
  const channels = color => color.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0)
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor
      if (channels(color)[3] !== 0) return color
    }
  }
  const all = [...document.querySelectorAll("body *")].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim() !== ""))
  return all.map(one => {
    const style = getComputedStyle(one)
    const ink = one.closest("svg") ? style.fill : style.color
    const [a, b] = [light(channels(ink)), light(channels(behind(one)))]
    return { contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text: one.textContent.slice(0, 40), ink }
  }).sort((a, b) => a.contrast - b.contrast)[0]
})()`

const SCREENS: Screen[] = [
  { width: 400, scheme: "light" },
  { width: 400, scheme: "dark" },
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" },
]

test("a real browser shows it whole on narrow and wide, light and dark screens, and has nothing to complain of", {
  timeout: 120_000,
}, async context => {
  const browser = await theBrowser(context)
  const path = await written("rig.html", await reportPage(await signed(rig()), rigBefore()))
  for (const screen of SCREENS) {
    await browser.open(path, screen)
    expect(await browser.evaluate("document.body.innerText")).toContain("6 of 8 cards are sound")
    expect(await browser.evaluate(STICKING_OUT), `${screen.width}`).toEqual([])
    const least = await browser.evaluate<{ contrast: number }>(LEAST_CONTRAST)
    expect(least.contrast, `${screen.scheme}: ${JSON.stringify(least)}`).toBeGreaterThanOrEqual(4.5)
    expect(browser.complaints).toEqual([])
    expect(browser.requests).toEqual([])
  }
  const drawn = await browser.evaluate<number[]>(
    `[...document.querySelectorAll("svg[role=img]")].map(one => one.getBoundingClientRect().height)`,
  )
  expect(drawn.length).toBeGreaterThan(20)
  expect(Math.min(...drawn)).toBeGreaterThan(100)
})

test("a name that is a script stays a name", { timeout: 60_000 }, async context => {
  const browser = await theBrowser(context)
  const name = `</text></svg><script>document.title = "broken"</script><img src="x" onerror="document.title='broken'">`
  const cards = rig().cards.map(card => ({ ...card, name }))
  const path = await written("evil.html", await reportPage(await signed(rig({ cards })), null))
  await browser.open(path, { width: 1280, scheme: "light" })
  expect(await browser.evaluate("document.title")).toBe("Capacity report, 2026-03-01")
  expect(await browser.evaluate(`document.querySelectorAll("script, img").length`)).toBe(0)
  expect(await browser.evaluate("document.body.innerText")).toContain("<script>document.title")
  expect(browser.complaints).toEqual([])
})

test("the policy stops a script and a picture from elsewhere, should there ever be one", {
  timeout: 60_000,
}, async context => {
  const browser = await theBrowser(context)
  const page = await reportPage(await signed(sampleReport()), null)
  const spoilt = page.replace(
    "</main>",
    `<script>document.title = "broken"</script><img src="http://127.0.0.1:9/x.png" alt=""></main>`,
  )
  expect(spoilt).not.toBe(page)
  await browser.open(await written("spoilt.html", spoilt), { width: 1280, scheme: "light" })
  expect(await browser.evaluate("document.title")).toBe("Capacity report, 2026-01-01")
  expect(browser.complaints.filter(one => one.includes("Content Security Policy"))).toHaveLength(2)
})
