import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { publicKeyOf } from "../../../../src/protocol/keys.ts"
import { DEFAULT_RULES } from "../../../../src/runtime/host/rules/rules.ts"
import { readRules } from "../../../../src/runtime/host/rules/rules-file.ts"

let root: string
const pem = (key: KeyObject) => key.export({ format: "pem", type: key.type === "private" ? "pkcs8" : "spki" })

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-rules-test-"))
  const ed25519 = generateKeyPairSync("ed25519")
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const files = {
    "ed25519.pub": pem(ed25519.publicKey),
    "p256.pub": pem(p256.publicKey),
    "p384.pub": pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey),
    "rsa.pub": pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey),
    "private.pem": pem(ed25519.privateKey),
    "text.pub": "not a key",
    "small.pub": `-----BEGIN PUBLIC KEY-----\n${publicKeyOf(new Uint8Array(32))}\n-----END PUBLIC KEY-----\n`,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content)
})
afterAll(() => rm(root, { recursive: true }))

async function rulesFile(text: string | Uint8Array): Promise<string> {
  const path = join(root, `${crypto.randomUUID()}.yaml`)
  await writeFile(path, text, { mode: 0o600 })
  return path
}

test("no file means the defaults, which say so", async () => {
  const rules = await readRules(join(root, "nowhere.yaml"))
  expect(rules).toBe(DEFAULT_RULES)
  expect(rules).toMatchObject({ file: null, profile: "strict", images: { allow: ["**"], signedBy: [] } })
  expect(rules.bench).toEqual({ maxTemperatureC: null })
  expect((await readRules(await rulesFile("bench: {}\n"))).bench).toEqual(rules.bench)
})

test("what the owner writes holds, and what he leaves out is as by default", async () => {
  const path = await rulesFile(`
profile: jit
images:
  allow: [market, "ghcr.io/acme/*"]
  maxMiB: 20480
  signedBy: [{ images: "ghcr.io/acme/*", keys: [ed25519.pub, p256.pub] }]
limits: { timeMinutes: 120, outMiB: 4096 }
bench: { maxTemperatureC: 82.5 }
`)
  const rules = await readRules(path)
  expect(rules).toMatchObject({
    file: path,
    profile: "jit",
    images: { allow: ["market", "ghcr.io/acme/*"], maxMiB: 20480 },
    limits: { ...DEFAULT_RULES.limits, timeMinutes: 120, outMiB: 4096 },
    bench: { maxTemperatureC: 82.5 },
  })
  const [signed] = rules.images.signedBy
  expect(signed?.keys.map(({ kind }) => kind)).toEqual(["ed25519", "ecdsa-p256"])
  expect(signed?.keys[0]?.keyId).toMatch(/^[0-9a-f]{64}$/)
})

test("an empty list allows nothing", async () => {
  expect((await readRules(await rulesFile("images: { allow: [] }\n"))).images.allow).toEqual([])
})

