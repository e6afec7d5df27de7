import { execFileSync } from "node:child_process"
import { mkdir, rm, symlink, writeFile } from "node:fs/promises"
import path from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { amdgpuName, pciName, readFirst, SYSTEM_ID_FILES } from "../../../../src/runtime/host/drm/id-files.ts"
import { hexOf, integerOf } from "../../../../src/runtime/host/drm/number.ts"
import { listPciCards } from "../../../../src/runtime/host/drm/pci-card.ts"
import { generationOf } from "../../../../src/runtime/host/drm/pcie-link.ts"
import { openSysfs } from "../../../../src/runtime/host/drm/sysfs.ts"
import { ID_FILES, unpack, unpackRecorded } from "./recorded-tree.ts"

const ids = (device: number, revision: number | null, subsystem: [number, number] | null = null) => ({
  vendor: 0x1002,
  device,
  revision,
  subsystemVendor: subsystem?.[0] ?? null,
  subsystemDevice: subsystem?.[1] ?? null,
  deviceClass: null,
})

test("reads text, and null for what is missing, empty, a folder, a pipe, or too long", async () => {
  const root = await unpack([
    { place: "a/value", content: " 42 \n" },
    { place: "a/empty", content: "\n" },
    { place: "a/huge", content: "x".repeat(70_000) },
    { place: "a/zeros", content: "\0\0\0" },
  ])
  execFileSync("mkfifo", [path.join(root, "a/pipe")])
  const sysfs = openSysfs(root)
  expect(await sysfs.text("a/value")).toBe("42")
  for (const place of ["a/none", "a/empty", "a/huge", "a/zeros", "a", "a/pipe", "a/value/more", "\0"]) {
    expect(await sysfs.text(place), place).toBeNull()
  }
  expect(await sysfs.list("none")).toEqual([])
  expect(await openSysfs(path.join(root, "none")).text("a/value")).toBeNull()
})

test("no path and no link leads out of the root", async () => {
  const outside = await unpack([{ place: "secret", content: "outside" }])
  const root = await unpack([{ place: "inside", content: "inside" }])
  await symlink(path.join(outside, "secret"), path.join(root, "file"))
  await symlink(outside, path.join(root, "folder"))
  // A sibling whose name begins like the root's is outside too.
  await mkdir(`${root}-sibling`)
  onTestFinished(() => rm(`${root}-sibling`, { recursive: true }))
  await writeFile(`${root}-sibling/secret`, "outside")
  await symlink(`${root}-sibling`, path.join(root, "sibling"))
  await symlink("loop", path.join(root, "loop"))
  const sysfs = openSysfs(root)
  for (const place of [
    "file",
    "folder/secret",
    "sibling/secret",
    `../${path.basename(outside)}/secret`,
    "loop",
  ]) {
    expect(await sysfs.text(place), place).toBeNull()
  }
  expect(await sysfs.list("folder")).toEqual([])
  expect(await sysfs.text("inside")).toBe("inside")
})

test("a card whose device link leaves the recorded tree is not followed", async () => {
  const elsewhere = await unpackRecorded("rx-580")
  const root = await unpack([
    {
      place: "class/drm/card0/device",
      content: `@${elsewhere}/devices/pci0000:00/0000:00:01.0/0000:01:00.0`,
    },
  ])
  expect(await listPciCards(openSysfs(root), 0x1002)).toEqual([])
})

test("numbers are numbers or null", () => {
  expect([integerOf("12"), integerOf("-3"), integerOf("0")]).toEqual([12, -3, 0])
  for (const text of [null, undefined, "", "1.5", "0x10", "1e3", "99999999999999999999", "12 W"]) {
    expect(integerOf(text)).toBeNull()
  }
  expect([hexOf("0x67df"), hexOf("67DF"), hexOf("xyz"), hexOf(null)]).toEqual([0x67df, 0x67df, null, null])
})

