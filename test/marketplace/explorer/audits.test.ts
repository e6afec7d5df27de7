import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { policyWords } from "../../../src/marketplace/explorer/audit-line.ts"
import { AuditPolicy } from "../../../src/protocol/audit.ts"
import { VerdictStatement } from "../../../src/protocol/audit-verdict.ts"
import { formatCredits } from "../../../src/protocol/format-credits.ts"
import { openBundle } from "../../../src/protocol/statement.ts"
import { batchJob } from "../../contract/work.ts"
import { type AuditScene, setAuditScene } from "./audit-scene.ts"
import { everyPage } from "./scene.ts"

let scene: AuditScene
let pages: Map<string, string>

beforeAll(async () => {
  scene = await setAuditScene()
  pages = await everyPage(scene.http)
}, 120_000)
afterAll(() => scene.close())

const page = (path: string) => pages.get(path) ?? ""
const verdictsIn = (text: string) =>
  [...text.matchAll(/href="(\/audits\/[0-9a-f]{64})"><span class="badge (\w+)"/g)].map(
    ([, path = "", result = ""]) => ({ path, result }),
  )

function failedAudit() {
  const [failed] = verdictsIn(page(`/jobs/${scene.jobs.failed}`))
  if (failed?.result !== "failed") throw new Error("the first verdict of the disputed job is no failure")
  return failed
}

test("a job says how it is audited, how its audits came out, and each shard's verdicts", () => {
  const policy =
    "a shard that is drawn is run by 2 agents in all, of whom 2 have to agree; at least 20 % are drawn"
  for (const [job, counts, results] of [
    [scene.jobs.passed, "1, of which 0 failed and 0 undecided", ["passed"]],
    [scene.jobs.failed, "2, of which 1 failed and 0 undecided", ["failed", "passed"]],
    [scene.jobs.undecided, "2, of which 0 failed and 1 undecided", ["undecided", "passed"]],
    [scene.jobs.open, "0, of which 0 failed and 0 undecided", []],
  ] as const) {
    const text = page(`/jobs/${job}`)
    expect(text).toContain(policy)
    expect(text).toContain(counts)
    expect(verdictsIn(text).map(({ result }) => result)).toEqual(results)
  }
})

test("a committed shard waits for its audits", () => {
  const text = page(`/jobs/${scene.jobs.open}`)
  expect(text).toContain('<span class="badge committed">waits for its audits</span>')
  expect(page(`/jobs/${scene.jobs.passed}`)).not.toContain("waits for its audits")
})

test("the shards of a job with canaries are not listed, and the page says why", () => {
  const text = page(`/jobs/${scene.jobs.canary}`)
  expect(text).toContain("would tell a host which of its shards was a canary")
  expect(text).not.toContain("shard-0")
  expect(text).toContain("0 of 2")
})

