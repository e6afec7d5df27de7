import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startMarket } from "../../../src/marketplace/market.ts"
import { batchJob } from "../../contract/work.ts"
import { EVIL, everyPage, type Scene, SECRET, setScene } from "./scene.ts"

let scene: Scene

beforeAll(async () => {
  scene = await setScene()
}, 120_000)
afterAll(() => scene.close())

async function get(path: string, init: RequestInit = {}) {
  const response = await fetch(`${scene.http}${path}`, init)
  return { response, status: response.status, text: await response.text() }
}

test("every page that is linked is there, escaped, and tells nothing that is the buyer's alone", {
  timeout: 60_000,
}, async () => {
  const pages = await everyPage(scene.http)
  expect([...pages.keys()]).toEqual(
    expect.arrayContaining(["/agents", "/jobs", "/entries", "/entries/0", `/jobs/${scene.jobs.trained}`]),
  )
  const { digest } = batchJob().image
  const held = await scene.clients.buyer.upload("held out")
  for (const [path, text] of pages) {
    expect(text, path).not.toMatch(/<img|<script>/)
    for (const secret of [
      SECRET,
      digest,
      held.digest,
      "contract/none",
      "argv",
      "trainer",
      scene.clients.buyer.token,
    ])
      expect(text.includes(secret), `${path} tells ${secret}`).toBe(false)
  }
  expect(pages.get("/agents")).toContain(EVIL.slice(0, 8).replace("<", "&lt;").replace(">", "&gt;"))
})

test("a job shows its state, its losses, its shards and where their proofs are", async () => {
  const { text } = await get(`/jobs/${scene.jobs.trained}`)
  for (const part of [
    ">done<",
    "King James, small",
    "11 of 11",
    "<svg",
    "round-2/evaluate",
    "workstation",
    "0.11 of 0.11",
  ])
    expect(text).toContain(part)
  const [, index = ""] = /untrained<\/th>.*?href="\/entries\/(\d+)"/.exec(text) ?? []
  expect((await get(`/entries/${index}`)).text).toContain("<dd>proof</dd>")
  const failed = await get(`/jobs/${scene.jobs.failed}`)
  expect(failed.text).toContain("was abandoned 3 times, last: shard-failed</dd>")
})

test("an agent shows its cards, what it earned, and its entries", async () => {
  const [agent] = scene.clients.agents
  const { earned } = (await agent?.ask({ type: "account" }, "account")) ?? { earned: 0 }
  const { text } = await get(`/agents/${agent?.identity.keyId}`)
  for (const part of [
    "attic-rig",
    "NVIDIA GeForce RTX 3090, 24576 MiB",
    "serving",
    "no capacity report",
    ">settlement<",
    ">proof<",
  ])
    expect(text).toContain(part)
  expect(earned).toBeGreaterThan(0)
  expect(text).toContain(`<dd>${(earned / 1e6).toString()}`)
})

test("the overview adds up: what was issued is what is held", async () => {
  const { text } = await get("/")
  const facts = [...text.matchAll(/<dt>([^<]+)<\/dt><dd>([\d.]+)<\/dd>/g)].map(([, name = "", value]) => ({
    name,
    value: Number(value),
  }))
  const held = facts.filter(({ name }) => name.startsWith("…")).map(({ value }) => Math.round(value * 1e6))
  expect(facts.find(({ name }) => name === "Credits issued")?.value).toBe(3000)
  expect(held.reduce((sum, value) => sum + value, 0)).toBe(3000_000_000)
})

test("the list of entries goes page by page from the newest to the first", async () => {
  const { text } = await get("/entries?from=2")
  const shown = [...text.matchAll(/data-entry="(\d+)"/g)].map(([, index]) => Number(index))
  const size = Number(/of (\d+)<\/span>/.exec(text)?.[1])
  expect(shown[0]).toBe(size - 3)
  expect(shown.length).toBeLessThanOrEqual(50)
  expect((await get(`/entries?from=${size + 10}`)).text).toContain("There are no entries")
  expect((await get(`/entries/${size - 1}`)).status).toBe(200)
})

test.each([
  "/nothing",
  "/agents/",
  `/agents/${"0".repeat(64)}`,
  "/agents/ABC",
  "/jobs/job-000000000000",
  "/audits",
  `/audits/${"0".repeat(64)}`,
  `/audits/${"0".repeat(64)}.json`,
  `/audits/sha256:${"0".repeat(64)}`,
  "/jobs/../../etc/passwd",
  "/entries/999999",
  "/entries/01",
  "/entries/-1",
  "/entries/1e3",
  "/entries?from=-1",
  "/entries?from=99999999999",
  "/entries?from=x",
  "/explorer/marketplace/market.ts",
  "/explorer/",
  "/%00",
])("%s is not there, and says where to go on", async path => {
  const { status, text } = await get(path)
  expect(status).toBe(404)
  expect(text).toContain('<a href="/">overview</a>')
})

test("pages are only read", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const { status, response } = await get("/jobs", { method })
    expect([method, status]).toEqual([method, 405])
    expect(response.headers.get("allow")).toBe("GET, HEAD")
  }
  const head = await get("/jobs", { method: "HEAD" })
  expect(head.text).toBe("")
  expect(Number(head.response.headers.get("content-length"))).toBe(
    Buffer.byteLength((await get("/jobs")).text),
  )
})

test("whoever has a page already is told so, and every answer is guarded by its headers", async () => {
  for (const path of ["/agents", "/explorer/style.css", "/nothing"]) {
    const { response } = await get(path)
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'")
    expect(response.headers.get("content-security-policy")).not.toContain("unsafe")
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'")
    expect(response.headers.get("x-content-type-options")).toBe("nosniff")
    expect(response.headers.get("referrer-policy")).toBe("no-referrer")
  }
  const first = await get("/jobs")
  const etag = first.response.headers.get("etag") ?? ""
  expect((await get("/jobs", { headers: { "If-None-Match": `"x", W/${etag}` } })).status).toBe(304)
  expect((await get("/jobs", { headers: { "If-None-Match": '"x"' } })).status).toBe(200)
})

test("where it is turned off there is no page, and all else goes on", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-market-"))
  const log = pino({ level: "silent" })
  const market = await startMarket({ root, host: "127.0.0.1", port: 0, log, explorer: false })
  const http = market.url.replace("ws", "http")
  expect(market.explorer).toBeNull()
  expect(
    await Promise.all(
      ["/", "/jobs", "/explorer/style.css"].map(async path => (await fetch(http + path)).status),
    ),
  ).toEqual([404, 404, 404])
  expect((await fetch(`${http}/ledger/checkpoint`)).status).toBe(200)
  expect((await fetch(`${http}/healthz`)).status).toBe(200)
  await market.close()
  await rm(root, { recursive: true })
})
