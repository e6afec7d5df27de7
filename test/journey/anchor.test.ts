import { mkdtempSync } from "node:fs"
import { readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { zgAgent } from "../../scripts/quickstart/programs.ts"
import { ledgerKey } from "../../src/protocol/ledger-proof.ts"
import { vkeyOf } from "../../src/protocol/tlog/note.ts"
import { newIdentity } from "../contract/client.ts"
import { Published } from "../ledger/publishing.ts"
import { Anvil, whyNoAnvil } from "../runtime/ledger/anchor/anvil.ts"

const root = mkdtempSync(join(tmpdir(), "zg-anchor-journey-"))
const home = join(root, "home")
const keyFile = join(root, "wallet.key")
const signal = new AbortController().signal
afterAll(() => rm(root, { recursive: true }))

const where = ({ folder, market }: Published) => [folder, "--key", vkeyOf(ledgerKey(market.publicKey))]
const run = <T>(...args: string[]) => zgAgent<T>(home, ["ledger", ...args], signal)

interface Sent {
  transaction: string
  block: number
  chain: number
  size: number
  root: string
}

/** Makes whatever imports viem fail. */
const WITHOUT_VIEM = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from "node:module"
registerHooks({ resolve(name, context, next) {
  if (/^viem/.test(name)) throw new Error("viem is loaded")
  return next(name, context)
} })`)}`

test("viem is loaded for anchors alone", async () => {
  await using published = new Published()
  await published.grow(1)
  const env = { ZG_HOME: home, ZG_RPC: "http://127.0.0.1:1" }
  const without = (...args: string[]) =>
    execa(process.execPath, ["--import", WITHOUT_VIEM, "bin/run.js", ...args], { env, reject: false })
  for (const args of [["--help"], ["ledger", "anchor", "--help"], ["ledger", "verify", ...where(published)]])
    expect(await without(...args)).toMatchObject({ exitCode: 0 })
  expect(await without("serve")).toMatchObject({
    exitCode: 20,
    stderr: expect.stringContaining("not-registered"),
  })
  const anchor = ["ledger", "verify", ...where(published), "--anchor", "--transaction", `0x${"1".repeat(64)}`]
  expect(await without(...anchor)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("viem is loaded"),
  })
})

describe.skipIf(whyNoAnvil !== null)("with a chain", () => {
  let anvil: Anvil
  let key: string
  beforeAll(async () => {
    anvil = await Anvil.start()
    key = (await anvil.wallet()).key
    await writeFile(keyFile, `${key}\n`, { mode: 0o600 })
  })
  afterAll(() => anvil[Symbol.asyncDispose]())

  test("a ledger is anchored, grows, and is checked against its anchor; one that was rewritten is found", async () => {
    const market = newIdentity()
    await using published = new Published(market)
    await published.grow(4)
    const chain = ["--rpc", anvil.url, "--chain", "31337"]
    const sent = await run<Sent>("anchor", ...where(published), ...chain, "--key-file", keyFile)
    expect(sent).toMatchObject({ chain: 31_337, block: 1, size: 4 })
    await published.grow(2)
    const early = run("verify", ...where(published), "--anchor", ...chain)
    await expect(early).rejects.toMatchObject({ code: "anchor-unconfirmed" })
    await anvil.mine(11)
    const verified = await run<{ size: number; anchor: Sent }>(
      ...["verify", ...where(published), "--anchor", ...chain],
    )
    expect(verified).toMatchObject({
      size: 6,
      anchor: { size: 4, root: sent.root, transaction: sent.transaction, block: 1, confirmations: 12 },
    })
    await using other = new Published(market)
    await other.grow(9, 2)
    for (const more of [[], ["--transaction", sent.transaction]])
      await expect(run("verify", ...where(other), "--anchor", ...chain, ...more)).rejects.toMatchObject({
        code: "ledger-forked",
      })
    await expect(run("anchor", ...where(other), ...chain, "--key-file", keyFile)).rejects.toMatchObject({
      code: "ledger-forked",
    })
  })

  test("people are told which block held what, and nowhere stands the key", async () => {
    await using published = new Published()
    await published.grow(3)
    const cli = (...args: string[]) =>
      execa(process.execPath, ["bin/run.js", "ledger", ...args, "--log-level", "trace"], {
        env: { ZG_HOME: home, ZG_RPC: anvil.url },
      })
    const sent = await cli("anchor", ...where(published), "--key-file", keyFile)
    expect(sent.stdout).toMatch(/✔ zg-agent\.dev\/ledger\/\w+ is anchored with 3 entries\./)
    const checked = await cli("verify", ...where(published), "--anchor", "--confirmations", "1")
    expect(checked.stdout).toMatch(/✔ At block \d+ \(\S+Z\) of chain 31337 the ledger had 3 entries/)
    expect(`${sent.stdout}${sent.stderr}${checked.stdout}${checked.stderr}`).not.toContain(key.slice(2))
    for (const name of await readdir(join(home, "ledger/anchors"))) expect(name).toMatch(/^0x\w{64}\.json$/)
  })
})

test.each([
  ["no node", ["--key-file", keyFile], "bad-argument"],
  [
    "a key that is not there",
    ["--rpc", "http://127.0.0.1:1", "--key-file", `${keyFile}.gone`],
    "wallet-unreadable",
  ],
  [
    "an odd amount",
    ["--rpc", "http://127.0.0.1:1", "--key-file", keyFile, "--max-cost", "much"],
    "bad-argument",
  ],
])("%s is told before anything is read", async (_, args, code) => {
  await writeFile(keyFile, `${"1".repeat(64)}\n`, { mode: 0o600 })
  await using published = new Published()
  await expect(run("anchor", ...where(published), ...args)).rejects.toMatchObject({ code })
})
