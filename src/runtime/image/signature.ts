import { bundleFromJSON } from "@sigstore/bundle"
import { toSignedEntity, Verifier } from "@sigstore/verify"
import { z } from "zod"
import { type Digest, hexOf } from "../../protocol/digest.ts"
import { PAYLOAD_TYPE, STATEMENT_TYPE } from "../../protocol/statement.ts"
import type { PinnedKey } from "../host/rules/rules.ts"

/** What cosign v3 calls its bundles and the statement that signs an image (cosign's specs/BUNDLE_SPEC.md). */
export const BUNDLE_V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
export const COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"

/** The part of a bundle that a pinned key vouches for. */
const SignedBundle = z.object({
  mediaType: z.literal(BUNDLE_V03),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.tuple([z.object({ sig: z.string().min(1) })]),
  }),
})
type SignedBundle = z.infer<typeof SignedBundle>

const Statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.object({ digest: z.object({ sha256: z.string() }) })]),
  predicateType: z.literal(COSIGN_SIGN),
})

/**
 * The pinned key by which a bundle signs exactly this image, or why it does not.
 *
 * The key alone decides. Certificates, transparency log entries and timestamps that a bundle may bring are not looked at: they say who
 * and when, which the owner has answered by pinning the key, and there is no root here to check them against.
 */
export function signerOf(bundle: unknown, image: Digest, keys: readonly PinnedKey[]): PinnedKey | string {
  const parsed = SignedBundle.safeParse(bundle)
  if (!parsed.success) return "it is no Sigstore bundle v0.3 with one signature of a statement"
  const signer = keys.find(key => isSignedBy(parsed.data, key))
  if (signer === undefined) return "none of the owner's keys made it"
  const statement = statementIn(parsed.data)
  if (statement === null) return "it signs something else than an image"
  if (statement.subject[0].digest.sha256 !== hexOf(image)) return "it signs another image"
  return signer
}

function isSignedBy({ mediaType, dsseEnvelope }: SignedBundle, { key, keyId }: PinnedKey): boolean {
  const [{ sig }] = dsseEnvelope.signatures
  const bare = {
    mediaType,
    verificationMaterial: { publicKey: { hint: keyId }, tlogEntries: [] },
    dsseEnvelope: { ...dsseEnvelope, signatures: [{ sig, keyid: "" }] },
  }
  const publicKey = () => ({ publicKey: key, validFor: () => true })
  const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] }
  const none = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }
  try {
    new Verifier({ ...nobody, publicKey }, none).verify(toSignedEntity(bundleFromJSON(bare)))
    return true
  } catch {
    return false
  }
}

function statementIn({ dsseEnvelope }: SignedBundle): z.infer<typeof Statement> | null {
  try {
    return Statement.parse(JSON.parse(Buffer.from(dsseEnvelope.payload, "base64").toString("utf8")))
  } catch {
    return null
  }
}
