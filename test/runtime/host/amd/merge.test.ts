import { expect, test } from "vitest"
import { merge, recordOf } from "../../../../src/runtime/host/amd/merge.ts"
import { coversSeveral, productName } from "../../../../src/runtime/host/amd/product-name.ts"
import type { SmiCard } from "../../../../src/runtime/host/amd/record.ts"
import { uniqueIdOf, uniqueIdOfDecimal } from "../../../../src/runtime/host/amd/unique-id.ts"
import { UNREPORTED } from "../../../../src/runtime/host/gpu.ts"

const smi = (known: Partial<SmiCard>): SmiCard => ({
  ...UNREPORTED,
  device: null,
  familyName: null,
  ...known,
})
const polaris = recordOf(smi({ pciAddress: "0000:01:00.0", device: 0x67df, temperatureC: 60 }))
const vega = recordOf(smi({ pciAddress: "0000:02:00.0", device: 0x687f, uuid: "02156fb3c4b4fbb1" }))
const temperatures = ({ records }: ReturnType<typeof merge>) =>
  records.map(({ readings }) => readings.temperatureC)

test("by address, whatever the order; what is known stays", () => {
  const cards = [
    smi({ pciAddress: "0000:02:00.0", temperatureC: 40 }),
    smi({ pciAddress: "0000:01:00.0", temperatureC: 99, powerDrawW: 80 }),
  ]
  const merged = merge([polaris, vega], cards)
  expect(temperatures(merged)).toEqual([60, 40])
  expect(merged.records[0]?.readings.powerDrawW).toBe(80)
  expect(merged.unmatched).toEqual([])
})

test("without an address: by unique id, else by a device id that only one card on each side has", () => {
  expect(temperatures(merge([polaris, vega], [smi({ uuid: "02156fb3c4b4fbb1", temperatureC: 41 })]))).toEqual(
    [60, 41],
  )
  expect(temperatures(merge([polaris, vega], [smi({ device: 0x687f, temperatureC: 42 })]))).toEqual([60, 42])
  const stranger = smi({ device: 0x687f, uuid: "1111222233334444", temperatureC: 43 })
  expect(merge([polaris, vega], [stranger])).toEqual({ records: [polaris, vega], unmatched: [stranger] })
})

test("twins without an address are not guessed", () => {
  const twin = recordOf(smi({ pciAddress: "0000:03:00.0", device: 0x687f }))
  const card = smi({ device: 0x687f, temperatureC: 42 })
  expect(merge([vega, twin], [card])).toEqual({ records: [vega, twin], unmatched: [card] })
  expect(merge([vega], [card, card])).toEqual({ records: [vega], unmatched: [card, card] })
  expect(merge([vega], [smi({ temperatureC: 42 })]).unmatched).toHaveLength(1)
})

test("an address that sysfs does not have is not put on another card of the same kind", () => {
  const elsewhere = smi({ pciAddress: "0000:09:00.0", device: 0x67df, temperatureC: 42 })
  expect(merge([polaris], [elsewhere])).toEqual({ records: [polaris], unmatched: [elsewhere] })
})

test("of partitions that share an address the first speaks", () => {
  const parts = [10, 20].map(temperatureC => smi({ pciAddress: "0000:02:00.0", temperatureC }))
  expect(temperatures(merge([vega], parts))).toEqual([10])
})

test("unique ids: zeros in front kept, masked ones refused", () => {
  expect(uniqueIdOf("0x17a4e10dc8b3342")).toBe("017a4e10dc8b3342")
  expect(uniqueIdOf("0E2F7C1A93B45D68")).toBe("0e2f7c1a93b45d68")
  expect(uniqueIdOfDecimal("1")).toBe("0000000000000001")
  for (const text of ["0", "0x0", "ffffffffffffffff", "N/A", "", null, "12345678901234567"]) {
    expect(uniqueIdOf(text)).toBeNull()
  }
  expect([undefined, "-1", "abc", "0", "18446744073709551615"].map(uniqueIdOfDecimal)).toEqual(
    Array(5).fill(null),
  )
})

test("names: numbers and the vendor alone are none; a chip's name covers several products", () => {
  for (const text of [
    "0x1002",
    "N/A",
    "744c",
    "",
    "  ",
    null,
    7,
    "Unknown",
    "Advanced Micro Devices, Inc. [AMD/ATI]",
  ]) {
    expect(productName(text)).toBeNull()
  }
  expect(productName(" Instinct MI210 \0")).toBe("Instinct MI210")
  expect(coversSeveral("Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]")).toBe(true)
  expect(coversSeveral("AMD Radeon RX 7900 XTX")).toBe(false)
})
