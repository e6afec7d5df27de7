import { expect, test } from "vitest"
import {
  attribute,
  isSoftwareName,
  type Seen,
  slugOf,
  type Wanted,
} from "../../../../src/runtime/bench/gpu/attribution.ts"

const seen = (name: string, vendor = "nvidia", change: Partial<Seen> = {}): Seen => ({
  name,
  vendor,
  isSoftware: isSoftwareName(name),
  isReached: true,
  ...change,
})
const llvmpipe = seen("llvmpipe (LLVM 15.0.6, 256 bits)", "mesa")
const rtx = (model: string) => ({ vendor: "nvidia" as const, name: `NVIDIA GeForce RTX ${model}` })
const wanted = (card: ReturnType<typeof rtx>, others = [card].slice(1), isAlone = false): Wanted => ({
  ...{ kind: "card", card, others, isAlone },
})

test.for([
  "SwiftShader Device (Subzero)",
  "llvmpipe (LLVM 15.0.6, 256 bits)",
  "Microsoft Basic Render Driver",
  "Intel(R) CPU Runtime",
])("%s is a processor that plays a card", name => {
  expect(isSoftwareName(name)).toBe(true)
})

test.for([
  "NVIDIA GeForce RTX 3090",
  "AMD Radeon RX 6800 XT (RADV NAVI21)",
  "Intel(R) Arc(tm) A770 Graphics (DG2)",
  "NVIDIA Graphics Device",
])("%s is a card", name => {
  expect(isSoftwareName(name)).toBe(false)
})

test("the only card is the only adapter of its vendor, whatever plays a card beside it", () => {
  const mine = seen("NVIDIA GeForce RTX 3090")
  expect(attribute([llvmpipe, mine], wanted(rtx("3090")))).toEqual({ adapter: mine })
  expect(attribute([llvmpipe], wanted(rtx("3090")))).toHaveProperty("refusal")
  expect(attribute([seen("AMD Radeon RX 580", "amd")], wanted(rtx("3090")))).toHaveProperty("refusal")
})

test("of two equal cards one is known only where the other is out of reach", () => {
  const both = [seen("NVIDIA GeForce RTX 3090"), seen("NVIDIA GeForce RTX 3090")]
  const card = rtx("3090")
  expect(attribute(both, wanted(card, [card]))).toHaveProperty("refusal")
  expect(attribute(both.slice(1), wanted(card, [card]))).toHaveProperty("refusal")
  expect(attribute(both.slice(1), wanted(card, [card], true))).toEqual({ adapter: both[1] })
  // Its device files are out of reach, and yet the driver shows it.
  expect(attribute(both, wanted(card, [card], true))).toHaveProperty("refusal")
})

test("cards of different models are told apart by them", () => {
  const [plain, ti] = [seen("NVIDIA GeForce RTX 3060"), seen("NVIDIA GeForce RTX 3060 Ti")]
  expect(attribute([ti, plain], wanted(rtx("3060"), [rtx("3060 Ti")]))).toEqual({ adapter: plain })
  expect(attribute([ti, plain], wanted(rtx("3060 Ti"), [rtx("3060")]))).toEqual({ adapter: ti })
  const unreached = { ...plain, isReached: false }
  expect(attribute([ti, unreached], wanted(rtx("3060"), [rtx("3060 Ti")]))).toHaveProperty("refusal")
  // One of them is not seen at all, or is called something else.
  expect(attribute([plain], wanted(rtx("3060"), [rtx("3060 Ti")]))).toHaveProperty("refusal")
  expect(attribute([plain, ti], wanted(rtx("3060"), [rtx("4090")]))).toHaveProperty("refusal")
})

test("a model is known by either way to write it", () => {
  const adapters = [
    seen("AMD Radeon RX 6800 XT (RADV NAVI21)", "amd"),
    seen("AMD Radeon RX 580 Series (RADV POLARIS10)", "amd"),
  ]
  const card = { vendor: "amd" as const, name: "AMD Radeon RX 6800 XT" }
  const other = { vendor: "amd" as const, name: "AMD Radeon RX 580 Series" }
  expect(attribute(adapters, { kind: "card", card, others: [other], isAlone: false })).toEqual({
    adapter: adapters[0],
  })
  const nameless = { vendor: "amd" as const, name: null }
  expect(attribute(adapters, { kind: "card", card, others: [nameless], isAlone: false })).toHaveProperty(
    "refusal",
  )
})

test("the software adapter is found among cards, and no card in its place", () => {
  expect(attribute([seen("NVIDIA GeForce RTX 3090"), llvmpipe], { kind: "software" })).toEqual({
    adapter: llvmpipe,
  })
  expect(attribute([seen("NVIDIA GeForce RTX 3090")], { kind: "software" })).toHaveProperty("refusal")
})

test("names are normalised as WebGPU does", () => {
  expect(slugOf("SwiftShader Device (Subzero)")).toBe("swiftshader-device-subzero")
  expect(slugOf("swiftshader-device-subzero-")).toBe("swiftshader-device-subzero")
})
