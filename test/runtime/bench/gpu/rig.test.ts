import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { filesToSeal, minorIn } from "../../../../src/runtime/bench/gpu/device-files.ts"
import { berthFor, openRig, withinMemory } from "../../../../src/runtime/bench/gpu/rig.ts"
import { canSeal, sealed } from "../../../../src/runtime/bench/gpu/seal.ts"
import { skip } from "../../../contract/skip.ts"
import { gpu, NOTHING } from "./brief.ts"

const MIB = 2 ** 20
const [first, second] = [gpu({ pciAddress: "0000:01:00.0" }), gpu({ pciAddress: "0000:02:00.0" })]
const radeon = gpu({ vendor: "amd", pciAddress: "0000:03:00.0" })
const signal = () => AbortSignal.timeout(20_000)
/** A device that any system has and no card needs. */
const DEVICE = "/dev/full"

test("device files are found by the place on the bus, and NVIDIA's by the driver's number", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-rig-"))
  const nodes = (address: string, names: string[]) =>
    names.map(name => mkdir(join(root, `bus/pci/devices/${address}/drm`, name), { recursive: true }))
  await Promise.all([
    ...nodes("0000:01:00.0", ["card1", "renderD128"]),
    ...nodes("0000:03:00.0", ["card2", "controlD64", "renderD130"]),
  ])
  for (const [address, minor] of [
    ["0000:01:00.0", 4],
    ["0000:02:00.0", 0],
  ]) {
    await mkdir(join(root, `driver/nvidia/gpus/${address}`), { recursive: true })
    await writeFile(
      join(root, `driver/nvidia/gpus/${address}/information`),
      `Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 152\nDevice Minor: \t ${minor}\nGPU Excluded:\t No\n`,
    )
  }
  const placeless = gpu()
  const { cards } = await openRig([first, second, radeon, placeless], { sysfs: root, proc: root })
  expect(cards.map(({ files }) => files)).toEqual([
    ["/dev/dri/card1", "/dev/dri/renderD128", "/dev/nvidia4"],
    ["/dev/nvidia0"],
    ["/dev/dri/card2", "/dev/dri/renderD130"],
    null,
  ])
  expect(filesToSeal(cards.slice(0, 3), first)).toEqual([
    "/dev/nvidia0",
    "/dev/dri/card2",
    "/dev/dri/renderD130",
  ])
  // A card whose files are not known could be seen all the same.
  expect(filesToSeal(cards, first)).toBeNull()
  expect(filesToSeal(cards.slice(0, 3), placeless)).toBeNull()
  await rm(root, { recursive: true })
})

test("a driver that does not tell its number is not guessed at", () => {
  expect(minorIn("Device Minor: \t 12\n")).toBe(12)
  expect(minorIn("Device Minor: \t N/A\n")).toBeNull()
  expect(minorIn(null)).toBeNull()
})

test("a sealed program cannot open the device, and nobody else notices", async context => {
  const isRoot = process.getuid?.() === 0
  if (!(await canSeal([DEVICE], isRoot, signal()))) {
    skip(context, "this system lets nobody make a mount namespace")
  }
  const read = ["head", "-c", "1", DEVICE] as const
  const [program, ...args] = sealed(read, [DEVICE], isRoot)
  const { exitCode, stderr } = await execa(program, args, { reject: false })
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining("Permission denied") })
  const [open, ...others] = sealed(read, ["/dev/zero"], isRoot)
  expect((await execa(open, others, { reject: false })).exitCode).toBe(0)
  expect((await execa("head", ["-c", "1", DEVICE])).exitCode).toBe(0)
  expect(await canSeal(["/dev/no-such-device"], isRoot, signal())).toBe(false)
})

test("a card's berth puts the others out of reach, or claims nothing", async context => {
  const isRoot = process.getuid?.() === 0
  if (!(await canSeal([DEVICE], isRoot, signal()))) {
    skip(context, "this system lets nobody make a mount namespace")
  }
  const rig = (file: string) => ({
    cards: [
      { gpu: first, files: ["/dev/nvidia7"] },
      { gpu: second, files: [file] },
    ],
    isRoot,
  })
  const berth = await berthFor(rig(DEVICE), first, NOTHING, signal())
  expect(berth.task.wanted).toMatchObject({ kind: "card", sealed: [DEVICE], others: [{ vendor: "nvidia" }] })
  expect(berth.wrap?.(["true"])).toEqual(sealed(["true"], [DEVICE], isRoot))
  const open = await berthFor(rig("/dev/no-such-device"), first, NOTHING, signal())
  expect(open.task.wanted).toMatchObject({ sealed: [] })
  expect(open.wrap).toBeUndefined()
})

test("no more memory is asked for than the card has left", () => {
  const plan = { ...NOTHING, arrayBytes: 512 * MIB, vram: { limitBytes: null, seconds: 0 } }
  expect(withinMemory(plan, gpu()).vram?.limitBytes).toBeNull()
  const large = withinMemory(plan, gpu({ vramTotalMiB: 24_576, vramUsedMiB: 576 }))
  expect(large.vram?.limitBytes).toBe(Math.floor(24_000 * MIB - 0.05 * 24_576 * MIB))
  expect(large.arrayBytes).toBe(512 * MIB)
  const small = withinMemory(plan, gpu({ vramTotalMiB: 1280, vramUsedMiB: 0 }))
  expect(small).toMatchObject({ arrayBytes: 256 * MIB, vram: { limitBytes: 1024 * MIB } })
  const full = withinMemory(plan, gpu({ vramTotalMiB: 2048, vramUsedMiB: 2040 }))
  expect(full).toMatchObject({ arrayBytes: MIB, vram: { limitBytes: 0 } })
})
