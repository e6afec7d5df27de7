import type { KeyObject } from "node:crypto"
import type { ProfileName } from "../../container/policy.ts"
import { BOUND_NAMES, BOUNDS, type BoundName } from "./bounds.ts"

/** A public key that the owner trusts to sign images. */
export interface PinnedKey {
  /** As the rules name it. */
  file: string
  /** Hex SHA-256 of its SPKI DER. */
  keyId: string
  kind: "ed25519" | "ecdsa-p256"
  key: KeyObject
}

/** Images that need a signature by one of these keys. */
export interface SignatureRule {
  images: string
  keys: PinnedKey[]
}

/** What the owner of this machine lets a shard ask for, and how `bench` may treat the cards. */
export interface Rules {
  /** Where they were read; null where the owner wrote none. */
  file: string | null
  profile: ProfileName
  images: {
    /** Patterns; an image that none of them names is refused. */
    allow: string[]
    /** What an image may take up on the disk, unpacked. */
    maxMiB: number
    signedBy: SignatureRule[]
  }
  limits: Record<BoundName, number>
  bench: {
    /** A card that is hotter is stopped; shards are not bound by it. Null: the card's own limits alone. */
    maxTemperatureC: number | null
  }
}

/** In degrees Celsius: less is a card that has done nothing on a summer's day, more is over what cards allow themselves. */
export const HEAT_LIMIT_C = { least: 40, most: 110 } as const

/** Two of the usual PyTorch images with CUDA; ROCm's can be larger. */
const IMAGE_MIB = 40_960

const LIMITS = Object.fromEntries(BOUND_NAMES.map(name => [name, BOUNDS[name].otherwise]))

/** Where the owner wrote no rules: strict walls, images from any public registry, no signature asked. */
export const DEFAULT_RULES: Rules = {
  file: null,
  profile: "strict",
  images: { allow: ["**"], maxMiB: IMAGE_MIB, signedBy: [] },
  limits: LIMITS as Rules["limits"],
  bench: { maxTemperatureC: null },
}
