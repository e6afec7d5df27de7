import { afterAll, beforeAll, expect, test } from "vitest"
import { DEFAULT_RULES, type Rules } from "../../src/runtime/host/rules/rules.ts"
import { BUNDLE_V03 } from "../../src/runtime/image/signature.ts"
import { bundleManifest, cosignBundle, imageStatement, keyPair } from "../runtime/image/registry.ts"
import { type Bench, engineOrReason, makeBench, walkToEnd } from "./bench.ts"
import { publishShellImage } from "./image.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = (name: string, run: () => Promise<void>) =>
  test.skipIf(typeof engine === "string")(name, run, 60_000)

const OWNER = keyPair("ed25519")
const limit = () => AbortSignal.timeout(30_000)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const images = (change: Partial<Rules["images"]>): Rules => ({
  ...DEFAULT_RULES,
  images: { ...DEFAULT_RULES.images, ...change },
})
const SIGNED = images({ signedBy: [{ images: "market", keys: [OWNER.pinned] }] })
const WISH = { argv: ["sh", "-c", "echo made > /shard/out/result.txt"] }

/** Another image each time, so that none is here already. */
const publish = () =>
  publishShellImage(bench.registry, `test/rules-${crypto.randomUUID()}`, {
    Labels: { n: crypto.randomUUID() },
  })

const isHere = (image: Bench["image"]) =>
  bench.ports.engine.images.has(`${bench.registry.host}/${image.name}@${image.digest}`, limit())

/** Walks a shard of this image to its end under these rules. */
async function walked(rules: Rules, image: Bench["image"]) {
  const under = { ...bench, ports: { ...bench.ports, rules } }
  return (await walkToEnd(under, bench.lease({ ...WISH, image }))).end
}

within("an image without the owner's signature is not pulled, and a signed one runs", async () => {
  const image = await publish()
  expect(await walked(SIGNED, image)).toMatchObject({
    step: "abandoned",
    from: "leased",
    code: "image-unsigned",
  })
  expect(await isHere(image)).toBe(false)
  sign(image)
  expect(await walked(SIGNED, image)).toMatchObject({ step: "settled" })
})

/** Hangs a signature on it where the registry has no referrers endpoint: under the tag that stands in for it. */
function sign({ digest }: Bench["image"]): void {
  const bundle = Buffer.from(JSON.stringify(cosignBundle(OWNER, imageStatement(digest))))
  const manifest = bundleManifest(digest, bench.registry.put(bundle) as typeof digest, bundle.length)
  const entry = {
    digest: bench.registry.put(Buffer.from(JSON.stringify(manifest))),
    artifactType: BUNDLE_V03,
  }
  bench.registry.blobs.set(digest.replace(":", "-"), Buffer.from(JSON.stringify({ manifests: [entry] })))
}

within("an image that is here already needs its signature too", async () => {
  const image = await publish()
  expect(await walked(DEFAULT_RULES, image)).toMatchObject({ step: "settled" })
  expect(await isHere(image)).toBe(true)
  expect(await walked(SIGNED, image)).toMatchObject({ code: "image-unsigned" })
})

within("an image over the owner's size is refused by its manifest, before a layer is fetched", async () => {
  const image = await publish()
  bench.registry.requests.length = 0
  expect(await walked(images({ maxMiB: 1 }), image)).toMatchObject({ code: "image-too-large" })
  expect(await isHere(image)).toBe(false)
  expect(bench.registry.requests.map(({ path }) => path)).toEqual([
    `/v2/${image.name}/manifests/${image.digest}`,
  ])
})

within("an image that is larger than its manifest says does not stay", async () => {
  const image = await publish()
  const manifest = JSON.parse(bench.registry.blobs.get(image.digest)?.toString() ?? "")
  const packed = manifest.layers.reduce((sum: number, { size }: { size: number }) => sum + size, 0) / 2 ** 20
  // Between what it has packed, which the manifest says, and what it has unpacked.
  const rules = images({ maxMiB: Math.ceil(packed) + 1 })
  expect(await walked(rules, image)).toMatchObject({ code: "image-too-large" })
  expect(await isHere(image)).toBe(false)
})
