import { afterEach, beforeEach, expect, test } from "vitest"
import { type Digest, digestOf, hexOf } from "../../../src/protocol/digest.ts"
import type { Image } from "../../../src/protocol/shard-spec.ts"
import { DEFAULT_RULES, type Rules } from "../../../src/runtime/host/rules/rules.ts"
import { checkPackedSize, checkSignatures } from "../../../src/runtime/image/check-image.ts"
import { PLATFORM } from "../../../src/runtime/image/packed-size.ts"
import { BUNDLE_V03 } from "../../../src/runtime/image/signature.ts"
import { bundleManifest, cosignBundle, ImageRegistry, imageStatement, keyPair } from "./registry.ts"

const REPOSITORY = "acme/net"
const OWNER = keyPair("ed25519")
const STRANGER = keyPair("ed25519")
const never = new AbortController().signal

let registry: ImageRegistry
let elsewhere: ImageRegistry
let image: Image

beforeEach(async () => {
  registry = await ImageRegistry.start()
  elsewhere = await ImageRegistry.start()
  image = { name: `${registry.host}/${REPOSITORY}`, digest: putImage([1000]) }
})
afterEach(async () => {
  await registry[Symbol.asyncDispose]()
  await elsewhere[Symbol.asyncDispose]()
})

function putImage(sizes: number[]): Digest {
  const layers = sizes.map(size => ({ digest: digestOf(`${size}`), size }))
  return registry.put("manifests", REPOSITORY, {
    schemaVersion: 2,
    config: { digest: digestOf("{}"), size: 0 },
    layers,
  })
}

/** The image is in a registry of its own; the marketplace is another one, with a token that it alone may see. */
const needs = (rules: Rules) => ({
  rules,
  registry: { url: "http://market.example:7464", token: () => "the-session's-token" },
})

const signedBy = (...keys: (typeof OWNER)[]): Rules => ({
  ...DEFAULT_RULES,
  images: {
    ...DEFAULT_RULES.images,
    signedBy: [{ images: `${registry.host}/**`, keys: keys.map(({ pinned }) => pinned) }],
  },
})

const check = (rules = signedBy(OWNER)) => checkSignatures(image, needs(rules), never)

/** Hangs a bundle on the image, and gives what a list of referrers says of it. */
function hang(bundle: unknown, of = image.digest) {
  const bytes = Buffer.from(JSON.stringify(bundle))
  const digest = registry.put("blobs", REPOSITORY, bytes)
  const manifest = registry.put("manifests", REPOSITORY, bundleManifest(of, digest, bytes.length))
  return { digest: manifest, artifactType: BUNDLE_V03 }
}

function list(...manifests: unknown[]): void {
  const body = JSON.stringify({ schemaVersion: 2, manifests })
  registry.answers.set(`/v2/${REPOSITORY}/referrers/${image.digest}`, { body })
}

test("no rule asks for a signature, so nobody is asked for one", async () => {
  await check(DEFAULT_RULES)
  expect(registry.requests).toEqual([])
})

test.each(["ed25519", "ecdsa-p256"] as const)("a signature by a pinned %s key is enough", async kind => {
  const key = keyPair(kind)
  list(hang(cosignBundle(key, imageStatement(image.digest))))
  await check(signedBy(STRANGER, key))
})

test("an image without a signature, and one signed by a stranger", async () => {
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned", facts: { found: 0 } })
  list(hang(cosignBundle(STRANGER, imageStatement(image.digest))))
  await expect(check()).rejects.toMatchObject({
    code: "image-unsigned",
    area: "container",
    message: expect.stringContaining("none of the owner's keys made it"),
    facts: { rule: "images.signedBy", found: 1 },
  })
})

test("the owner's is found among others, broken ones included", async () => {
  const good = hang(cosignBundle(OWNER, imageStatement(image.digest)))
  const strange = hang(cosignBundle(STRANGER, imageStatement(image.digest)))
  list(hang("no bundle"), hang({}), strange, { digest: digestOf("gone"), artifactType: BUNDLE_V03 }, good)
  await check()
})

