import { execFileSync } from "node:child_process"
import { createPrivateKey, createPublicKey, sign } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundleFromJSON } from "@sigstore/bundle"
import { toSignedEntity, Verifier } from "@sigstore/verify"
import fc from "fast-check"
import { afterAll, expect, test } from "vitest"
import { grant } from "../../../src/marketplace/ledger/posting.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { type Bundle, signStatement } from "../../../src/protocol/statement.ts"
import { fullIdOf } from "../../../src/protocol/tlog/note.ts"
import { bundleWithInclusion } from "../../../src/runtime/proof/sigstore.ts"
import { ensureIdentity } from "../../../src/store/identity.ts"
import { openLedger, recorded } from "../../ledger/recorded.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "./sample.ts"

const folder = mkdtempSync(join(tmpdir(), "zg-proof-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

const market = nodeSigner()
const identity = await ensureIdentity(join(folder, "identity.pem"))
const bundle = await signStatement(proofStatement(ASSIGNMENT, RUN), identity)
const publicKey = createPublicKey({
  key: Buffer.from(identity.publicKey, "base64"),
  format: "der",
  type: "spki",
})

/** DSSE's pre-authentication encoding, written anew from its specification. */
function signedBytes({ dsseEnvelope: { payload, payloadType } }: Bundle): Buffer {
  const body = Buffer.from(payload, "base64")
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `
  return Buffer.concat([Buffer.from(head), body])
}

function opensslVerifies(message: Buffer): boolean {
  writeFileSync(join(folder, "message"), message)
  writeFileSync(join(folder, "sig"), Buffer.from(bundle.dsseEnvelope.signatures[0].sig, "base64"))
  writeFileSync(join(folder, "key.pem"), publicKey.export({ format: "pem", type: "spki" }))
  const args = "pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile sig -in message".split(" ")
  try {
    return execFileSync("openssl", args, { cwd: folder, encoding: "utf8" }).includes("Verified Successfully")
  } catch (error) {
    // openssl ends with 1 for a wrong signature; a missing openssl is no answer.
    if ((error as { status?: number | null }).status === 1) return false
    throw error
  }
}

test("openssl verifies a proof, and refuses it with one byte changed", () => {
  const message = signedBytes(bundle)
  expect(opensslVerifies(message)).toBe(true)
  message[message.length - 1] = (message.at(-1) ?? 0) ^ 1
  expect(opensslVerifies(message)).toBe(false)
})

function sigstoreVerifies(candidate: Bundle): void {
  const trusted = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: (hint: string) => {
      if (hint !== identity.keyId) throw new Error("unknown key")
      return { publicKey, validFor: () => true }
    },
  }
  const verifier = new Verifier(trusted, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 })
  verifier.verify(toSignedEntity(bundleFromJSON(candidate)))
}

test("sigstore verifies a proof, and refuses it with another payload", () => {
  sigstoreVerifies(bundle)
  const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64")
  payload[10] = (payload[10] ?? 0) ^ 1
  const changed = {
    ...bundle,
    dsseEnvelope: { ...bundle.dsseEnvelope, payload: payload.toString("base64") },
  }
  expect(() => sigstoreVerifies(changed)).toThrow(expect.objectContaining({ code: "SIGNATURE_ERROR" }))
})

/** Verifies signature, entry, inclusion and checkpoint against a ledger that is trusted as a transparency log. */
function sigstoreVerifiesLogged(candidate: ReturnType<typeof bundleWithInclusion>): void {
  const log = ledgerKey(market.publicKey)
  const trusted = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    ctlogs: [],
    tlogs: [
      {
        baseURL: `https://${log.name}`,
        logID: fullIdOf(log),
        publicKey: createPublicKey({
          key: Buffer.from(log.key, "base64"),
          format: "der",
          type: "spki",
        }),
        validFor: { start: new Date(0), end: new Date(8.64e15) },
      },
    ],
    publicKey: () => ({ publicKey, validFor: () => true }),
  }
  const verifier = new Verifier(trusted, { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 })
  verifier.verify(toSignedEntity(bundleFromJSON(candidate)))
}

test("sigstore verifies a settled proof's place in the ledger, and refuses any other", async () => {
  const books = openLedger()
  for (let before = 0; before < 11; before++) books.append(grant(identity.keyId, MicroCredits.parse(before)))
  const paid = grant(identity.keyId, MicroCredits.parse(5))
  const { ledger } = await recorded(books, market, { bundle, key: identity.publicKey }, paid)
  const logged = bundleWithInclusion(bundle, ledger, market.publicKey)
  sigstoreVerifiesLogged(logged)
  const [entry] = logged.verificationMaterial.tlogEntries as [LoggedEntry]
  const { inclusionProof } = entry
  for (const changed of [
    { inclusionProof: { ...inclusionProof, hashes: inclusionProof.hashes.slice(1) } },
    { inclusionProof: { ...inclusionProof, logIndex: "3" } },
    {
      inclusionProof: {
        ...inclusionProof,
        checkpoint: { envelope: inclusionProof.checkpoint.envelope.replace("\n13\n", "\n12\n") },
      },
    },
    // What was signed is another statement.
    { canonicalizedBody: ledger.entries[1]?.body },
  ]) {
    const tlogEntries = [{ ...entry, ...changed }] as LoggedEntry[]
    const candidate = { ...logged, verificationMaterial: { ...logged.verificationMaterial, tlogEntries } }
    expect(() => sigstoreVerifiesLogged(candidate)).toThrow()
  }
})

type LoggedEntry = ReturnType<typeof bundleWithInclusion>["verificationMaterial"]["tlogEntries"][number]

test("the agent's signatures are node's signatures", async () => {
  const key = createPrivateKey(readFileSync(join(folder, "identity.pem")))
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async message => {
      expect(Buffer.from(await identity.sign(message))).toEqual(sign(null, message, key))
    }),
    { numRuns: 50 },
  )
})