test.each([
  ["nothing at all", "", /:1: it says nothing/],
  ["only a comment", "# profile: strict\n", /:1: it says nothing/],
  ["null", "null\n", /:1: /],
  ["a list", "- profile: strict\n", /:1: /],
  ["an unknown rule", "profile: strict\n\nnetwork: host\n", /:3: network is no rule/],
  ["an unknown limit", "limits:\n  outMiB: 1\n  outGiB: 1\n", /:3: limits\.outGiB is no rule/],
  [
    "an unknown field of a signature",
    "images:\n  signedBy:\n    - images: market\n      key: a\n",
    /:[34]: /,
  ],
  ["an unknown profile", "profile: loose\n", /:1: profile/],
  ["a limit as text", "limits:\n  pids: many\n", /:2: limits\.pids/],
  ["a negative limit", "limits: { outMiB: -1 }\n", /:1: limits\.outMiB/],
  ["a limit without end", "limits: { outMiB: .inf }\n", /:1: limits\.outMiB/],
  [
    "more than the protocol has",
    "limits:\n\n  outMiB: 65537\n",
    /:3: limits\.outMiB: must be at most 65536 MiB/,
  ],
  ["a card that may not even be warm", "bench: { maxTemperatureC: 39 }\n", /:1: .*from 40 to 110 °C/],
  ["a card without a limit", "bench:\n  maxTemperatureC: 111\n", /:2: bench\.maxTemperatureC: .*110/],
  ["a temperature as text", 'bench: { maxTemperatureC: "83" }\n', /:1: bench\.maxTemperatureC/],
  ["an unknown rule of bench", "bench: { maxPowerW: 300 }\n", /:1: bench\.maxPowerW is no rule/],
  ["the same limit twice", "limits:\n  pids: 1\n  pids: 4096\n", /:3: /],
  ["a pattern that is none", 'images:\n  allow:\n    - market\n    - "ghcr.*/x"\n', /:4: images\.allow\.1/],
  ["a pattern with a NUL", 'images: { allow: ["ghcr.io/a\\0"] }\n', /:1: images\.allow\.0/],
  ["an alias without its anchor", "profile: *strict\n", /:1: /],
  ["a tag of YAML's own", "profile: !!js/function strict\n", /:1: /],
  ["two documents", "profile: strict\n---\nprofile: jit\n", /:\d+: /],
  ["half of a file", "images: { allow: [market\n", /:\d+: /],
  [
    "a key that is not there",
    "images:\n  signedBy:\n    - images: market\n      keys: [gone.pub]\n",
    /:4: .*gone\.pub/,
  ],
  ["a private key", "images: { signedBy: [{ images: market, keys: [private.pem] }] }\n", /no public key/],
  ["no key", "images: { signedBy: [{ images: market, keys: [text.pub] }] }\n", /text\.pub/],
  ["a P-384 key", "images: { signedBy: [{ images: market, keys: [p384.pub] }] }\n", /neither/],
  ["an RSA key", "images: { signedBy: [{ images: market, keys: [rsa.pub] }] }\n", /neither/],
  ["a key of small order", "images: { signedBy: [{ images: market, keys: [small.pub] }] }\n", /small order/],
  ["a signature by nobody", "images: { signedBy: [{ images: market, keys: [] }] }\n", /keys/],
])("%s stops the agent with its place named", async (_, text, message) => {
  const path = await rulesFile(text)
  const fault = await readRules(path).catch(error => error)
  expect(fault).toMatchObject({ name: "Fault", code: "rules-unreadable", area: "host" })
  expect(fault.message.startsWith(path)).toBe(true)
  expect(fault.message).toMatch(message)
})

test("bytes that are no text, a folder, and a link to nowhere that loops", async () => {
  await expect(readRules(await rulesFile(Buffer.from([0x61, 0xff, 0xfe])))).rejects.toMatchObject({
    code: "rules-unreadable",
  })
  await mkdir(join(root, "folder.yaml"))
  await expect(readRules(join(root, "folder.yaml"))).rejects.toMatchObject({ code: "rules-unreadable" })
  await symlink("loop.yaml", join(root, "loop.yaml"))
  await expect(readRules(join(root, "loop.yaml"))).rejects.toMatchObject({ code: "rules-unreadable" })
})

test("a file that everybody can change decides nothing", async () => {
  const path = await rulesFile("profile: strict\n")
  await chmod(path, 0o666)
  await expect(readRules(path)).rejects.toMatchObject({
    code: "rules-unreadable",
    message: expect.stringContaining("everybody"),
  })
})

test("a bomb of aliases ends", async () => {
  const levels = Array.from(
    { length: 12 },
    (_, at) => `a${at}: &a${at} [${at ? `*a${at - 1},`.repeat(9) : "x"}]`,
  )
  await expect(readRules(await rulesFile(`${levels.join("\n")}\n`))).rejects.toMatchObject({
    code: "rules-unreadable",
  })
})
