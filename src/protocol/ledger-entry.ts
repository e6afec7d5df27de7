import { z } from "zod"
import { canonicalJson, type Digest, digestOfHex } from "./digest.ts"
import { JobId } from "./job.ts"
import { CanonicalBase64, KeyId, type PublicKey } from "./keys.ts"
import { Timestamp } from "./lease.ts"
import type { Bundle } from "./statement.ts"
import { ENTRY_LIMIT_BYTES } from "./tlog/tile.ts"

/**
 * A signed statement, by the digest of its bytes: the `dsse` 0.0.2 entry of Rekor v2 (sigstore/protobuf-specs, rekor/v2), so that Sigstore's
 * own verifiers find a bundle of ours in our ledger.
 */
export const SignedEntry = z.strictObject({
  apiVersion: z.literal("0.0.2"),
  kind: z.literal("dsse"),
  spec: z.strictObject({
    dsseV002: z.strictObject({
      payloadHash: z.strictObject({ algorithm: z.literal("SHA2_256"), digest: CanonicalBase64.length(44) }),
      signatures: z.tuple([
        z.strictObject({
          content: CanonicalBase64,
          verifier: z.strictObject({
            keyDetails: z.literal("PKIX_ED25519"),
            publicKey: z.strictObject({ rawBytes: CanonicalBase64 }),
          }),
        }),
      ]),
    }),
  }),
})
export type SignedEntry = z.infer<typeof SignedEntry>

/** `identity:` holds what was granted, `earned:` what was paid for work and for data, `bond:` what is lost with a failed audit. */
export const Account = z.union([
  z.enum(["issuer", "market"]),
  z.templateLiteral(["identity:", KeyId]),
  z.templateLiteral(["earned:", KeyId]),
  z.templateLiteral(["bond:", KeyId]),
  z.templateLiteral(["escrow:", JobId]),
])
export type Account = z.infer<typeof Account>

export const PostingKind = z.enum(["grant", "submission", "settlement", "refund", "forfeit", "release"])
export type PostingKind = z.infer<typeof PostingKind>

/** What a settlement's leg pays: the host's work, what of it goes to its bond, the marketplace's fee, or the owner of a data set, by its name. */
export const Purpose = z.union([
  z.enum(["work", "bond", "fee"]),
  z.templateLiteral(["royalty/", z.string().max(100)]),
])
export type Purpose = z.infer<typeof Purpose>

/** Credits that moved at once: what left some accounts entered others. */
export const PostingEntry = z.strictObject({
  apiVersion: z.literal("1"),
  kind: z.literal("zg-posting"),
  spec: z.strictObject({
    kind: PostingKind,
    /** What it is about: identity, job, lease, proof. */
    about: z.record(z.string().max(40), z.string().max(200)),
    /** In micro-credits; below zero for what left the account. They sum to zero. */
    legs: z.array(z.strictObject({ account: Account, amount: z.int(), for: Purpose.optional() })).max(256),
    at: Timestamp,
  }),
})
export type PostingEntry = z.infer<typeof PostingEntry>

/** What a leaf of the ledger says. */
export const LedgerEntry = z.discriminatedUnion("kind", [SignedEntry, PostingEntry])
export type LedgerEntry = z.infer<typeof LedgerEntry>

/** @param key whose signature the bundle carries. */
export function signedEntry({ dsseEnvelope }: Bundle, digest: Digest, key: PublicKey): SignedEntry {
  const [{ sig }] = dsseEnvelope.signatures
  const payloadHash = Buffer.from(digest.slice("sha256:".length), "hex").toString("base64")
  return {
    apiVersion: "0.0.2",
    kind: "dsse",
    spec: {
      dsseV002: {
        payloadHash: { algorithm: "SHA2_256", digest: payloadHash },
        signatures: [
          { content: sig, verifier: { keyDetails: "PKIX_ED25519", publicKey: { rawBytes: key } } },
        ],
      },
    },
  }
}

/** The digest of the statement that an entry stands for. */
export function statementOf({ spec }: SignedEntry): Digest {
  return digestOfHex(Buffer.from(spec.dsseV002.payloadHash.digest, "base64").toString("hex"))
}

/** The bytes that are hashed: RFC 8785 JSON. @throws RangeError for an entry that no tile can hold. */
export function entryBytes(entry: LedgerEntry): Buffer {
  const bytes = Buffer.from(canonicalJson(entry))
  if (bytes.length > ENTRY_LIMIT_BYTES) throw new RangeError(`a ledger entry of ${bytes.length} bytes`)
  return bytes
}

/** @returns null for what is no entry, or not in the one spelling. */
export function parseEntry(bytes: Uint8Array): LedgerEntry | null {
  try {
    const entry = LedgerEntry.parse(JSON.parse(Buffer.from(bytes).toString("utf8")))
    return Buffer.compare(entryBytes(entry), bytes) === 0 ? entry : null
  } catch {
    return null
  }
}
