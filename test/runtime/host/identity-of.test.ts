import fc from "fast-check"
import { expect, test } from "vitest"
import { type DetectedGpu, UNREPORTED } from "../../../src/runtime/host/gpu.ts"
import { compareInventory, type InventoryCard, identitiesOf } from "../../../src/runtime/host/identity-of.ts"

function gpu(index: number, uuid: string | null, pciAddress: string | null): DetectedGpu {
  const judged = { backends: [], health: "ok" as const, offerable: false, reasons: [] }
  return { ...UNREPORTED, index, vendor: "nvidia", uuid, pciAddress, ...judged }
}

const UUID = "GPU-7a3f7a10-0c5e-6c67-7d5b-3f6c5b9a4b11"
const card = (
  identity: string,
  pciAddress: string | null,
  name = "RX 580",
  vramTotalMiB = 8192,
): InventoryCard => ({
  identity,
  pciAddress,
  name,
  vramTotalMiB,
})

test("a real UUID names the card, whether NVIDIA's or AMD's", () => {
  expect(identitiesOf([gpu(0, UUID, "0000:01:00.0"), gpu(1, "0e2f7c1a93b45d68", "0000:02:00.0")])).toEqual([
    UUID,
    "0e2f7c1a93b45d68",
  ])
})

test.each([
  "GPU-00000000-0000-0000-0000-000000000000",
  "GPU-ffffffff-ffff-ffff-ffff-ffffffffffff",
  "GPU-XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX",
  "N/A",
  "[Not Supported]",
  "",
  "0x0000000000000000",
])("%s is no identity: the full PCI address is", uuid => {
  expect(identitiesOf([gpu(0, uuid, "0001:01:00.0")])).toEqual(["pci:0001:01:00.0"])
})

test("a UUID that two cards share names neither; a place that two share names neither", () => {
  const shared = [
    gpu(0, UUID, "0000:01:00.0"),
    gpu(1, UUID.toUpperCase().replace("GPU", "gpu"), "0000:02:00.0"),
  ]
  expect(identitiesOf(shared)).toEqual(["pci:0000:01:00.0", "pci:0000:02:00.0"])
  expect(
    identitiesOf([gpu(0, null, null), gpu(1, null, "0000:02:00.0"), gpu(2, null, "0000:02:00.0")]),
  ).toEqual(["index:0", "index:1", "index:2"])
})

test("identities are never shared", () => {
  const uuid = fc.constantFrom(
    null,
    "N/A",
    UUID,
    "0e2f7c1a93b45d68",
    "GPU-00000000-0000-0000-0000-000000000000",
  )
  const place = fc.constantFrom(null, "0000:01:00.0", "0000:02:00.0", "0001:01:00.0")
  fc.assert(
    fc.property(fc.array(fc.tuple(uuid, place), { maxLength: 8 }), cards => {
      const identities = identitiesOf(cards.map(([id, at], index) => gpu(index, id, at)))
      expect(new Set(identities).size).toBe(cards.length)
    }),
  )
})

test("added, removed, moved and replaced", () => {
  const a = card("pci:0000:01:00.0", "0000:01:00.0")
  const b = card(UUID, "0000:02:00.0", "RTX 3060", 12288)
  expect(compareInventory([a], [a, b])).toEqual([{ kind: "added", now: b }])
  expect(compareInventory([a, b], [b])).toEqual([{ kind: "removed", before: a }])
  const moved = { ...b, pciAddress: "0000:05:00.0" }
  expect(compareInventory([a, b], [a, moved])).toEqual([{ kind: "moved", before: b, now: moved }])
  const other = card("pci:0000:01:00.0", "0000:01:00.0", "RX 5700 XT")
  expect(compareInventory([a], [other])).toEqual([{ kind: "replaced", before: a, now: other }])
  const larger = card("pci:0000:01:00.0", "0000:01:00.0", "RX 580", 4096)
  expect(compareInventory([a], [larger])).toEqual([{ kind: "replaced", before: a, now: larger }])
  const twin = { ...b, identity: "GPU-11112222-0c5e-6c67-7d5b-3f6c5b9a4b11" }
  expect(compareInventory([b], [twin])).toEqual([{ kind: "replaced", before: b, now: twin }])
})

test("a driver that renames a card, masks its UUID or shows a little less memory changes nothing", () => {
  const before = card(UUID, "0000:02:00.0", "GeForce RTX 2080 SUPER", 8192)
  const masked = card("pci:0000:02:00.0", "0000:02:00.0", "NVIDIA GeForce RTX 2080 SUPER", 7979)
  expect(compareInventory([before], [masked])).toEqual([])
  expect(compareInventory([masked], [before])).toEqual([])
  expect(compareInventory([before], [{ ...before, name: null }])).toEqual([])
})

const anyCard = fc
  .record({
    id: fc.integer({ min: 1, max: 12 }),
    name: fc.constantFrom("RX 580", "RX 6600", null),
    vramTotalMiB: fc.constantFrom(4096, 8192, null),
    hasUuid: fc.boolean(),
  })
  .map(({ id, name, vramTotalMiB, hasUuid }) => {
    const pciAddress = `0000:${id.toString(16).padStart(2, "0")}:00.0`
    return { identity: hasUuid ? `GPU-${id}` : `pci:${pciAddress}`, pciAddress, name, vramTotalMiB }
  })
const inventory = fc.uniqueArray(anyCard, { selector: ({ pciAddress }) => pciAddress, maxLength: 10 })

test("reordering is no change", () => {
  fc.assert(
    fc.property(
      inventory.chain(cards =>
        fc.tuple(fc.constant(cards), fc.shuffledSubarray(cards, { minLength: cards.length })),
      ),
      ([cards, shuffled]) => {
        expect(compareInventory(cards, shuffled)).toEqual([])
      },
    ),
  )
})

test("what is added is removed again, and the inventory is as before", () => {
  fc.assert(
    fc.property(inventory, fc.integer({ min: 0, max: 9 }), (all, at) => {
      if (all.length === 0) return
      const extra = all[at % all.length]
      if (extra === undefined) return
      const without = all.filter(other => other !== extra)
      expect(compareInventory(without, all)).toEqual([{ kind: "added", now: extra }])
      expect(compareInventory(all, without)).toEqual([{ kind: "removed", before: extra }])
      expect(
        compareInventory(
          without,
          all.filter(other => other !== extra),
        ),
      ).toEqual([])
    }),
  )
})