test.each<[string, (of: Digest) => unknown]>([
  ["another image", () => imageStatement(digestOf("other"))],
  [
    "two images",
    of => ({
      ...imageStatement(of),
      subject: [...imageStatement(of).subject, ...imageStatement(of).subject],
    }),
  ],
  ["no image", of => ({ ...imageStatement(of), subject: [] })],
  ["another predicate", of => ({ ...imageStatement(of), predicateType: "https://slsa.dev/provenance/v1" })],
  [
    "another kind of statement",
    of => ({ ...imageStatement(of), _type: "https://in-toto.io/Statement/v0.1" }),
  ],
  [
    "capital digits",
    of => ({ ...imageStatement(of), subject: [{ digest: { sha256: hexOf(of).toUpperCase() } }] }),
  ],
  ["another algorithm", of => ({ ...imageStatement(of), subject: [{ digest: { sha512: hexOf(of) } }] })],
  ["a list", of => [imageStatement(of)]],
  ["nothing", () => null],
])("the owner's signature under %s is none of this image", async (_, statement) => {
  list(hang(cosignBundle(OWNER, statement(image.digest))))
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
})

test("a signature is worth nothing with one byte changed, and with another payload type", async () => {
  const bundle = cosignBundle(OWNER, imageStatement(image.digest))
  const { dsseEnvelope } = bundle
  const payload = Buffer.from(JSON.stringify(imageStatement(digestOf("other"))))
  const payloads = { ...dsseEnvelope, payload: payload.toString("base64") }
  const twice = { ...dsseEnvelope, signatures: [...dsseEnvelope.signatures, ...dsseEnvelope.signatures] }
  const typed = { ...dsseEnvelope, payloadType: "text/plain" }
  for (const envelope of [payloads, twice, typed, { ...dsseEnvelope, signatures: [{ sig: "AAAA" }] }]) {
    list(hang({ ...bundle, dsseEnvelope: envelope }))
    await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
  }
})

test("a signature of another image cannot be hung on this one", async () => {
  const other = digestOf("other")
  list(hang(cosignBundle(OWNER, imageStatement(image.digest)), other))
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
})

test("what a certificate or a log entry in the bundle says changes nothing", async () => {
  const bundle = cosignBundle(OWNER, imageStatement(image.digest))
  const tlogEntries = [{ logIndex: "1", canonicalizedBody: "!!" }]
  list(hang({ ...bundle, verificationMaterial: { certificate: { rawBytes: "!!" }, tlogEntries } }))
  await check()
  const strange = cosignBundle(STRANGER, imageStatement(image.digest))
  list(hang({ ...strange, verificationMaterial: bundle.verificationMaterial }))
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
})

test("every rule that names the image has to be met", async () => {
  const rule = (key: typeof OWNER) => ({ images: `${registry.host}/acme/*`, keys: [key.pinned] })
  const rules = {
    ...DEFAULT_RULES,
    images: { ...DEFAULT_RULES.images, signedBy: [rule(OWNER), rule(STRANGER)] },
  }
  const mine = hang(cosignBundle(OWNER, imageStatement(image.digest)))
  list(mine)
  await expect(check(rules)).rejects.toMatchObject({ code: "image-unsigned" })
  list(mine, hang(cosignBundle(STRANGER, imageStatement(image.digest))))
  await check(rules)
})

test("a registry without the referrers endpoint keeps them under a tag", async () => {
  const manifests = [hang(cosignBundle(OWNER, imageStatement(image.digest)))]
  registry.answers.set(`/v2/${REPOSITORY}/manifests/sha256-${hexOf(image.digest)}`, {
    body: JSON.stringify({ schemaVersion: 2, manifests }),
  })
  await check()
})

test("a registry that gives other bytes than a digest says is not believed", async () => {
  const good = hang(cosignBundle(OWNER, imageStatement(image.digest)))
  const manifest = `/v2/${REPOSITORY}/manifests/`
  // What it gives is a signature, but not what the list names.
  const other = digestOf("other")
  registry.answers.set(`${manifest}${other}`, registry.answers.get(`${manifest}${good.digest}`) ?? {})
  list({ ...good, digest: other })
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned", facts: { found: 0 } })
})

