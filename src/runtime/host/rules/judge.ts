import { Fault } from "../../../protocol/fault.ts"
import type { Rule } from "../../../protocol/message.ts"
import type { Image, ShardSpec } from "../../../protocol/shard-spec.ts"
import { BOUND_NAMES, BOUNDS, type BoundName } from "./bounds.ts"
import { matchesImage, ownersName } from "./image-pattern.ts"
import type { Rules, SignatureRule } from "./rules.ts"

/** The first of the owner's rules that a spec breaks, and how. */
export interface Refusal {
  /** Its place in the rules, such as `limits.outMiB`. */
  rule: string
  asked: string
  allowed: string
  message: string
}

/**
 * Why the owner does not let this shard run; null when it may.
 * @param market host and port of the marketplace's registry.
 */
export function judge(spec: ShardSpec, rules: Rules, market: string): Refusal | null {
  if (!rules.images.allow.some(pattern => matchesImage(pattern, spec.image, market))) {
    const asked = ownersName(spec.image, market)
    // The owner's list is nobody else's business.
    const message = `the image ${asked} is not among those that the owner allows`
    return { rule: "images.allow", asked, allowed: "other images", message }
  }
  for (const name of BOUND_NAMES) {
    const asked = BOUNDS[name].asked(spec)
    if (!(asked <= rules.limits[name])) return exceeded(name, asked, rules.limits[name])
  }
  return null
}

/** The signatures that an image has to have: one of each rule's keys. */
export function signaturesDue(image: Image, rules: Rules, market: string): SignatureRule[] {
  return rules.images.signedBy.filter(({ images }) => matchesImage(images, image, market))
}

/** As the marketplace hears it, in the printable ASCII that the wire takes. */
export function ruleTold({ rule, message }: Refusal): Rule {
  return { name: rule, message: message.replace(/[^\x20-\x7e]/g, "?").slice(0, 400) }
}

/** For a shard that was taken on under other rules. */
export function notAllowed({ rule, message, asked, allowed }: Refusal): Fault {
  return new Fault("shard-not-allowed", `The owner's rule ${rule} forbids this shard: ${message}.`, {
    hint: "Nothing to do: the rules changed since the lease began. `zg-agent sandbox show` prints those in force.",
    facts: { rule, asked, allowed },
  })
}

function exceeded(name: BoundName, value: number, most: number): Refusal {
  const { unit } = BOUNDS[name]
  // A little too much must not read as just enough.
  const [asked, allowed] = [`${Math.ceil(value * 10) / 10} ${unit}`, `${most} ${unit}`]
  return {
    rule: `limits.${name}`,
    asked,
    allowed,
    message: `it asks for ${asked}, the owner allows ${allowed}`,
  }
}
