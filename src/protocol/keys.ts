import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto"
import { z } from "zod"
import { Fault } from "./fault.ts"

/** An identity's short name: hex SHA-256 of its public key's SPKI DER. */
export const KeyId = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be a key id: 64 hex digits")
  .brand("KeyId")
export type KeyId = z.infer<typeof KeyId>

/** A public key on the wire: base64 of the 44-byte SPKI DER (RFC 8410). */
export const PublicKey = z
  .string()
  .regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/, "must be an Ed25519 public key as base64 SPKI")
  .brand("PublicKey")
export type PublicKey = z.infer<typeof PublicKey>

/** Base64 in its one canonical spelling: otherwise unused bits could change and the bytes stay the same. */
export const CanonicalBase64 = z
  .string()
  .refine(text => Buffer.from(text, "base64").toString("base64") === text, "must be canonical base64")

/** A 64-byte Ed25519 signature. */
export const Signature = CanonicalBase64.length(88, "must be an Ed25519 signature in base64")

/** Whoever can sign: an identity on this machine. The private key never leaves it. */
export interface Signer {
  readonly publicKey: PublicKey
  readonly keyId: KeyId
  sign(message: Uint8Array): Promise<Uint8Array>
}

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex")
const RAW_KEY_BYTES = 32

/**
 * The points of order 1, 2, 4 and 8, canonical and not, as little-endian hex with the sign bit cleared. Under such a key a
 * signature can be made without a private key. (Cremers et al., "Taming the many EdDSAs", 2020, table 1.)
 */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
])

export function publicKeyOf(raw: Uint8Array): PublicKey {
  return PublicKey.parse(Buffer.concat([SPKI_PREFIX, raw]).toString("base64"))
}

export function keyIdOf(key: PublicKey): KeyId {
  return createHash("sha256").update(Buffer.from(key, "base64")).digest("hex") as KeyId
}

/** @throws Fault `key-refused` for a small-order key: anyone could sign in its name. */
export function importKey(key: PublicKey): KeyObject {
  const der = Buffer.from(key, "base64")
  const raw = Buffer.from(der.subarray(-RAW_KEY_BYTES))
  raw[RAW_KEY_BYTES - 1] = (raw[RAW_KEY_BYTES - 1] ?? 0) & 0x7f
  if (SMALL_ORDER.has(raw.toString("hex"))) {
    throw new Fault("key-refused", "The public key has a small order, so anyone could sign in its name.", {
      hint: "Make a new identity: move identity.pem away and run `zg-agent register` again.",
    })
  }
  return createPublicKey({ key: der, format: "der", type: "spki" })
}

export function isSignedBy(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, message, key, signature)
}
