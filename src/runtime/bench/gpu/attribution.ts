import type { DetectedGpu } from "../../host/gpu.ts"

/** An adapter as far as it matters for which card it is. */
export interface Seen {
  /** As its driver calls it. */
  name: string
  /** As WebGPU normalises it: `nvidia`, `amd`, `intel`. */
  vendor: string
  isSoftware: boolean
  /** Whether asking for the name gets this one, and not another whose name contains it. */
  isReached: boolean
}

/** A card as far as an adapter can be known by it. */
export type Named = Pick<DetectedGpu, "vendor" | "name">

/** What is to be measured. */
export type Wanted =
  /** A processor that plays a card: to show that the way works. */
  | { kind: "software" }
  /** `others`: the cards of the machine beside this one. `isAlone`: their device files are out of reach. */
  | { kind: "card"; card: Named; others: readonly Named[]; isAlone: boolean }

export type Attribution<Adapter> = { adapter: Adapter } | { refusal: string }

/** Programs that compute on the processor: SwiftShader (Google), llvmpipe and softpipe (Mesa), WARP (Microsoft). */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render|warp\b|\bcpu\b|software/i

export function isSoftwareName(name: string): boolean {
  return SOFTWARE.test(name)
}

/** As WebGPU writes names in an adapter's description: lower case, one hyphen for whatever is no letter or digit. */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
}

/**
 * Which of the adapters is the wanted card; a refusal with its reason where that is not certain. An adapter tells no place on the PCI bus, so
 * it is certain where no other card of that vendor can be seen, or where the models of all of them are different and known.
 */
export function attribute<Adapter extends Seen>(
  seen: readonly Adapter[],
  wanted: Wanted,
): Attribution<Adapter> {
  if (wanted.kind === "software") {
    const adapter = seen.find(({ isSoftware, isReached }) => isSoftware && isReached)
    return adapter === undefined ? { refusal: "This machine has no software adapter." } : { adapter }
  }
  const { card, others, isAlone } = wanted
  const ours = seen.filter(({ vendor, isSoftware }) => !isSoftware && vendor === card.vendor)
  if (ours.length === 0)
    return { refusal: `WebGPU sees no card of ${card.vendor} here: its driver for Vulkan is missing.` }
  const rivals = others.filter(({ vendor }) => vendor === card.vendor)
  const [only] = ours
  if (ours.length === 1 && only !== undefined && (isAlone || rivals.length === 0)) {
    return only.isReached
      ? { adapter: only }
      : { refusal: `The adapter ${only.name} cannot be asked for by its name.` }
  }
  return byModel(ours, card, rivals)
}

function byModel<Adapter extends Seen>(
  ours: readonly Adapter[],
  card: Named,
  rivals: readonly Named[],
): Attribution<Adapter> {
  const refusal = `WebGPU shows ${ours.length} cards of ${card.vendor} and does not tell which of them is this one.`
  if (ours.length !== rivals.length + 1) return { refusal }
  const matches = [card, ...rivals].map(({ name }) => ours.filter(adapter => isModel(adapter.name, name)))
  const [mine] = matches[0] ?? []
  const areAllApart =
    matches.every(found => found.length === 1) && new Set(matches.flat()).size === ours.length
  return areAllApart && mine?.isReached === true ? { adapter: mine } : { refusal }
}

/** Mesa appends the chip to the model: `AMD Radeon RX 6800 XT (RADV NAVI21)`. NVIDIA's names are the same everywhere. */
function isModel(adapter: string, card: string | null): boolean {
  if (card === null || slugOf(card) === "") return false
  const model = slugOf(adapter.replace(/\s*\(.*$/, ""))
  return model === slugOf(card) || model === `${slugOf(card).replace(/^(?:nvidia|amd|intel)-/, "")}`
}
