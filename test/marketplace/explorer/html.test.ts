import fc from "fast-check"
import { expect, test } from "vitest"
import { lossCurve } from "../../../src/marketplace/explorer/chart.ts"
import { entryDetail, entryRow } from "../../../src/marketplace/explorer/entry-view.ts"
import { html } from "../../../src/marketplace/explorer/html.ts"
import { publicReason } from "../../../src/marketplace/explorer/public-reason.ts"
import { EVIL } from "./scene.ts"

test("no value becomes markup, in text or in an attribute", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "a", " ", "/") }), value => {
      const { text } = html`<p title="${value}">${value}</p>`
      const [, title = "?", content = "?"] = text.match(/^<p title="([^"<>]*)">([^<>]*)<\/p>$/) ?? []
      expect(title).toBe(content)
      expect(unescaped(title)).toBe(value)
    }),
  )
})

test("what is HTML already is not escaped again, lists are joined, and null is nothing", () => {
  expect(html`<ul>${["a&b", "c"].map(one => html`<li>${one}</li>`)}${null}${0}</ul>`.text).toBe(
    "<ul><li>a&amp;b</li><li>c</li>0</ul>",
  )
})

test("an entry of a kind that nobody knows yet is shown as it stands, and cannot become markup", () => {
  const strange = JSON.stringify({ kind: EVIL, spec: { about: { [EVIL]: EVIL }, legs: "none" }, at: 7 })
  for (const text of [strange, EVIL, "null", '{"kind":"zg-posting"}', '{"kind":"dsse","spec":{}}'])
    for (const { text: page } of [entryRow(3, text), entryDetail(3, text)]) {
      expect(page).not.toMatch(/<(script|img)/)
      expect(page).toContain("#3".replace("#", 'data-entry="'))
    }
  expect(entryDetail(3, strange).text).toContain("&lt;script&gt;")
})

test("postings with accounts of a later version are shown with their own names", () => {
  const agent = "a".repeat(64)
  const spec = {
    kind: "royalty",
    about: { identity: agent },
    legs: [
      { account: `earned:${agent}`, amount: 1_500_000 },
      { account: "pool", amount: -1_500_000 },
    ],
    at: "2026-01-02T03:04:05.000Z",
  }
  const { text } = entryDetail(0, JSON.stringify({ apiVersion: "1", kind: "zg-posting", spec }))
  expect(text).toContain("<dd>royalty</dd>")
  expect(text).toMatch(/earned <a href="\/agents\/a{64}">.*?\+1\.50/)
  expect(text).toMatch(/pool<\/th><td class="number">-1\.50/)
})

test.each([
  ["waits for a free slot", "waits for a free slot"],
  ["needs cpu with 1 cpu and 1024 MiB memory; no agent is connected", undefined],
  [
    "job-failed: round-1/train-0 was abandoned 3 times, last: shard-failed: it printed: forbid it: all",
    "job-failed: round-1/train-0 was abandoned 3 times, last: shard-failed",
  ],
  [
    "the owner of the one agent that could run it forbids it: images.allow: team/secret",
    "the owner of the one agent that could run it forbids it",
  ],
  [
    "job-unmatched: the owners of all 2 agents that could run it forbid it: images.allow: team/secret\nand more: x",
    "job-unmatched: the owners of all 2 agents that could run it forbid it",
  ],
])("of the reason %j everybody reads what is not the buyer's alone", (reason, told = reason) => {
  expect(publicReason(reason)).toBe(told)
})

test("a curve falls where the loss falls, and its table has every figure", () => {
  expect(lossCurve([])).toBeNull()
  const losses = [5.5, 2, 1.5, 1.25].map((value, at) => ({
    label: at === 0 ? "untrained" : `round-${at}`,
    value,
  }))
  const { text } = lossCurve(losses) ?? html``
  const heights = [...text.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y))
  // Down on the screen is larger.
  expect(heights).toEqual([...heights].sort((a, b) => a - b))
  expect(new Set(heights).size).toBe(3)
  for (const { value } of losses) expect(text).toContain(`<td class="number">${value.toFixed(4)}</td>`)
  expect(text).toContain("untrained it was 5.5000")
  expect(lossCurve([{ label: "untrained", value: 0 }])?.text).not.toContain("NaN")
})

function unescaped(text: string): string {
  const signs: Record<string, string> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&amp;": "&",
  }
  return text.replace(/&(lt|gt|quot|#39|amp);/g, sign => signs[sign] ?? "?")
}