test("thousands of referrers, and bundles without end, cost little", async () => {
  const good = hang(cosignBundle(OWNER, imageStatement(image.digest)))
  const rubbish = Array.from({ length: 5000 }, (_, at) => ({
    digest: digestOf(`${at}`),
    artifactType: BUNDLE_V03,
  }))
  const signature = {
    ...good,
    annotations: { "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1" },
  }
  list(...rubbish, signature)
  await check()
  list(...rubbish)
  registry.requests.length = 0
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned" })
  expect(registry.requests.length).toBeLessThan(50)
  // Good but for its size.
  list(hang({ ...cosignBundle(OWNER, imageStatement(image.digest)), padding: "x".repeat(1 << 20) }))
  await expect(check()).rejects.toMatchObject({ code: "image-unsigned", facts: { found: 0 } })
})

test("a list that is larger than its limit, no JSON, or nested without end", async () => {
  const long = JSON.stringify({ manifests: [], padding: "x".repeat(5 << 20) })
  for (const body of [long, "{", "[".repeat(1 << 20), JSON.stringify({ manifests: "all" })]) {
    registry.answers.set(`/v2/${REPOSITORY}/referrers/${image.digest}`, { body })
    await expect(check()).rejects.toMatchObject({ code: "image-not-pulled" })
  }
})

test("nobody's token is asked for where the registry says, for this repository alone, and shown to it alone", async () => {
  const good = hang(cosignBundle(OWNER, imageStatement(image.digest)))
  list(good)
  const protectedPath = `/v2/${REPOSITORY}/referrers/${image.digest}`
  const granted = registry.answers.get(protectedPath) as { body: string }
  const challenge = `Bearer realm="${registry.url}/token?x=1",service="here",scope="repository:other/secret:push"`
  registry.answers.set(protectedPath, ({ headers }) =>
    headers.authorization === "Bearer for-nobody"
      ? granted
      : { status: 401, headers: { "www-authenticate": challenge } },
  )
  registry.answers.set("/token", { body: JSON.stringify({ token: "for-nobody" }) })
  const blob = [...registry.answers.keys()].find(path => path.includes("/blobs/")) ?? ""
  const bundle = registry.answers.get(blob) as { body: Buffer }
  elsewhere.answers.set("/blob", bundle)
  registry.answers.set(blob, { status: 307, headers: { location: `${elsewhere.url}/blob` } })
  await check()
  const asked = registry.requests.find(({ path }) => path.startsWith("/token"))
  expect(asked).toEqual({
    path: `/token?x=1&service=here&scope=${encodeURIComponent(`repository:${REPOSITORY}:pull`)}`,
    authorization: undefined,
  })
  expect(elsewhere.requests).toEqual([{ path: "/blob", authorization: undefined }])
  expect(JSON.stringify(registry.requests)).not.toContain("the-session's-token")
})

test.each([
  ["another login", 'Basic realm="here"'],
  ["a realm without TLS elsewhere", 'Bearer realm="http://evil.example/token"'],
  ["a realm that is no address", 'Bearer realm="javascript:alert(1)"'],
  ["a realm with a login", 'Bearer realm="https://user:pass@evil.example/token"'],
  ["nothing", ""],
])("a registry that asks for %s is not answered", async (_, challenge) => {
  registry.answers.set(`/v2/${REPOSITORY}/referrers/${image.digest}`, {
    status: 401,
    headers: { "www-authenticate": challenge },
  })
  await expect(check()).rejects.toMatchObject({
    code: "image-not-pulled",
    message: expect.stringContaining("asks for a login"),
  })
})

test("redirections to a place in clear text, to another scheme, and without end", async () => {
  const path = `/v2/${REPOSITORY}/referrers/${image.digest}`
  for (const location of ["http://10.0.0.1/", "file:///etc/passwd", "http://evil.example/", path]) {
    registry.answers.set(path, { status: 302, headers: { location } })
    await expect(check()).rejects.toMatchObject({
      code: "image-not-pulled",
      message: expect.stringContaining("redirects"),
    })
  }
})

test("the marketplace's own registry is shown the session's token, and no other one is", async () => {
  const own = { url: registry.url, token: () => "the-session's-token" }
  const manifests = [hang(cosignBundle(OWNER, imageStatement(image.digest)))]
  registry.answers.set(`/v2/${REPOSITORY}/referrers/${image.digest}`, {
    status: 302,
    headers: { location: `${elsewhere.url}/list` },
  })
  elsewhere.answers.set("/list", { body: JSON.stringify({ manifests }) })
  const rules = { ...signedBy(OWNER) }
  rules.images.signedBy = rules.images.signedBy.map(rule => ({ ...rule, images: "market" }))
  await checkSignatures({ ...image, name: REPOSITORY }, { rules, registry: own }, never)
  expect(new Set(registry.requests.map(({ authorization }) => authorization))).toEqual(
    new Set(["Bearer the-session's-token"]),
  )
  expect(elsewhere.requests).toEqual([{ path: "/list", authorization: undefined }])
})