test("link speeds of all kernels", () => {
  const speeds = [
    "2.5 GT/s",
    "5 GT/s",
    "5.0 GT/s PCIe",
    "8.0 GT/s PCIe",
    "16.0 GT/s PCIe",
    "32.0 GT/s PCIe",
    "64.0 GT/s PCIe",
  ]
  expect(speeds.map(generationOf)).toEqual([1, 2, 2, 3, 4, 5, 6])
  for (const speed of [null, "", "Unknown", "7 GT/s", "Unknown speed"]) expect(generationOf(speed)).toBeNull()
})

test("names by device and revision, and by board", async () => {
  const amdgpu = await readFirst(ID_FILES.amdgpuIds)
  expect(amdgpuName(amdgpu, ids(0x67df, 0xcf))).toBe("AMD Radeon RX 470 Graphics")
  expect(amdgpuName(amdgpu, ids(0x67df, 0xe7))).toBe("AMD Radeon RX 580 Series")
  expect(amdgpuName(amdgpu, ids(0x744c, 0xc8))).toBe("AMD Radeon RX 7900 XTX")
  expect(amdgpuName(amdgpu, ids(0x67df, 0x01))).toBeNull()
  expect(amdgpuName(amdgpu, ids(0x67df, null))).toBeNull()
  const pci = await readFirst(["/nowhere/pci.ids", ...ID_FILES.pciIds])
  expect(pciName(pci, ids(0x67df, null))).toBe("Ellesmere [Radeon RX 470/480/570/570X/580/580X/590]")
  expect(pciName(pci, ids(0x67df, null, [0x1458, 0x22f7]))).toBe("Radeon RX 570 Gaming 4G")
  expect(pciName(pci, ids(0x67df, null, [0x1458, 0x0001]))).toMatch(/^Ellesmere/)
  expect(pciName(pci, { ...ids(0x67df, null), vendor: 0x8086 })).toBeNull()
  expect(pciName(pci, ids(0xffff, null))).toBeNull()
  expect(await readFirst(["/nowhere"])).toBe("")
  expect(SYSTEM_ID_FILES.amdgpuIds[0]).toBe("/usr/share/libdrm/amdgpu.ids")
})

test("cards on the bus without a graphics driver are found by their class; connectors and other devices are not cards", async () => {
  const rig = await listPciCards(openSysfs(await unpackRecorded("rx-570-rig")), 0x1002)
  expect(rig.map(card => card.pciAddress)).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map(bus => `0000:0${bus}:00.0`))
  expect(rig.map(card => card.driver)[5]).toBeNull()
  const busOnly = await unpack([
    {
      place: "bus/pci/devices/0000:03:00.0/uevent",
      content: "DRIVER=vfio-pci\nPCI_CLASS=120000\nPCI_ID=1002:74A1\n",
    },
    {
      place: "bus/pci/devices/0000:03:00.1/uevent",
      content: "DRIVER=snd_hda_intel\nPCI_CLASS=40300\nPCI_ID=1002:AB28\n",
    },
    { place: "bus/pci/devices/0000:04:00.0/vendor", content: "0x1002\n" },
    { place: "bus/pci/devices/0000:04:00.0/device", content: "0x67df\n" },
    { place: "bus/pci/devices/0000:04:00.0/class", content: "0x030000\n" },
  ])
  const cards = await listPciCards(openSysfs(busOnly), 0x1002)
  expect(cards.map(({ pciAddress, device, driver }) => ({ pciAddress, device, driver }))).toEqual([
    { pciAddress: "0000:03:00.0", device: 0x74a1, driver: "vfio-pci" },
    { pciAddress: "0000:04:00.0", device: 0x67df, driver: undefined },
  ])
})

test("an old kernel without a revision file: the configuration header has it", async () => {
  const config = Buffer.alloc(64)
  config.writeUInt16LE(0x1002, 0)
  config.writeUInt16LE(0x67df, 2)
  config.writeUInt32LE(0x030000e7, 8)
  const root = await unpack([
    { place: "class/drm/card0/device/uevent", content: "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:01:00.0\n" },
  ])
  await writeFile(path.join(root, "class/drm/card0/device/config"), config)
  const [card] = await listPciCards(openSysfs(root), 0x1002)
  expect(card).toMatchObject({ device: 0x67df, revision: 0xe7, deviceClass: 0x030000, offTheBus: false })
})
