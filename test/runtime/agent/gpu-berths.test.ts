import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { isFault } from "../../../src/protocol/fault.ts"
import { chooseGpus, gpuBerths } from "../../../src/runtime/agent/gpu-berths.ts"
import { type DetectedGpu, UNREPORTED } from "../../../src/runtime/host/gpu.ts"

const uuid = (digit: number) => `GPU-${String(digit).repeat(7)}f-0000-4000-8000-000000000000`

function nvidia(index: number, known: Partial<DetectedGpu> = {}): DetectedGpu {
  return {
    ...UNREPORTED,
    index,
    vendor: "nvidia",
    name: "NVIDIA GeForce RTX 3060",
    uuid: uuid(index),
    pciAddress: `0000:0${index}:00.0`,
    vramTotalMiB: 12_288,
    backends: ["cuda"],
    health: "ok",
    offerable: true,
    reasons: [],
    ...known,
  }
}

const LOST = nvidia(2, { health: "lost", offerable: false, reasons: ["It is lost. Reseat it."] })
const RIG = [nvidia(0), nvidia(1), LOST]
const DOCKER = { name: "docker", cdiDevices: [] } as const

function faultOf(action: () => unknown) {
  try {
    action()
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error("nothing was thrown")
}

test("all takes the cards that can work and says why not the others", () => {
  const { cards, passedOver } = chooseGpus(RIG, "all", DOCKER)
  expect(cards.map(({ identity }) => identity)).toEqual([uuid(0), uuid(1)])
  expect(passedOver).toMatchObject([{ identity: uuid(2), reason: "It is lost. Reseat it." }])
})

test("cards are named by number, UUID or PCI address, with or without domain, and count once", () => {
  for (const name of ["1", uuid(1), uuid(1).toUpperCase(), "0000:01:00.0", "01:00.0"]) {
    expect(chooseGpus(RIG, [name], DOCKER).cards.map(({ gpu }) => gpu.index)).toEqual([1])
  }
  expect(chooseGpus(RIG, ["1", uuid(1)], DOCKER).cards).toHaveLength(1)
  expect(chooseGpus(RIG, "none", DOCKER).cards).toEqual([])
})

test("a card that was named and is not there, is not one, or cannot work is refused", () => {
  expect(faultOf(() => chooseGpus(RIG, ["7"], DOCKER))).toMatchObject({ code: "gpu-unusable" })
  expect(faultOf(() => chooseGpus(RIG, ["0", "2"], DOCKER)).message).toContain("It is lost. Reseat it.")
  const twins = [nvidia(0, { uuid: uuid(5) }), nvidia(1, { uuid: uuid(5) })]
  expect(faultOf(() => chooseGpus(twins, [uuid(5)], DOCKER)).message).toContain("Several")
})

test("an NVIDIA card without a UUID is passed over: a number may mean another card tomorrow", () => {
  const { cards, passedOver } = chooseGpus([nvidia(0, { uuid: null })], "all", DOCKER)
  expect(cards).toEqual([])
  expect(passedOver[0]?.reason).toContain("UUID")
})

test("a card is given through CDI where the engine knows it by that name, else through --gpus", async () => {
  const { cards } = chooseGpus(RIG, "all", DOCKER)
  const berths = await gpuBerths(cards, {
    ...DOCKER,
    cdiDevices: [`nvidia.com/gpu=${uuid(1)}`, "nvidia.com/gpu=all"],
  })
  expect(berths).toMatchObject([
    {
      berth: { slot: uuid(0), placement: { device: "cuda", uuid: uuid(0), through: "gpus" } },
      vramMiB: 12_288,
    },
    { berth: { placement: { through: "cdi" } } },
  ])
  expect(berths[0]?.berth.gpus).toEqual([
    { uuid: uuid(0), pciAddress: "0000:00:00.0", model: "NVIDIA GeForce RTX 3060" },
  ])
})

test("Podman takes the cards that a CDI specification names, and the others are passed over with the way to make one", async () => {
  const podman = { name: "podman", cdiDevices: [`nvidia.com/gpu=${uuid(1)}`] } as const
  const { cards, passedOver } = chooseGpus([nvidia(0), nvidia(1)], "all", podman)
  expect(passedOver).toMatchObject([
    { gpu: { index: 0 }, reason: expect.stringContaining("nvidia-ctk cdi generate") },
  ])
  expect(await gpuBerths(cards, podman)).toMatchObject([
    { berth: { placement: { uuid: uuid(1), through: "cdi" } } },
  ])
  expect(faultOf(() => chooseGpus([nvidia(0)], ["0"], podman))).toMatchObject({ code: "gpu-unusable" })
})

test("a card that is cut into slices is served slice by slice, and has no telemetry of one slice", async () => {
  const slice = (digit: number) => ({
    uuid: `MIG-${String(digit).repeat(8)}-0000-4000-8000-000000000000`,
    gpuInstance: digit,
    computeInstance: 0,
    profile: "1g.10gb",
    vramTotalMiB: 9984,
    vramUsedMiB: 1,
  })
  const cut = nvidia(0, { mig: [slice(1), slice(2), { ...slice(3), uuid: null }] })
  const berths = await gpuBerths(chooseGpus([cut], "all", DOCKER).cards, DOCKER)
  expect(berths.map(({ berth, vramMiB, identity }) => [berth.slot, vramMiB, identity])).toEqual([
    [slice(1).uuid, 9984, null],
    [slice(2).uuid, 9984, null],
  ])
  expect(chooseGpus([nvidia(0, { mig: [] })], "all", DOCKER).passedOver).toHaveLength(1)
})

test("an AMD card is given by its render node and the number of that node's group", async () => {
  const renderNode = join(mkdtempSync(join(tmpdir(), "zg-render-")), "renderD128")
  writeFileSync(renderNode, "")
  const card = nvidia(0, { vendor: "amd", uuid: null, backends: ["rocm"], renderNode })
  const [berth] = await gpuBerths(chooseGpus([card], "all", DOCKER).cards, DOCKER)
  expect(berth?.berth).toMatchObject({
    slot: "pci:0000:00:00.0",
    placement: { device: "rocm", renderNode, group: process.getgid?.() },
  })
})
