import { expect, type TestContext, test } from "vitest"
import { GROUPS } from "../../../../src/runtime/bench/peak/peak.ts"
import { amdgpuName, pciName, readFirst, SYSTEM_ID_FILES } from "../../../../src/runtime/host/drm/id-files.ts"
import { skip } from "../../../contract/skip.ts"

const ROWS = GROUPS.flatMap(({ models }) => models.flatMap(({ card, ids }) => ids.map(id => ({ card, id }))))
const rowsOf = (vendor: string) => ROWS.filter(({ id }) => id.startsWith(vendor))

async function tableOf(files: string[], context: TestContext, from: string): Promise<string> {
  const table = await readFirst(files)
  if (table === "") skip(context, `${files[0]} is not here (Debian: ${from})`)
  return table
}

function idsOf(id: string) {
  const [vendor = null, device = null, revision = null] = id.split(":").map(part => Number.parseInt(part, 16))
  return { vendor, device, revision, subsystemVendor: null, subsystemDevice: null, deviceClass: null }
}

/** Without what tables call differently: makers, series, and revisions of the same card. */
function plain(card: string): string {
  return card
    .toLowerCase()
    .replace(/geforce|radeon|tesla|nvidia|amd|\brx\b|series|graphics|lite hash rate|rev\. \w/g, " ")
    .replace(/\s+/g, " ")
    .trim()
}

const CARDS = new Set(ROWS.map(({ card }) => plain(card)))

/** `RTX 3050 8GB` is the RTX 3050, as no row is called so; `RTX 3080 12GB` has a row of its own. */
function withoutMemory(card: string): string {
  return CARDS.has(card) ? card : card.replace(/ \d+gb$/, "")
}

test("pci.ids names the same NVIDIA card for every id that it has", async context => {
  const table = await tableOf(SYSTEM_ID_FILES.pciIds, context, "pci.ids")
  const seen = rowsOf("10de:").flatMap(({ card, id }) => {
    const name = /\[(.*)\]/.exec(pciName(table, idsOf(id)) ?? "")?.[1]
    return name === undefined ? [] : [{ card, id, name }]
  })
  // An old table lacks only what was sold later.
  expect(seen.length).toBeGreaterThan(30)
  for (const { card, id, name } of seen) expect(withoutMemory(plain(name)), id).toBe(plain(card))
})

test("amdgpu.ids names the same AMD card for every revision that it has", async context => {
  const table = await tableOf(SYSTEM_ID_FILES.amdgpuIds, context, "libdrm-common")
  const seen = rowsOf("1002:").flatMap(({ card, id }) => {
    const name = amdgpuName(table, idsOf(id))
    return name === null ? [] : [{ card, id, name }]
  })
  expect(seen.length).toBeGreaterThan(5)
  for (const { card, id, name } of seen) expect(plain(name), id).toBe(plain(card))
})
