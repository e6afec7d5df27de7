import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { capacityStatement, reportDigest } from "../../../src/protocol/capacity-report.ts"
import { signStatement } from "../../../src/protocol/statement.ts"
import { pagePath, writePage } from "../../../src/runtime/agent/bench-page.ts"
import { openHome } from "../../../src/runtime/agent/home.ts"
import { History, type KeptReport } from "../../../src/runtime/bench/report/history.ts"
import { ensureIdentity } from "../../../src/store/identity.ts"
import { skip } from "../../contract/skip.ts"
import { rig } from "../bench/page/rig.ts"

const home = openHome(mkdtempSync(join(tmpdir(), "zg-bench-page-")))
let kept: KeptReport
beforeAll(async () => {
  const report = rig()
  const bundle = await signStatement(capacityStatement(report), await ensureIdentity(home.identity))
  kept = await new History(home.reports).keep({ report, bundle })
})
afterAll(() => rm(home.root, { recursive: true }))

test("a page is a new file, or takes the place of one; whoever the umask lets may read it", async () => {
  const path = join(home.root, "report.html")
  expect(await pagePath(relative(process.cwd(), path))).toBe(path)
  await writeFile(path, "an older one")
  expect(await pagePath(path)).toBe(path)
  await rm(path)
  expect(await writePage(path, kept)).toBe(path)
  expect(await readFile(path, "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/)
  expect((await stat(path)).mode & 0o777).toBe(0o666 & ~process.umask())
})

test("no page is wanted where none is named", async () => {
  expect(await pagePath(undefined)).toBeNull()
  expect(await writePage(null, kept)).toBeNull()
})

test("a folder, a device, a link, stdout and a folder that is not there are refused before anything is measured", async () => {
  const [folder, link] = [join(home.root, "folder"), join(home.root, "link.html")]
  await mkdir(folder)
  await symlink("/dev/null", link)
  for (const path of ["-", "", folder, link, "/dev/null", "/dev/stdout", join(home.root, "nowhere/a.html")])
    await expect(pagePath(path), path).rejects.toMatchObject({ code: "bad-argument", exitCode: 2 })
})

test("what the page says to type shows that the report is signed as it stands", async context => {
  for (const program of ["jq", "openssl"])
    if (spawnSync(program, ["--version"]).error) skip(context, `no ${program} is here`)
  const page = await readFile((await writePage(join(home.root, "checked.html"), kept)) ?? "", "utf8")
  const [, escaped = ""] = /<pre><code>([\s\S]*?)<\/code><\/pre>/.exec(page) ?? []
  const signs: Record<string, string> = { lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" }
  const commands = escaped.replace(/&([a-z0-9#]+);/g, (whole, name: string) => signs[name] ?? whole)
  const said = () => execFileSync("sh", ["-e"], { cwd: home.root, input: commands, encoding: "utf8" })
  expect(said().split("\n")).toEqual([
    "Signature Verified Successfully",
    reportDigest(kept.report).replace("sha256:", ""),
    "",
  ])
  const { bundle, report } = kept
  const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64")
  payload[payload.length - 3] = (payload.at(-3) ?? 0) ^ 1
  const dsseEnvelope = { ...bundle.dsseEnvelope, payload: payload.toString("base64") }
  await writeFile(kept.path, JSON.stringify({ report, bundle: { ...bundle, dsseEnvelope } }))
  expect(said).toThrow()
})
