import { mkdir, writeFile } from "node:fs/promises"
import path from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { detectAmd } from "../../../../src/runtime/host/amd/detect.ts"
import { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import {
  type Entry,
  ID_FILES,
  NO_PROGRAMS,
  recordedTree,
  unpack,
  unpackRecorded,
} from "../drm/recorded-tree.ts"

const NO_FILES = { amdgpuIds: [], pciIds: [] }

async function look(sysfs: string, more: { dev?: string; idFiles?: typeof NO_FILES } = {}) {
  const { signal } = new AbortController()
  const found = await detectAmd({ sysfs, signal, idFiles: ID_FILES, programs: NO_PROGRAMS, ...more })
  for (const gpu of found.gpus) DetectedGpu.parse(gpu)
  expect(found.problems).toEqual([])
  return found.gpus
}

const lookAt = async (name: string) => look(await unpackRecorded(name))

test("RX 580: every field, as the kernel gives it", async () => {
  expect(await lookAt("rx-580")).toEqual([
    {
      index: 0,
      vendor: "amd",
      name: "AMD Radeon RX 580 Series",
      uuid: null,
      pciAddress: "0000:01:00.0",
      pciId: "1002:67df",
      pciRevision: "e7",
      vramTotalMiB: 8192,
      vramUsedMiB: 1159,
      driverVersion: null,
      temperatureC: 61,
      utilizationPct: 37,
      powerDrawW: 98.145,
      powerLimitW: 185,
      fanPct: 35,
      clocksMhz: { core: 1366, memory: 2000 },
      pcie: { gen: 3, width: 16, maxWidth: 16 },
      computeCapability: null,
      gfxTarget: "gfx803",
      renderNode: "/dev/dri/renderD128",
      backends: [],
      mig: null,
      health: "ok",
      offerable: false,
      reasons: ["ROCm dropped this chip (gfx803) after version 4.0; it is monitored only."],
    },
  ])
})

test("RX 470 of a mining machine: the revision tells it from its brothers, an old kernel has no labels", async () => {
  const [card] = await lookAt("rx-470-mining")
  expect(card).toMatchObject({
    name: "AMD Radeon RX 470 Graphics",
    vramTotalMiB: 4096,
    temperatureC: 41,
    powerDrawW: 7.109,
    clocksMhz: { core: 300, memory: 300 },
    pcie: { gen: 1, width: 1, maxWidth: 1 },
    offerable: false,
  })
})

test("RX 5700 XT: the riser's x1 counts, not the x16 inside the package", async () => {
  const [card] = await lookAt("rx-5700-xt")
  expect(card).toMatchObject({
    name: "AMD Radeon RX 5700 XT",
    gfxTarget: "gfx1010",
    pcie: { gen: 1, width: 1, maxWidth: 16 },
    fanPct: 55,
    clocksMhz: { core: 1350, memory: 900 },
    offerable: false,
    reasons: ["ROCm does not support this chip (gfx1010); it is monitored only."],
  })
})

test("RX 6800 XT and RX 7900 XTX are offerable through ROCm, and keep the zeros of their ids", async () => {
  expect(await lookAt("rx-6800-xt")).toMatchObject([
    {
      name: "AMD Radeon RX 6800 XT",
      uuid: "0e2f7c1a93b45d68",
      gfxTarget: "gfx1030",
      fanPct: 0,
      driverVersion: null,
      pcie: { gen: 4, width: 16, maxWidth: 16 },
      backends: ["rocm"],
      health: "ok",
      offerable: true,
      reasons: [],
    },
  ])
  expect(await lookAt("rx-7900-xtx")).toMatchObject([
    {
      name: "AMD Radeon RX 7900 XTX",
      driverVersion: "6.10.5",
      clocksMhz: { core: 35, memory: 96 },
      backends: ["rocm"],
      offerable: true,
    },
  ])
})

test("ROCm needs /dev/kfd", async () => {
  const sysfs = await unpackRecorded("rx-6800-xt")
  const dev = path.join(sysfs, "dev")
  await mkdir(dev)
  const [without] = await look(sysfs, { dev })
  expect(without).toMatchObject({ backends: [], offerable: false, health: "ok" })
  expect(without?.reasons[0]).toContain("/dev/kfd")
  await writeFile(path.join(dev, "kfd"), "")
  expect((await look(sysfs, { dev }))[0]?.backends).toEqual(["rocm"])
})

test("ROCm needs a render node", async () => {
  const entries = (await recordedTree("rx-6800-xt"))
    .filter(({ place }) => !place.includes("renderD"))
    .map(entry => ({
      ...entry,
      content: entry.content.replace("drm_render_minor 128", "drm_render_minor 0"),
    }))
  const [card] = await look(await unpack(entries))
  expect(card).toMatchObject({ backends: [], offerable: false })
  expect(card?.reasons[0]).toContain("render node")
})

test("Radeon VII is well, the MI50 beside it has counted errors; without domain and target in KFD", async () => {
  const [vii, mi50] = await lookAt("radeon-vii-and-mi50")
  expect(vii).toMatchObject({ name: "AMD Radeon VII", gfxTarget: "gfx906", health: "ok", pcie: { width: 8 } })
  expect(mi50).toMatchObject({
    uuid: "017a4e10dc8b3342",
    vramTotalMiB: 32752,
    health: "degraded",
    offerable: false,
  })
  expect(mi50?.reasons[0]).toMatch(/^The card counted 2 errors/)
})

test("Vega 64 over its critical temperature is degraded", async () => {
  const [card] = await lookAt("vega-64")
  expect(card).toMatchObject({
    temperatureC: 87,
    health: "degraded",
    uuid: "02156fb3c4b4fbb1",
    gfxTarget: "gfx900",
  })
  expect(card?.reasons[0]).toContain("over its limit of 85 °C")
})

test("MI210: another PCI domain, the board's own name, the driver package's version, class 0380 and yet no APU", async () => {
  const [card] = await lookAt("mi210")
  expect(card).toMatchObject({
    name: "Instinct MI210",
    pciAddress: "0001:63:00.0",
    driverVersion: "6.8.5",
    gfxTarget: "gfx90a",
    vramTotalMiB: 65520,
    fanPct: null,
    health: "ok",
    backends: ["rocm"],
    offerable: true,
  })
})

test("the old radeon driver and the first GCN: listed, with null for what they do not tell", async () => {
  const [radeon] = await lookAt("hd-7970-radeon")
  expect(radeon).toMatchObject({
    vramTotalMiB: null,
    vramUsedMiB: null,
    utilizationPct: null,
    powerDrawW: null,
    temperatureC: 52,
    fanPct: 30,
    offerable: false,
    reasons: ["The old radeon driver reports neither memory nor load nor power, and no backend runs on it."],
  })
  const [gcn1] = await lookAt("r9-280x")
  expect(gcn1).toMatchObject({
    vramTotalMiB: 3072,
    utilizationPct: null,
    powerDrawW: null,
    clocksMhz: { core: 300, memory: 150 },
    offerable: false,
    reasons: [
      "Cards of the first GCN generation report neither load nor power, and no backend runs on them.",
    ],
  })
})

test("an APU with a carve-out is listed and not offerable; its target's stepping is hexadecimal", async () => {
  const [card] = await lookAt("renoir")
  expect(card).toMatchObject({
    vramTotalMiB: 512,
    powerDrawW: 9,
    gfxTarget: "gfx90c",
    offerable: false,
    health: "ok",
  })
  expect(card?.reasons).toEqual([
    "Graphics inside the processor share the machine's memory; they are monitored, but not offered.",
  ])
})

test("eight cards on risers: the dead one is lost, with what to do; the others are well", async () => {
  const cards = await lookAt("rx-570-rig")
  expect(cards.map(card => card.health)).toEqual(["ok", "ok", "ok", "ok", "ok", "lost", "ok", "ok"])
  expect(cards.map(card => card.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(cards[5]).toMatchObject({
    name: "AMD Radeon RX 570 Series",
    pciAddress: "0000:07:00.0",
    pciId: "1002:67df",
    pciRevision: "ef",
    vramTotalMiB: null,
    pcie: { gen: null, width: null, maxWidth: null },
    offerable: false,
  })
  expect(cards[5]?.reasons[0]).toContain("sudo modprobe amdgpu")
  expect(cards[7]).toMatchObject({ powerDrawW: 92.125, temperatureC: 62, pcie: { gen: 2, width: 1 } })
})

test("a card that answers only ones has fallen off the bus; its old readings do not count", async () => {
  const sysfs = await unpackRecorded("rx-6800-xt")
  const folder = "devices/pci0000:00/0000:00:03.1/0000:0a:00.0/0000:0b:00.0/0000:0c:00.0"
  await writeFile(path.join(sysfs, folder, "config"), Buffer.alloc(256, 0xff))
  const [card] = await look(sysfs)
  expect(card).toMatchObject({
    name: "AMD Radeon RX 6800 XT",
    vramTotalMiB: 16368,
    vramUsedMiB: null,
    temperatureC: null,
    powerDrawW: null,
    health: "lost",
    backends: [],
    offerable: false,
  })
  expect(card?.reasons[0]).toContain("riser")
})

test("a card held for a virtual machine is well and not offerable", async () => {
  const content = "DRIVER=vfio-pci\nPCI_CLASS=30000\nPCI_ID=1002:73BF\nPCI_SLOT_NAME=0000:0c:00.0\n"
  const [card] = await look(await unpack([{ place: "bus/pci/devices/0000:0c:00.0/uevent", content }]))
  expect(card).toMatchObject({ pciId: "1002:73bf", pciRevision: null, health: "ok", offerable: false })
  expect(card?.reasons).toEqual(["The card is held for a virtual machine by vfio-pci."])
})

test("reduced trees: what is there is told, the rest is null", async () => {
  const [old, card, unknown] = await lookAt("reduced")
  expect(old).toMatchObject({
    name: "Pitcairn XT [Radeon HD 7870 GHz Edition]",
    temperatureC: null,
    offerable: false,
  })
  expect(card).toMatchObject({
    name: "AMD Radeon RX 7600",
    vramTotalMiB: 8176,
    vramUsedMiB: null,
    pcie: { gen: 4, width: 8, maxWidth: null },
    gfxTarget: "gfx1102",
  })
  expect(unknown).toMatchObject({ name: null, gfxTarget: null, vramTotalMiB: 512, offerable: false })
  expect(unknown?.reasons[0]).toContain("inside the processor")
})

test("without any table of names there is no name, and no number in its place", async () => {
  expect((await look(await unpackRecorded("rx-580"), { idFiles: NO_FILES }))[0]?.name).toBeNull()
})

test("values that cannot be are not reported", async () => {
  const lies = new Map([
    ["temp1_input", "511000\n"],
    ["power1_average", "0\n"],
    ["power1_cap", "0\n"],
    ["gpu_busy_percent", "65535\n"],
    ["mem_info_vram_total", "0\n"],
    ["mem_info_vram_used", "-1\n"],
    ["unique_id", "0000000000000000\n"],
    ["current_link_width", "63\n"],
    ["max_link_width", "255\n"],
    ["current_link_speed", "Unknown\n"],
    ["product_name", "0x1002\n"],
    ["pwm1_max", "0\n"],
    ["fan1_max", "0\n"],
    ["properties", "location_id 3072\nunique_id 18446744073709551615\ngfx_target_version 100300\n"],
  ])
  const entries = (await recordedTree("rx-6800-xt")).map(entry => ({
    ...entry,
    content: lies.get(path.basename(entry.place)) ?? entry.content,
  }))
  const [card] = await look(await unpack(entries), { idFiles: NO_FILES })
  expect(card).toMatchObject({
    name: null,
    uuid: null,
    vramTotalMiB: null,
    vramUsedMiB: null,
    temperatureC: null,
    utilizationPct: null,
    powerDrawW: null,
    powerLimitW: null,
    fanPct: null,
    pcie: { gen: null, width: null, maxWidth: null },
  })
})

const MACHINES = [
  "rx-580",
  "rx-5700-xt",
  "rx-6800-xt",
  "mi210",
  "renoir",
  "radeon-vii-and-mi50",
  "hd-7970-radeon",
]

/** Every value of a card but the verdicts, by its path. */
function valuesOf({
  index,
  health,
  offerable,
  reasons,
  backends,
  ...gpu
}: DetectedGpu): Map<string, unknown> {
  const { clocksMhz, pcie, ...flat } = gpu
  const nested = [
    ...Object.entries(clocksMhz),
    ...Object.entries(pcie).map(([key, value]) => [`pcie.${key}`, value]),
  ]
  return new Map([...Object.entries(flat), ...nested] as [string, unknown][])
}

/** The second source of a value, where the first is missing: a less exact name or another sensor, never an invention. */
const SECOND_SOURCE = [
  ["revision"],
  ["product_name"],
  ["power1_average"],
  ["pp_dpm_sclk"],
  ["pp_dpm_mclk"],
  ["pwm1"],
  ["revision", "uevent", "subsystem_vendor"],
]

async function allowedValues(name: string): Promise<Map<string, Map<string, Set<unknown>>>> {
  const tree = await recordedTree(name)
  const links = ["current_link_speed", "current_link_width", "max_link_width"]
  const bridges = tree.filter(({ place }) => links.includes(path.basename(place))).map(({ place }) => place)
  // Without a bridge's links, those that are left count: so every part of the chain's values is one.
  const drops = [
    [],
    ...SECOND_SOURCE.map(names => tree.filter(e => names.includes(path.basename(e.place))).map(e => e.place)),
  ]
  const allowed = new Map<string, Map<string, Set<unknown>>>()
  for (const drop of [...drops, ...bridges.map(kept => bridges.filter(place => place !== kept))]) {
    for (const gpu of await look(await unpack(tree.filter(({ place }) => !drop.includes(place))))) {
      const place = gpu.pciAddress ?? ""
      const known = allowed.get(place) ?? new Map<string, Set<unknown>>()
      for (const [key, value] of valuesOf(gpu)) known.set(key, (known.get(key) ?? new Set([null])).add(value))
      allowed.set(place, known)
    }
  }
  return allowed
}

test.each(MACHINES)("%s: dropping files never invents a value, a backend or a card", async name => {
  const tree = await recordedTree(name)
  const allowed = await allowedValues(name)
  const offered = new Set(
    (await lookAt(name)).filter(gpu => gpu.backends.length > 0).map(gpu => gpu.pciAddress),
  )
  // Few files gone leave a card with holes; many gone leave hardly a card.
  const few = fc
    .subarray(tree, { minLength: 1, maxLength: 6 })
    .map(gone => tree.filter(e => !gone.includes(e)))
  await fc.assert(
    fc.asyncProperty(fc.oneof(few, fc.subarray(tree)), async kept => {
      for (const gpu of await look(await unpack(kept))) {
        if (gpu.pciAddress === null) continue
        for (const [key, value] of valuesOf(gpu)) {
          const known = allowed.get(gpu.pciAddress)?.get(key)
          expect(known?.has(value), `${key} = ${value}, known ${[...(known ?? [])]}`).toBe(true)
        }
        if (gpu.backends.length > 0) expect(offered.has(gpu.pciAddress)).toBe(true)
      }
    }),
    { numRuns: 25 },
  )
})

test("garbage in any file neither throws nor hides the other cards", async () => {
  const tree = await recordedTree("radeon-vii-and-mi50")
  const isSecond = ({ place }: Entry) => place.includes("0000:06:00.0")
  const wholeFirst = (await lookAt("radeon-vii-and-mi50"))[0]
  const garbage = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom(
      "",
      "\0",
      "-1",
      "0x",
      "NaN",
      "99999999999999999999",
      "*",
      "a=b\n=\n",
      "1: Mhz *",
      "x".repeat(70_000),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(garbage, { minLength: 1, maxLength: 10 }), async contents => {
      const spoiled = tree.map((entry, at) => {
        const isFile = isSecond(entry) && !entry.content.startsWith("@")
        const content = contents[at % contents.length] ?? ""
        return isFile ? { ...entry, content: content.startsWith("@") ? "" : content } : entry
      })
      const gpus = await look(await unpack(spoiled))
      expect(gpus.find(gpu => gpu.pciAddress === "0000:03:00.0")).toEqual(wholeFirst)
    }),
    { numRuns: 40 },
  )
})

test("no tree at all: no card, no problem", async () => {
  expect(await look("/nowhere")).toEqual([])
})
