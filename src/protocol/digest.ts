import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import { z } from "zod"
import { Fault } from "./fault.ts"

/** A blob's name: `sha256:` and 64 lower-case hex digits (OCI image-spec, "Digests"). */
export const Digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 lower-case hex digits")
  .brand("Digest")
export type Digest = z.infer<typeof Digest>

/** @throws Fault `bad-argument`. */
export function parseDigest(text: string): Digest {
  const parsed = Digest.safeParse(text)
  if (parsed.success) return parsed.data
  throw new Fault("bad-argument", `${JSON.stringify(text.slice(0, 80))} is not a digest.`, {
    hint: "Write sha256: and 64 lower-case hex digits, as a registry names the image.",
  })
}

/** Immutable bytes somewhere, by digest and size in bytes. */
export const Blob = z.strictObject({ digest: Digest, size: z.int().min(0) })
export type Blob = z.infer<typeof Blob>

/** A file's name as inputs and outputs carry it: one path segment, nothing hidden. */
export const FileName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be one plain file name")
export type FileName = z.infer<typeof FileName>

export const NamedBlob = z.strictObject({ name: FileName, ...Blob.shape })
export type NamedBlob = z.infer<typeof NamedBlob>

export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest
}

/** The hex digits of a digest, as in-toto's `digest.sha256` and file names want them. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length)
}

export function digestOfHex(hex: string): Digest {
  return Digest.parse(`sha256:${hex}`)
}

/** The digest of a JSON value, independent of key order and spacing (RFC 8785). */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalJson(value))
}

export function canonicalJson(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError("not a JSON value")
  return text
}