test("a verdict tells who answered what, who was wrong, and who was drawn among whom", () => {
  const { path } = failedAudit()
  const text = page(path)
  const [attic, ...others] = scene.clients.agents.map(({ identity }) => identity.keyId)
  expect(text).toContain("Others came to another result")
  expect(text).toContain("The whole shard")
  expect(text).toContain("<dd>100 %</dd>")
  const answers = [...text.matchAll(/<tr><th scope="row"><a href="\/agents\/(\w+)".*?badge (\w+)">/g)]
  expect(answers[0]?.slice(1)).toEqual([attic, "wrong"])
  expect(new Map(answers.slice(1).map(([, agent, held]) => [agent, held]))).toEqual(
    new Map(others.map(agent => [agent, "right"])),
  )
  expect(text).toMatch(/, among 2 candidates: .* with a bond of 0\.\d+, /)
  expect(page(verdictsIn(page(`/jobs/${scene.jobs.undecided}`))[0]?.path ?? "")).toContain(
    "held against nobody",
  )
})

test("an agent's pages tell its record, its bond, and the audits that it failed", async () => {
  const { agents } = scene.clients
  const accounts = await Promise.all(agents.map(agent => agent.ask({ type: "account" }, "account")))
  expect(Math.max(...accounts.map(({ bond }) => bond))).toBeGreaterThan(0)
  for (const [at, { bond }] of accounts.entries())
    expect(page(`/agents/${agents[at]?.identity.keyId}`)).toContain(
      `<dt>Bond</dt><dd>${formatCredits(bond)} credits`,
    )
  const text = page(`/agents/${agents[0]?.identity.keyId}`)
  expect(text).toMatch(/<dt>Audits<\/dt><dd>\d passed, 1 failed;/)
  expect(verdictsIn(text)).toEqual([failedAudit()])
  expect(text).toContain("the audited one")
  expect(page("/agents")).toMatch(/attic-rig<\/a>.*?<td>\d passed, 1 failed<\/td><td class="number">0\.\d+</)
  expect(page("/agents")).toMatch(/buyer<\/a>.*?<td>none yet<\/td>/)
})

test("the ledger's entries of the proof, of the verdict and of the lost bond lead to the verdict", () => {
  const { path } = failedAudit()
  const leading = [...pages].filter(([at, text]) => /^\/entries\/\d/.test(at) && text.includes(`"${path}"`))
  const kinds = leading.map(([, text]) => /<dt>Kind<\/dt><dd>(\w+)/.exec(text)?.[1])
  expect(kinds.sort()).toEqual(["forfeit", "proof", "statement"])
  // The verdict's own entry has its digest.
  const [, digest = "?"] =
    /statement<\/a> with digest <code class="whole">(sha256:\w+)/.exec(page(path)) ?? []
  expect(leading.some(([, text]) => text.includes(digest))).toBe(true)
})

test("the bundle is signed by the marketplace, and openssl says so by the commands that the page gives", async () => {
  const { path } = failedAudit()
  const response = await fetch(`${scene.http}${path}.json`)
  expect(response.headers.get("content-type")).toBe("application/json")
  const [agent] = scene.clients.agents
  const key = agent?.handshake.marketKey as NonNullable<typeof agent>["handshake"]["marketKey"]
  const { subject, predicate } = openBundle(await response.json(), key, VerdictStatement)
  expect(path).toBe(`/audits/${subject[0].digest.sha256}`)
  expect(predicate.result).toBe("FAILED")
  const [, commands = ""] = /<pre tabindex="0">(curl [^<]*)<\/pre>/.exec(page(path)) ?? []
  const folder = await mkdtemp(join(tmpdir(), "zg-verdict-"))
  // The marketplace answers from this process, which must not wait for it.
  const { stdout } = await execa("sh", ["-ec", unescaped(commands)], { cwd: folder, timeout: 20_000 })
  expect(stdout).toMatch(/^Signature Verified Successfully\n\{\n {2}"_type"/)
  await rm(folder, { recursive: true })
})

test("no page of an audit tells what is the buyer's alone", () => {
  for (const [path, text] of pages)
    for (const secret of [batchJob().image.digest, "contract/none", "argv", scene.clients.buyer.token])
      expect(text.includes(secret), `${path} tells ${secret}`).toBe(false)
  for (const [path, text] of pages) if (!path.endsWith(".json")) expect(text).not.toMatch(/<img|<script>/)
})

test.each([
  [undefined, "not audited: every proof that checks is paid"],
  [{ kind: "none" }, "not audited: every proof that checks is paid"],
  [{ kind: "spot" }, "of a shard that is drawn, 2 of 10 segments are run again by other agents"],
  [
    { kind: "spot", segments: 1, drawn: 1, share: 0.125 },
    "of a shard that is drawn, all is run again by other agents; at least 12.5 % are drawn",
  ],
  [{ kind: "canary" }, "shards whose answer is known are given out among the others"],
] as const)("the policy %j in words", (policy, words) => {
  expect(policyWords(policy && AuditPolicy.parse(policy))).toBe(words)
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
