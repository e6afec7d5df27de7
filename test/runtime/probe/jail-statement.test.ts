import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { signStatement } from "../../../src/protocol/statement.ts"
import type { JailReport } from "../../../src/runtime/probe/jail.ts"
import {
  type JailStatement,
  jailStatement,
  keepJailReport,
  readJailBundle,
  verifyJailBundle,
} from "../../../src/runtime/probe/jail-statement.ts"
import { requireJail } from "../../../src/runtime/probe/require-jail.ts"
import { ensureIdentity } from "../../../src/store/identity.ts"

const folder = mkdtempSync(join(tmpdir(), "zg-jail-statement-"))
afterAll(() => rmSync(folder, { recursive: true }))
const host = await ensureIdentity(join(folder, "host.pem"))
const other = await ensureIdentity(join(folder, "other.pem"))

const REPORT: JailReport = {
  passed: true,
  attempts: [
    { name: "mount", outcome: "blocked", how: "EPERM from mount(2)" },
    { name: "host-file", outcome: "blocked", how: "not there" },
  ],
  violations: [],
  unseen: [],
  engine: { name: "docker", version: "28.0.0" },
  runtime: "runc",
  isolation: "runc",
  device: "cpu",
  profile: "strict",
  disks: "mounted",
  policy: digestOf("flags"),
  image: digestOf("image"),
  at: "2026-11-22T12:00:00.000Z",
}
const WARNED: JailReport = {
  ...REPORT,
  attempts: [
    ...REPORT.attempts,
    { name: "io-uring", outcome: "tolerated", how: "it went through. Because." },
  ],
}
const BROKEN: JailReport = {
  ...WARNED,
  passed: false,
  attempts: [
    ...WARNED.attempts,
    { name: "dns", outcome: "open", how: "a packet left" },
    { name: "bpf", outcome: "unknown", how: "signal 11 ended it" },
  ],
  violations: [{ flag: "--read-only", wanted: "true", seen: "false" }],
}

test.each([
  [REPORT, { result: "PASSED", passedTests: ["mount", "host-file"], warnedTests: [], failedTests: [] }],
  [WARNED, { result: "WARNED", warnedTests: ["io-uring"], failedTests: [] }],
  [BROKEN, { result: "FAILED", failedTests: ["dns", "bpf", "--read-only"] }],
])("a report becomes a test result", (report, predicate) => {
  const statement = jailStatement(report)
  expect(statement).toMatchObject({
    predicateType: "https://in-toto.io/attestation/test-result/v0.1",
    subject: [{ name: "zg-agent/probe", digest: { sha256: report.image.slice(7) } }],
    predicate,
  })
  expect(statement.predicate.configuration).toContainEqual({
    name: "flags",
    digest: { sha256: report.policy.slice(7) },
  })
})

test("what is kept can be read and checked, by its owner alone", async () => {
  const path = join(folder, "jail-test.json")
  const kept = await keepJailReport(path, WARNED, host)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const bundle = await readJailBundle(path)
  expect(bundle).toEqual(kept.bundle)
  expect(verifyJailBundle(bundle, host.publicKey)).toEqual(jailStatement(WARNED))
  expect(() => verifyJailBundle(bundle, other.publicKey)).toThrow(
    expect.objectContaining({ code: "proof-signature-wrong" }),
  )
})

test("none, or none that can be read, is null", async () => {
  expect(await readJailBundle(join(folder, "none.json"))).toBeNull()
  writeFileSync(join(folder, "damaged.json"), "{")
  expect(await readJailBundle(join(folder, "damaged.json"))).toBeNull()
  expect(() => verifyJailBundle(null, host.publicKey)).toThrow(
    expect.objectContaining({ code: "proof-malformed" }),
  )
})

const lie = (change: Partial<JailStatement["predicate"]>): JailStatement => {
  const statement = jailStatement(BROKEN)
  return { ...statement, predicate: { ...statement.predicate, ...change } }
}

test.each([
  ["calls a failure a success", "proof-mismatch", lie({ result: "PASSED" })],
  ["names a test as passed and failed", "proof-mismatch", lie({ passedTests: ["mount", "dns"] })],
  ["names no test that passed", "proof-mismatch", lie({ passedTests: [] })],
  [
    "was made with another image",
    "proof-mismatch",
    lie({ configuration: [{ name: "zg-agent/probe", digest: { sha256: "0".repeat(64) } }] }),
  ],
  [
    "is of another kind",
    "proof-malformed",
    { ...jailStatement(REPORT), predicateType: "https://slsa.dev/x" },
  ],
])("a signed result that %s is refused", async (_, code, statement) => {
  const bundle = await signStatement(statement, host)
  expect(() => verifyJailBundle(bundle, host.publicKey)).toThrow(expect.objectContaining({ code }))
})

test("a byte that is changed after signing is found", async () => {
  const bundle = await signStatement(jailStatement(REPORT), host)
  const payload = Buffer.from(JSON.stringify(jailStatement(WARNED))).toString("base64")
  const changed = { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload } }
  expect(() => verifyJailBundle(changed, host.publicKey)).toThrow(
    expect.objectContaining({ code: "proof-signature-wrong" }),
  )
})

test("whatever got through refuses the sandbox, and says what", () => {
  expect(() => requireJail(REPORT)).not.toThrow()
  expect(() => requireJail(WARNED)).not.toThrow()
  expect(() => requireJail(BROKEN)).toThrow(
    expect.objectContaining({
      code: "jail-broken",
      message: expect.stringContaining("dns: a packet left"),
      facts: expect.objectContaining({ through: "dns bpf --read-only" }),
    }),
  )
  const bombs = [{ name: "fork-bomb", outcome: "open" as const, how: "2000 processes" }]
  expect(() => requireJail(REPORT, bombs)).toThrow(/fork-bomb: 2000 processes/)
  expect(() => requireJail({ ...REPORT, passed: false, attempts: [] })).toThrow(
    expect.objectContaining({ code: "jail-broken" }),
  )
})
