import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { importKey, isSignedBy } from "../../src/protocol/keys.ts"
import { ensureIdentity, loadIdentity } from "../../src/store/identity.ts"

const fresh = () => join(mkdtempSync(join(tmpdir(), "zg-identity-")), "identity.pem")

test("an identity is made once, readable by its owner alone, and signs", async () => {
  const path = fresh()
  const [first, second] = await Promise.all([ensureIdentity(path), ensureIdentity(path)])
  expect(second.keyId).toBe(first.keyId)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readFileSync(path, "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  const message = Buffer.from("a shard was run")
  expect(isSignedBy(importKey(first.publicKey), message, await second.sign(message))).toBe(true)
})

test("a missing, an open and a damaged identity each say what to do", async () => {
  await expect(loadIdentity(fresh())).rejects.toMatchObject({
    code: "identity-missing",
    hint: expect.stringContaining("register"),
  })
  const open = fresh()
  await ensureIdentity(open)
  chmodSync(open, 0o644)
  await expect(loadIdentity(open)).rejects.toMatchObject({
    code: "identity-unreadable",
    hint: `chmod 600 ${open}`,
  })
  const damaged = fresh()
  writeFileSync(damaged, "not a key", { mode: 0o600 })
  await expect(ensureIdentity(damaged)).rejects.toMatchObject({ code: "identity-unreadable" })
})
