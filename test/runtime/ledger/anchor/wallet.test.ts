import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { readWalletKey } from "../../../../src/runtime/ledger/anchor/wallet.ts"

const KEY = "0123456789abcdef".repeat(4)
let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-wallet-"))
  path = join(folder, "wallet.key")
})
afterEach(() => rm(folder, { recursive: true }))

test.each([KEY, `0x${KEY}`, `${KEY.toUpperCase()}\n`])("%j is a key", async text => {
  await writeFile(path, text, { mode: 0o600 })
  expect((await readWalletKey(path)).toLowerCase()).toBe(`0x${KEY}`)
})

test.each([0o640, 0o604, 0o660])("a key of mode %o is refused with what to type", async mode => {
  await writeFile(path, KEY)
  await chmod(path, mode)
  await expect(readWalletKey(path)).rejects.toMatchObject({
    code: "wallet-unreadable",
    hint: `chmod 600 ${path}`,
  })
})

test.each([
  ["too few digits", KEY.slice(1)],
  ["another key behind it", `${KEY}\n${KEY}`],
  ["a key and much else", `${KEY}${" ".repeat(500)}x`],
  ["nothing", ""],
])("a file with %s is refused, and no message tells what it holds", async (_, text) => {
  await writeFile(path, text, { mode: 0o600 })
  const fault = await readWalletKey(path).catch(error => error)
  expect(fault).toMatchObject({ code: "wallet-unreadable" })
  expect(`${fault.stack}${JSON.stringify(fault)}`).not.toContain(KEY.slice(0, 20))
})

test("a file that is not there, and a folder, are named", async () => {
  await expect(readWalletKey(path)).rejects.toMatchObject({ code: "wallet-unreadable" })
  await expect(readWalletKey(folder)).rejects.toMatchObject({ code: "wallet-unreadable" })
})
