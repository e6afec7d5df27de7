import { dsse } from "@sigstore/core"
import { z } from "zod"
import { type Digest, digestOf, hexOf } from "./digest.ts"
import { Fault } from "./fault.ts"
import {
  CanonicalBase64,
  importKey,
  isSignedBy,
  KeyId,
  keyIdOf,
  type PublicKey,
  Signature,
  type Signer,
} from "./keys.ts"

/** in-toto Statement v1: subjects by digest, and a predicate about them. */
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
export const PAYLOAD_TYPE = "application/vnd.in-toto+json"
const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

/** in-toto ResourceDescriptor, as far as we use it. */
export const Resource = z.strictObject({
  name: z.string().max(512),
  digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
})
export type Resource = z.infer<typeof Resource>

export function resource(name: string, digest: Digest): Resource {
  return { name, digest: { sha256: hexOf(digest) } }
}

/** A Sigstore bundle v0.3 with one Ed25519 signature in a DSSE envelope, and the signer's key id as a hint. */
export const Bundle = z.strictObject({
  mediaType: z.literal(BUNDLE_TYPE),
  verificationMaterial: z.strictObject({ publicKey: z.strictObject({ hint: KeyId }) }),
  dsseEnvelope: z.strictObject({
    payload: CanonicalBase64,
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.tuple([z.strictObject({ sig: Signature, keyid: KeyId })]),
  }),
})
export type Bundle = z.infer<typeof Bundle>

/** Signs a statement's JSON as it stands: DSSE covers bytes, so nothing has to be put in a canonical form. */
export async function signStatement(statement: unknown, signer: Signer): Promise<Bundle> {
  const payload = Buffer.from(JSON.stringify(statement))
  const sig = await signer.sign(dsse.preAuthEncoding(PAYLOAD_TYPE, payload))
  return {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: signer.keyId } },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: Buffer.from(sig).toString("base64"), keyid: signer.keyId }],
    },
  }
}

/** What a bundle is known by: the digest of the statement's bytes. */
export function bundleDigest(bundle: Bundle): Digest {
  return digestOf(Buffer.from(bundle.dsseEnvelope.payload, "base64"))
}

/**
 * Checks the one signature and gives the statement.
 * @throws Fault `proof-malformed` when it is no bundle or no such statement, `proof-signature-wrong` when the key did not sign it.
 */
export function openBundle<Schema extends z.ZodType>(
  bundle: unknown,
  key: PublicKey,
  statement: Schema,
): z.infer<Schema> {
  const { payload, signature, keyids } = readBundle(bundle)
  const claimed = keyIdOf(key)
  if (keyids.some(keyid => keyid !== claimed) || !isSignedBy(importKey(key), payload.signed, signature)) {
    throw new Fault("proof-signature-wrong", "The signature does not fit the statement and the key.", {
      hint: "Somebody changed a byte, or another key signed it: fetch it again from where it came.",
      facts: { keyId: claimed, hinted: keyids[0] ?? null },
    })
  }
  return parseStatement(payload.bytes, statement)
}

/** The statement of a bundle whose signature somebody has checked before. @throws Fault `proof-malformed`. */
export function readStatement<Schema extends z.ZodType>(bundle: Bundle, statement: Schema): z.infer<Schema> {
  return parseStatement(Buffer.from(bundle.dsseEnvelope.payload, "base64"), statement)
}

function readBundle(bundle: unknown) {
  const parsed = Bundle.safeParse(bundle)
  if (!parsed.success) {
    throw new Fault("proof-malformed", "This is not a Sigstore bundle v0.3 with one signature.", {
      hint: "Give the file that `zg-agent proof show --bundle` prints.",
      cause: parsed.error,
    })
  }
  const { dsseEnvelope, verificationMaterial } = parsed.data
  const [{ sig, keyid }] = dsseEnvelope.signatures
  const bytes = Buffer.from(dsseEnvelope.payload, "base64")
  return {
    payload: { bytes, signed: dsse.preAuthEncoding(PAYLOAD_TYPE, bytes) },
    signature: Buffer.from(sig, "base64"),
    keyids: [keyid, verificationMaterial.publicKey.hint],
  }
}

function parseStatement<Schema extends z.ZodType>(bytes: Buffer, schema: Schema): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(bytes.toString("utf8")))
  } catch (cause) {
    throw new Fault("proof-malformed", "The signed bytes are not a statement of the expected kind.", {
      hint: "It may come from another version of zg-agent; `zg-agent --version` tells yours.",
      cause,
    })
  }
}
