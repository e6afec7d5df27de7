import { generateKeyPairSync, sign } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { asyncApi, jobFileSchema, schemaFiles, wireSchema } from "../../scripts/schemas.ts"
import { digestOf, type FileName } from "../../src/protocol/digest.ts"
import { parseClientFrame, parseMarketFrame } from "../../src/protocol/frame.ts"
import { randomId } from "../../src/protocol/handshake.ts"
import type { JobId } from "../../src/protocol/job.ts"
import { keyIdOf, PublicKey, type Signer } from "../../src/protocol/keys.ts"
import { CLIENT_TYPES, type ClientFrame, MARKET_TYPES, type MarketFrame } from "../../src/protocol/message.ts"
import { type Assignment, proofStatement } from "../../src/protocol/proof.ts"
import { ShardSpec } from "../../src/protocol/shard-spec.ts"
import { signStatement } from "../../src/protocol/statement.ts"

const ROOT = join(import.meta.dirname, "../..")

async function readJson(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(ROOT, "docs/schema", name), "utf8"))
}

test.each(Object.entries(schemaFiles()))(
  "docs/schema/%s is what `npm run schemas` writes",
  async (name, made) => {
    expect(await readJson(name)).toEqual(JSON.parse(JSON.stringify(made)))
  },
)

const assignment: Assignment = {
  job: "job-0123456789ab" as JobId,
  shard: { index: 3, label: "round-1/train-0" },
  lease: { id: randomId(), epoch: 2, nonce: randomId(), notAfter: "2026-01-02T03:04:05.678Z" },
  spec: ShardSpec.parse({
    image: { name: "team/net", digest: digestOf("image") },
    command: { argv: ["sh", "-c", "true"], env: { LANG: "C" } },
    inputs: [{ name: "text", digest: digestOf("text"), size: 4 }],
    outputs: ["result"],
    resources: {},
    limits: {},
  }),
}

function newSigner(): Signer {
  const pair = generateKeyPairSync("ed25519")
  const der = pair.publicKey.export({ format: "der", type: "spki" })
  const publicKey = PublicKey.parse(der.toString("base64"))
  return { publicKey, keyId: keyIdOf(publicKey), sign: async message => sign(null, message, pair.privateKey) }
}

async function proofFrame(): Promise<ClientFrame> {
  const statement = proofStatement(assignment, {
    outputs: [{ name: "result" as FileName, digest: digestOf("result"), size: 6 }],
    log: digestOf("log"),
    exit: 0,
    startedOn: "2026-01-02T03:03:05.678Z",
    finishedOn: "2026-01-02T03:04:00.000Z",
    isolation: "runc",
    versions: { docker: "20.10.24" },
    sandbox: {
      engine: "docker",
      runtime: "runc",
      network: "none",
      seccomp: "default",
      profile: "strict",
      disks: "mounted",
      flagsDigest: digestOf("[]"),
    },
    gpus: [],
    usage: { gpuSeconds: 0, cpuSeconds: 1.5, energyJoules: null, peakVramBytes: null },
    previous: null,
  })
  const proves = z.fromJSONSchema({ ...wireSchema(), anyOf: [{ $ref: "#/$defs/ProofStatement" }] })
  expect(proves.safeParse(statement).success).toBe(true)
  const { id: lease, epoch } = assignment.lease
  return { type: "proof", seq: 5, lease, epoch, bundle: await signStatement(statement, newSigner()) }
}

test("the published schema takes a real frame of each direction, and refuses it with a field too many", async () => {
  const published = z.fromJSONSchema(await readJson("zg.v1.schema.json"))
  const proof = await proofFrame()
  const lease: MarketFrame = { type: "lease", seq: 4, re: 4, offer: randomId(), ...assignment }
  expect(parseClientFrame(JSON.stringify(proof))).toEqual(proof)
  expect(parseMarketFrame(JSON.stringify(lease))).toEqual(lease)
  for (const frame of [proof, lease]) {
    expect(published.safeParse(frame).success, frame.type).toBe(true)
    expect(published.safeParse({ ...frame, force: true }).success, frame.type).toBe(false)
  }
})

test("a refusal's code is one of the faults", () => {
  const published = z.fromJSONSchema(wireSchema())
  const refused = { type: "refused", seq: 1, code: "offer-gone", message: "gone", hint: "wait" }
  expect(published.safeParse(refused).success).toBe(true)
  expect(published.safeParse({ ...refused, code: "no-such-code" }).success).toBe(false)
})

test("AsyncAPI names every message of both directions, and every reference in it leads somewhere", () => {
  const { document, types, references } = readAsyncApi()
  expect(types("Client")).toEqual([...CLIENT_TYPES].sort())
  expect(types("Market")).toEqual([...MARKET_TYPES].sort())
  expect(references.length).toBeGreaterThan(100)
  for (const reference of references) expect(follow(document, reference), reference).toBeDefined()
})

function readAsyncApi() {
  const document = asyncApi() as { components: { messages: Record<string, { name: string }> } }
  const messages = Object.entries(document.components.messages)
  const types = (side: string) =>
    messages
      .filter(([id]) => id.startsWith(side))
      .map(([, { name }]) => name)
      .sort()
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to = ""]) => to)
  return { document, types, references }
}

function follow(document: unknown, reference: string): unknown {
  const [root, ...path] = reference.split("/")
  expect(root).toBe("#")
  return path.reduce((at, part) => (at as Record<string, unknown> | undefined)?.[part], document)
}

test("the example is a job file by the published schema, and a misspelt field is not", async () => {
  const published = z.fromJSONSchema(jobFileSchema())
  const example = parse(await readFile(join(ROOT, "examples/king-james.yaml"), "utf8"))
  expect(published.safeParse(example).success).toBe(true)
  expect(published.safeParse({ ...example, workrs: 3 }).success).toBe(false)
  expect(published.safeParse({ ...example, pricePerShard: "a lot" }).success).toBe(false)
})
