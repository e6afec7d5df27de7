import { execFileSync } from "node:child_process"
import { createPrivateKey, createPublicKey, sign } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundleFromJSON } from "@sigstore/bundle"
import { toSignedEntity, Verifier } from "@sigstore/verify"
import fc from "fast-check"
import { afterAll, expect, test } from "vitest"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { type Bundle, signStatement } from "../../../src/protocol/statement.ts"
import { ensureIdentity } from "../../../src/store/identity.ts"
import { ASSIGNMENT, RUN } from "./sample.ts"

const folder = mkdtempSync(join(tmpdir(), "zg-proof-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

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

test("the agent's signatures are node's signatures", async () => {
  const key = createPrivateKey(readFileSync(join(folder, "identity.pem")))
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async message => {
      expect(Buffer.from(await identity.sign(message))).toEqual(sign(null, message, key))
    }),
    { numRuns: 50 },
  )
})
