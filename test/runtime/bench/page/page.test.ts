import { expect, test } from "vitest"
import { CapacityReport, reportDigest } from "../../../../src/protocol/capacity-report.ts"
import { verdict } from "../../../../src/runtime/bench/page/head.ts"
import { reportPage } from "../../../../src/runtime/bench/page/page.ts"
import { CARD, figure, sampleReport } from "../report/sample-report.ts"
import { rig, rigBefore } from "./rig.ts"
import { signed } from "./signed.ts"

const pageOf = async (report: CapacityReport, previous: CapacityReport | null = null) =>
  reportPage(await signed(CapacityReport.parse(report)), previous)

/** From one heading to the next. */
function sectionOf(page: string, title: string): string {
  const from = page.indexOf(`${title}</h2>`)
  return from < 0
    ? ""
    : page.slice(from, page.indexOf("<h2", from) < 0 ? undefined : page.indexOf("<h2", from))
}

test("nothing in it runs, and nothing in it comes from elsewhere", async () => {
  const page = await pageOf(rig(), rigBefore())
  expect(page).not.toMatch(/<script|<iframe|<object|<embed|<link|<img|javascript:|@import|\son\w+=/i)
  const names = ["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"]
  const addresses = page.matchAll(/\b(?:https?|ftp|wss?|file):[^\s"'<]*/g)
  expect(new Set([...addresses].map(([address]) => address))).toEqual(new Set(names))
  expect([...page.matchAll(/(?:href|src|url\()="?([^")]*)/g)].every(([, to]) => to?.startsWith("#"))).toBe(
    true,
  )
  expect(page).toContain("default-src &#39;none&#39;")
})

test("what drivers and programs say does not break out of the page, nor out of a drawing", async () => {
  const evil = `</text></svg><script>alert("1")</script><img src=x onerror='alert(1)'>{a|b}\${x}]]>$&$'`
  const cards = rig().cards.map(card => ({
    ...card,
    ...{ name: evil, driver: evil, identity: evil, faults: [{ code: evil, message: evil, hint: evil }] },
    unmeasured: [{ name: "memory-copy", reason: evil }],
  }))
  const { host, work } = rig()
  const page = await pageOf(
    rig({
      ...{ cards, agent: evil, host: { ...host, cpu: evil, kernel: evil } },
      work: work && { ...work, engine: evil, isolation: evil },
      jail: { passed: false, testedOn: "2026-02-27T18:03:10.000Z", engine: evil, runtime: evil },
    }),
    rigBefore(),
  )
  expect(page).not.toMatch(/<script|<img/i)
  const opened = page.match(/<svg/g)?.length ?? 0
  expect(opened).toBeGreaterThan(10)
  expect(page.match(/<\/svg>/g)).toHaveLength(opened)
  expect(page).toMatch(/aria-label="Roofline of [^"<>]*\]\]&gt;\$&amp;\$&#39;:/)
  // Bars, rooflines and their descriptions name the card, too.
  expect(page.match(/<text[^>]*>\d {2}&lt;\/text&gt;/g)?.length).toBeGreaterThan(7)
})

test("each card has its state, its tests and what to do about it", async () => {
  const page = await pageOf(rig(), rigBefore())
  const sound = sectionOf(page, "Card 0: NVIDIA GeForce RTX 4090")
  expect(sound.match(/<svg role="img"/g)).toHaveLength(2)
  expect(sound).toMatch(/42\.6 TFLOP\/s.*52 %.*40\.9 TFLOP\/s/)
  const degraded = sectionOf(page, "Card 4: NVIDIA GeForce RTX 4090")
  expect(degraded).toContain('class="state degraded"')
  expect(degraded).toContain("Take back overclocking")
  expect(degraded).toContain("✖ 12 errors, in bytes 8589934592 to 8589938688")
  const unmeasured = sectionOf(page, "Card 6: NVIDIA GeForce RTX 4090")
  expect(unmeasured).toContain('class="state unmeasured"')
  expect(unmeasured).not.toContain("<svg")
  expect(unmeasured.match(/Its device files could not be told/g)).toHaveLength(1)
  const weak = sectionOf(page, "Card 2: NVIDIA GeForce RTX 4090")
  expect(weak).toContain("▼ -22 %")
  expect(weak).toContain(">heat<")
})

test("software that plays a card is never among the cards", async () => {
  const adapter = { vendor: "google", architecture: "swiftshader", device: "", description: "SwiftShader" }
  const software = [
    { adapter: { ...adapter, isSoftware: true }, figures: [figure("matmul-fp32", 3e8)], unmeasured: [] },
  ]
  const page = await pageOf(sampleReport({ cards: [], software }))
  expect(page).toContain("<h1>No card was found</h1>")
  expect(sectionOf(page, "Software in place of a card")).toContain("300 MFLOP/s")
  expect(page).not.toContain("Card 0")
  expect(page).not.toContain("<svg")
})

test("one card is not compared with itself, and without a run before there is no change", async () => {
  const page = await pageOf(sampleReport())
  expect(page).toContain("<h1>The card is sound</h1>")
  expect(page).not.toMatch(/Card by card|Since last run|All at once|To look at/)
})

test("a part alone makes a page of that part", async () => {
  const { host } = rig()
  const page = await pageOf(sampleReport({ parts: ["host"], cards: [], host }))
  expect(page).toContain("<h1>The cards were not looked at</h1>")
  expect(sectionOf(page, "Host").match(/<svg role="img"/g)).toHaveLength(1)
  expect(page).not.toContain("Trainer")
})

test("it says which report it is of, and whose", async () => {
  const made = await signed(rig())
  const page = await reportPage(made, null)
  expect(page).toContain(reportDigest(made.report))
  expect(page).toContain(made.bundle.dsseEnvelope.signatures[0].keyid)
})

test.for<[Partial<CapacityReport>, string]>([
  [{ cards: [CARD, { ...CARD, identity: "b" }] }, "All 2 cards are sound"],
  [{ cards: [{ ...CARD, state: "degraded" }] }, "The card is degraded"],
  [{ cards: rig().cards }, "6 of 8 cards are sound; 1 degraded, 1 unmeasured"],
  [
    { cards: [CARD, { ...CARD, identity: "b", state: "unmeasured" }] },
    "1 of 2 cards are sound; 1 unmeasured",
  ],
  [{ cards: [] }, "No card was found"],
])("the verdict", ([change, said]) => {
  expect(verdict(sampleReport(change))).toBe(said)
})
