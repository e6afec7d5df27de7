import { expect, test } from "vitest"
import { pciIdOf, pciRevisionOf } from "../../../../src/runtime/host/drm/pci-id.ts"

test("ids and revisions have all their digits, and what cannot be one is none", () => {
  expect(pciIdOf(0x10de, 0x2204)).toBe("10de:2204")
  expect(pciIdOf(0x1002, 0x1)).toBe("1002:0001")
  expect(pciRevisionOf(0)).toBe("00")
  expect(pciRevisionOf(0xc1)).toBe("c1")
  for (const device of [null, -1, 0x10000]) expect(pciIdOf(0x1002, device)).toBeNull()
  for (const revision of [null, -1, 0x100]) expect(pciRevisionOf(revision)).toBeNull()
})
