import fc from "fast-check"
import { expect, test } from "vitest"
import { lossCurve } from "../../../src/marketplace/explorer/chart.ts"
import { entryDetail, entryRow } from "../../../src/marketplace/explorer/entry-view.ts"
import { html } from "../../../src/marketplace/explorer/html.ts"
import { publicReason } from "../../../src/marketplace/explorer/public-reason.ts"
import { digestOf } from "../../../src/protocol/digest.ts"
import { signedEntry } from "../../../src/protocol/ledger-entry.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { signStatement } from "../../../src/protocol/statement.ts"
import { vkeyOf } from "../../../src/protocol/tlog/note.ts"
import { newIdentity } from "../../contract/client.ts"
import { EVIL } from "./scene.ts"

const MARKET = newIdentity()
const VKEY = vkeyOf(ledgerKey(MARKET.publicKey))

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
    for (const { text: page } of [entryRow(3, text, VKEY), entryDetail(3, text, VKEY)]) {
      expect(page).not.toMatch(/<(script|img)/)
      expect(page).toContain("#3".replace("#", 'data-entry="'))
    }
  expect(entryDetail(3, strange, VKEY).text).toContain("&lt;script&gt;")
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
  const { text } = entryDetail(0, JSON.stringify({ apiVersion: "1", kind: "zg-posting", spec }), VKEY)
  expect(text).toContain("<dd>royalty</dd>")
  expect(text).toMatch(/earned <a href="\/agents\/a{64}">.*?\+1\.50/)
  expect(text).toMatch(/pool<\/th><td class="number">-1\.50/)
})

function posting(kind: string, legs: object[]): string {
  const at = "2026-01-02T03:04:05.000Z"
  return JSON.stringify({ apiVersion: "1", kind: "zg-posting", spec: { kind, about: {}, legs, at } })
}

test("a bond reads as one: kept back of a payment, lost, or paid out", () => {
  const agent = "a".repeat(64)
  const paid = entryDetail(
    0,
    posting("settlement", [
      { account: "escrow:job-0123456789ab", amount: -1_000_000 },
      { account: `earned:${agent}`, amount: 900_000, for: "work" },
      { account: `bond:${agent}`, amount: 100_000, for: "bond" },
    ]),
    VKEY,
  )
  expect(paid.text).toMatch(/bond <a href="\/agents\/a{64}">.*?<td>kept back as its bond<\/td>.*?\+0\.10</)
  expect(paid.text).toContain("<td>work</td>")
  const lost = entryDetail(0, posting("forfeit", [{ account: "issuer", amount: 0 }]), VKEY)
  expect(lost.text).toContain("<dd>forfeit: a bond that was lost with a wrong result;")
  expect(lost.text).not.toContain(">For<")
  expect(entryDetail(0, posting("release", []), VKEY).text).toContain(
    "<dd>release: a bond that was paid out<",
  )
})

test("what the marketplace itself signed is no proof, and links to no agent", async () => {
  const signedBy = async (signer: typeof MARKET) => {
    const bundle = await signStatement({ found: "nothing" }, signer)
    const entry = JSON.stringify(signedEntry(bundle, digestOf("statement"), signer.publicKey))
    return [entryRow(0, entry, VKEY).text, entryDetail(0, entry, VKEY).text]
  }
  for (const text of await signedBy(MARKET)) {
    expect(text).toMatch(/<(td|dd)>statement</)
    expect(text).toContain("the marketplace")
    expect(text).not.toContain("/agents/")
  }
  const agent = newIdentity()
  for (const text of await signedBy(agent)) {
    expect(text).toMatch(/<(td|dd)>proof</)
    expect(text).toContain(`/agents/${agent.keyId}`)
  }
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