const size = (rules: Rules, freeBytes: number | null = null) =>
  checkPackedSize(image, { ...needs(rules), freeBytes }, never)
const maxMiB = (maxMiB: number): Rules => ({ ...DEFAULT_RULES, images: { ...DEFAULT_RULES.images, maxMiB } })

test("an image over the owner's size is refused before a byte of it is fetched", async () => {
  image = { ...image, digest: putImage([3 << 20, 1 << 20]) }
  await size(maxMiB(4))
  await expect(size(maxMiB(3))).rejects.toMatchObject({
    code: "image-too-large",
    facts: { rule: "images.maxMiB", mib: 4, maxMiB: 3 },
  })
  expect(registry.requests.every(({ path }) => path.includes("/manifests/"))).toBe(true)
})

test("an image for which the disk has no room is refused", async () => {
  image = { ...image, digest: putImage([4 << 20]) }
  await size(maxMiB(100), 8 << 20)
  await expect(size(maxMiB(100), (8 << 20) - 1)).rejects.toMatchObject({ code: "disk-full" })
})

test("of an index the largest image counts that this machine might take", async () => {
  const entry = (digest: Digest, platform?: object) => ({ digest, ...(platform && { platform }) })
  const other = { os: "linux", architecture: "pdp11" }
  const small = putImage([1 << 20])
  const large = putImage([9 << 20])
  const index = (...manifests: object[]) =>
    registry.put("manifests", REPOSITORY, { schemaVersion: 2, manifests })
  image = { ...image, digest: index(entry(large, other), entry(small, PLATFORM)) }
  await size(maxMiB(2))
  image = { ...image, digest: index(entry(small, PLATFORM), entry(large, PLATFORM)) }
  await expect(size(maxMiB(2))).rejects.toMatchObject({ code: "image-too-large" })
  image = { ...image, digest: index(entry(small, PLATFORM), entry(large)) }
  await expect(size(maxMiB(2))).rejects.toMatchObject({ code: "image-too-large" })
  image = { ...image, digest: index(entry(large, other)) }
  await expect(size(maxMiB(2))).rejects.toMatchObject({ code: "image-not-pulled" })
  image = { ...image, digest: index(...Array.from({ length: 9 }, () => entry(small, PLATFORM))) }
  await expect(size(maxMiB(2))).rejects.toMatchObject({ code: "image-not-pulled" })
})

test.each([
  ["negative sizes", { config: { size: 1 }, layers: [{ size: -5 }] }],
  ["sizes that are no numbers", { config: { size: 1 }, layers: [{ size: "1" }] }],
  ["sizes over what a number holds", { config: { size: 1 }, layers: [{ size: 1e300 }] }],
  ["no layers", { config: { size: 1 } }],
  ["an index in an index", null],
])("a manifest with %s is no image", async (_, manifest) => {
  const inner = registry.put("manifests", REPOSITORY, { manifests: [] })
  const digest = registry.put("manifests", REPOSITORY, manifest ?? { manifests: [{ digest: inner }] })
  image = { ...image, digest }
  await expect(size(maxMiB(2))).rejects.toMatchObject({ code: "image-not-pulled" })
})

test("a registry that stumbles once is asked again; an aborted check ends with its reason", async () => {
  const path = `/v2/${REPOSITORY}/manifests/${image.digest}`
  const good = registry.answers.get(path) as { body: Buffer }
  let asked = 0
  registry.answers.set(path, () => (asked++ === 0 ? { status: 503 } : good))
  await size(maxMiB(2))
  expect(asked).toBe(2)
  const stop = new AbortController()
  registry.answers.set(path, () => {
    stop.abort(new Error("the agent stops"))
    return { status: 503 }
  })
  await expect(checkPackedSize(image, { ...needs(maxMiB(2)), freeBytes: null }, stop.signal)).rejects.toThrow(
    "the agent stops",
  )
})
