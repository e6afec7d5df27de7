import { expect, test } from "vitest"
import { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { parseNvidiaSmi } from "../../../../src/runtime/host/nvidia/parse.ts"
import { card, recorded, recordings } from "./recorded.ts"

const slice = { uuid: null, profile: null, computeInstance: 0 }
const h100 = {
  name: "NVIDIA H100 80GB HBM3",
  driverVersion: "550.54.15",
  vramTotalMiB: 81559,
  powerLimitW: 700,
  clocksMhz: { core: 345, memory: 2619 },
  pcie: { gen: 5, width: 16, maxWidth: 16 },
}
const rtx5090 = {
  name: "NVIDIA GeForce RTX 5090",
  uuid: "GPU-88c1f2de-15cf-49d4-b2a0-0a2b2f6c9e57",
  pciAddress: "0000:01:00.0",
  pciId: "10de:2b85",
  vramTotalMiB: 32607,
  pcie: { gen: 5, width: 16, maxWidth: 16 },
}

const EXPECTED: Record<string, DetectedGpu[]> = {
  "gtx-1080-ti-384.xml": [
    card({
      name: "GeForce GTX 1080 Ti",
      uuid: "GPU-1c52e1d4-7d5b-8a0c-0e0a-6f5c2a9b1f30",
      pciAddress: "0000:01:00.0",
      pciId: "10de:1b06",
      vramTotalMiB: 11172,
      vramUsedMiB: 312,
      driverVersion: "384.111",
      temperatureC: 41,
      utilizationPct: 2,
      powerDrawW: 16.87,
      powerLimitW: 250,
      fanPct: 23,
      clocksMhz: { core: 139, memory: 405 },
      pcie: { gen: 1, width: 16, maxWidth: 16 },
    }),
  ],
  "p106-100-390.xml": [
    card({
      name: "P106-100",
      uuid: "GPU-6c3da0a9-2bfb-33b9-c7d1-73c2ce3b36f1",
      pciAddress: "0000:01:00.0",
      pciId: "10de:1c07",
      vramTotalMiB: 6080,
      vramUsedMiB: 10,
      driverVersion: "390.59",
      temperatureC: 36,
      utilizationPct: 0,
      powerDrawW: 7.11,
      powerLimitW: 120,
      fanPct: 55,
      clocksMhz: { core: 139, memory: 405 },
      pcie: { gen: 1, width: 1, maxWidth: 16 },
    }),
    card({
      index: 1,
      name: "P106-100",
      uuid: "GPU-02b7b2c4-5f5a-1b24-97a1-6e40c05de2b7",
      pciAddress: "0000:02:00.0",
      pciId: "10de:1c07",
      vramTotalMiB: 6080,
      vramUsedMiB: 10,
      driverVersion: "390.59",
      powerLimitW: 120,
      clocksMhz: { core: 139, memory: 405 },
      health: "degraded",
      offerable: false,
      reasons: [
        "The driver gets an error instead of this card's fan, power. Restart the machine; if it comes back, check the card's riser, power cables and fans.",
        "Its compute mode is Prohibited. Run `sudo nvidia-smi -c DEFAULT`.",
      ],
    }),
  ],
  "rtx-2080-ti-430.xml": [
    card({
      name: "GeForce RTX 2080 Ti",
      uuid: "GPU-5f9e0c33-91b2-4d20-b6c1-2b40d5a66e11",
      pciAddress: "0000:0a:00.0",
      pciId: "10de:1e04",
      vramTotalMiB: 10989,
      vramUsedMiB: 8120,
      driverVersion: "430.26",
      temperatureC: 76,
      utilizationPct: 99,
      powerDrawW: 248.31,
      powerLimitW: 260,
      fanPct: 41,
      clocksMhz: { core: 1725, memory: 6800 },
      pcie: { gen: 3, width: 16, maxWidth: 16 },
    }),
  ],
  "rtx-2080-super-465.xml": [
    card({
      name: "NVIDIA GeForce RTX 2080 SUPER",
      uuid: "GPU-b0e2c7aa-3f61-47c8-9a15-50a6f3f5a9d2",
      pciAddress: "0000:21:00.0",
      pciId: "10de:1e81",
      vramTotalMiB: 7979,
      vramUsedMiB: 1,
      driverVersion: "465.27",
      temperatureC: 33,
      utilizationPct: 0,
      powerDrawW: 5.02,
      powerLimitW: 250,
      fanPct: 0,
      clocksMhz: { core: 300, memory: 405 },
      pcie: { gen: 1, width: 8, maxWidth: 16 },
    }),
  ],
  "rtx-3090-470.xml": [
    card({
      name: "NVIDIA GeForce RTX 3090",
      uuid: "GPU-e2b71a05-64bd-1a5e-1f6d-7b20be5bb8a0",
      pciAddress: "0000:0b:00.0",
      pciId: "10de:2204",
      vramTotalMiB: 24268,
      vramUsedMiB: 21014,
      driverVersion: "470.74",
      temperatureC: 88,
      utilizationPct: 100,
      powerDrawW: 301.75,
      powerLimitW: 300,
      fanPct: 71,
      clocksMhz: { core: 1335, memory: 9501 },
      pcie: { gen: 4, width: 16, maxWidth: 16 },
      health: "degraded",
      reasons: [
        "It is too hot and slows itself down. Clean its fans, give it air, or lower its power limit.",
      ],
    }),
  ],
  "cmp-170hx-470.xml": [
    card({
      name: "NVIDIA CMP 170HX",
      uuid: "GPU-d18a5c70-0f1d-7d66-4cd8-a0a11ec3e8f5",
      pciAddress: "0000:04:00.0",
      pciId: "10de:2082",
      vramTotalMiB: 8118,
      vramUsedMiB: 4410,
      driverVersion: "470.94",
      temperatureC: 62,
      utilizationPct: 100,
      powerDrawW: 186.42,
      powerLimitW: 250,
      clocksMhz: { core: 1140, memory: 1458 },
      pcie: { gen: 1, width: 1, maxWidth: 4 },
    }),
  ],
  "rtx-3080-laptop-525.xml": [
    card({
      name: "NVIDIA GeForce RTX 3080 Laptop GPU",
      uuid: "GPU-9b57a4fe-0fa9-6b87-7dd5-44b9f15d0ad4",
      pciAddress: "0000:01:00.0",
      pciId: "10de:249c",
      vramTotalMiB: 8192,
      vramUsedMiB: 9,
      driverVersion: "525.78.01",
      temperatureC: 47,
      utilizationPct: 0,
      powerDrawW: 17.4,
      clocksMhz: { core: 210, memory: 405 },
      pcie: { gen: 4, width: 8, maxWidth: 16 },
    }),
  ],
  "a100-mig-525.xml": [
    card({
      name: "NVIDIA A100-SXM4-40GB",
      uuid: "GPU-4cf8db2d-06c0-7d70-1a51-e59b25b2c16c",
      pciAddress: "0000:07:00.0",
      pciId: "10de:20b0",
      vramTotalMiB: 40960,
      vramUsedMiB: 25,
      driverVersion: "525.85.12",
      temperatureC: 34,
      powerDrawW: 52.66,
      powerLimitW: 400,
      clocksMhz: { core: 1095, memory: 1215 },
      pcie: { gen: 4, width: 16, maxWidth: 16 },
      mig: [
        { ...slice, gpuInstance: 1, vramTotalMiB: 19968, vramUsedMiB: 12 },
        { ...slice, gpuInstance: 5, vramTotalMiB: 9856, vramUsedMiB: 6 },
        { ...slice, gpuInstance: 13, vramTotalMiB: null, vramUsedMiB: null },
      ],
    }),
  ],
  "rtx-4090-535.xml": [
    card({
      name: "NVIDIA GeForce RTX 4090",
      uuid: "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9",
      pciAddress: "0000:01:00.0",
      pciId: "10de:2684",
      vramTotalMiB: 24564,
      vramUsedMiB: 17850,
      driverVersion: "535.129.03",
      temperatureC: 63,
      utilizationPct: 97,
      powerDrawW: 387.12,
      powerLimitW: 450,
      fanPct: 30,
      clocksMhz: { core: 2745, memory: 10501 },
      pcie: { gen: 4, width: 16, maxWidth: 16 },
    }),
  ],
  "wsl2-rtx-3060-546.xml": [
    card({
      name: "NVIDIA GeForce RTX 3060",
      uuid: "GPU-2f84c1bb-b1c6-a3a4-1a06-09c0c0f1a0fd",
      pciAddress: "0000:01:00.0",
      pciId: "10de:2503",
      vramTotalMiB: 12288,
      vramUsedMiB: 1190,
      driverVersion: "546.33",
      temperatureC: 44,
      powerLimitW: 170,
      fanPct: 0,
      clocksMhz: { core: 210, memory: 405 },
      pcie: { gen: 3, width: 16, maxWidth: 16 },
    }),
  ],
  "h100-mig-550.xml": [
    card({
      ...h100,
      uuid: "GPU-7a1c6f80-3e0c-15ca-8b9d-90fdc0d3ab13",
      pciAddress: "0000:19:00.0",
      pciId: "10de:2330",
      vramUsedMiB: 50,
      temperatureC: 31,
      powerDrawW: 70.91,
      mig: [
        { ...slice, gpuInstance: 2, vramTotalMiB: 40320, vramUsedMiB: 38 },
        { ...slice, gpuInstance: 9, vramTotalMiB: 9984, vramUsedMiB: 12 },
      ],
    }),
    card({
      ...h100,
      index: 1,
      uuid: "GPU-c3dfab11-94a1-6b52-2f37-8c3fb4ef1230",
      pciAddress: "0000:3b:00.0",
      pciId: "10de:2330",
      vramUsedMiB: 0,
      temperatureC: 30,
      powerDrawW: 69.03,
      mig: [],
      offerable: false,
      reasons: [
        "MIG is on but it has no instances. Make some (`sudo nvidia-smi mig -cgi <profile> -C`) or turn MIG off (`sudo nvidia-smi -mig 0`).",
      ],
    }),
  ],
  "gh200-550.xml": [
    card({
      name: "NVIDIA GH200 480GB",
      uuid: "GPU-a9d3f3a0-72f5-5e49-8a15-1b7a53b2f4c1",
      pciAddress: "0009:01:00.0",
      pciId: "10de:2342",
      vramTotalMiB: 97871,
      vramUsedMiB: 512,
      driverVersion: "550.90.07",
      temperatureC: 38,
      utilizationPct: 0,
      powerDrawW: 91.55,
      powerLimitW: 900,
      clocksMhz: { core: 1980, memory: 2619 },
      pcie: { gen: 5, width: 16, maxWidth: 16 },
      health: "degraded",
      offerable: false,
      reasons: [
        "Damaged memory waits to be mapped around. Restart the machine.",
        "Its memory had errors that could not be corrected since the last start, so results may be wrong. Restart the machine; if they come back, have the card replaced.",
      ],
    }),
  ],
  "gtx-1660-lost-550.xml": [
    card({
      name: "NVIDIA GeForce GTX 1660 SUPER",
      uuid: "GPU-c7a6ab2e-83cb-f7d8-5a35-7bd5dbd4f3a1",
      pciAddress: "0000:01:00.0",
      pciId: "10de:21c4",
      vramTotalMiB: 6144,
      vramUsedMiB: 3,
      driverVersion: "550.100",
      temperatureC: 35,
      utilizationPct: 0,
      powerLimitW: 125,
      fanPct: 50,
      clocksMhz: { core: 300, memory: 405 },
      pcie: { gen: 1, width: 1, maxWidth: 16 },
    }),
    card({
      index: 1,
      name: "NVIDIA GeForce GTX 1660 SUPER",
      pciAddress: "0000:02:00.0",
      driverVersion: "550.100",
      backends: [],
      health: "lost",
      offerable: false,
      reasons: [
        "The driver has lost this card. Restart the machine; if it comes back, switch off, reseat the card and check its riser and power cables.",
      ],
    }),
  ],
  "t4-570.xml": [
    card({
      name: "Tesla T4",
      uuid: "GPU-31fe4ac7-2d8f-9f38-8a56-2c1f6b0f7d44",
      pciAddress: "0000:00:1e.0",
      pciId: "10de:1eb8",
      vramTotalMiB: 15360,
      vramUsedMiB: 1032,
      driverVersion: "570.124.06",
      temperatureC: 40,
      utilizationPct: 12,
      powerDrawW: 26.78,
      powerLimitW: 70,
      clocksMhz: { core: 585, memory: 5000 },
      pcie: { gen: 3, width: 8, maxWidth: 16 },
      health: "degraded",
      reasons: ["Damaged memory waits to be retired. Restart the machine."],
    }),
  ],
  "rtx-5090-580.xml": [
    card({
      ...rtx5090,
      vramUsedMiB: 2,
      driverVersion: "580.76.05",
      temperatureC: 29,
      utilizationPct: 0,
      powerDrawW: 14.85,
      powerLimitW: 575,
      fanPct: 0,
      clocksMhz: { core: 180, memory: 405 },
    }),
  ],
  "rtx-5090-610.xml": [
    card({
      ...rtx5090,
      vramUsedMiB: 30011,
      driverVersion: "610.43.02",
      temperatureC: 66,
      utilizationPct: 100,
      powerDrawW: 431.2,
      powerLimitW: 450,
      fanPct: 38,
      clocksMhz: { core: 2610, memory: 14001 },
    }),
  ],
  "rig-one-lost-515.xml": Array.from({ length: 8 }, (_, index) =>
    index === 3
      ? card({
          index,
          pciAddress: "0000:04:00.0",
          driverVersion: "515.65.01",
          backends: [],
          health: "lost",
          offerable: false,
          reasons: [
            "The driver has lost this card. Restart the machine; if it comes back, switch off, reseat the card and check its riser and power cables. nvidia-smi says: Unable to determine the device handle for GPU 0000:04:00.0: GPU is lost. Reboot the system to recover this GPU.",
          ],
        })
      : card({
          index,
          name: "NVIDIA GeForce RTX 3070",
          uuid: `GPU-aaaaaaa${index}-1111-2222-3333-44444444444${index}`,
          pciAddress: `0000:0${index + 1}:00.0`,
          driverVersion: "515.65.01",
          vramTotalMiB: 7982,
          vramUsedMiB: 100 + index,
          temperatureC: 50 + index,
          powerDrawW: 110.5 + index,
          powerLimitW: 130,
          fanPct: 60 + index,
        }),
  ),
}

test.each(recordings())("%s is read as it is", file => {
  const { gpus, problems } = parseNvidiaSmi(recorded(file))
  expect(gpus).toEqual(EXPECTED[file])
  expect(problems).toEqual([])
  for (const gpu of gpus) DetectedGpu.parse(gpu)
})

test("a driver that refuses altogether is a problem with a remedy", () => {
  const said = {
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.":
      "modprobe nvidia",
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183":
      "restart the machine",
    "No devices were found": "lspci",
    "Failed to initialize NVML: Insufficient Permissions": "sudo",
  }
  for (const [output, remedy] of Object.entries(said)) {
    const { gpus, problems } = parseNvidiaSmi(`${output}\n`)
    expect(gpus).toEqual([])
    expect(problems[0]).toMatchObject({ source: "nvidia-smi", hint: expect.stringContaining(remedy) })
  }
})

test.each([
  [
    "Unable to determine the device handle for GPU0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU",
    0,
    "0000:02:00.0",
  ],
  ["Unable to determine the device handle for GPU 0000:0A:00.0: Not Found", 0, "0000:0a:00.0"],
  ["Unable to determine the device handle for GPU3: 0000:5F:00.0: Unknown Error", 3, "0000:5f:00.0"],
  ["Unable to determine the device handle for gpu 00000000:81:00.0: Unknown Error", 0, "0000:81:00.0"],
  ["Unable to determine the device handle for GPU2: Unknown Error", 2, null],
])("%s", (line, index, pciAddress) => {
  const { gpus, problems } = parseNvidiaSmi(line)
  expect(gpus).toMatchObject([{ index, pciAddress, health: "lost", offerable: false, backends: [] }])
  expect(problems).toEqual([])
})

test("more cards attached than printed is a problem", () => {
  const output = recorded("rtx-4090-535.xml").replace("<attached_gpus>1<", "<attached_gpus>2<")
  expect(parseNvidiaSmi(output).problems).toMatchObject([
    { message: "The driver counts 2 NVIDIA cards, but only 1 could be read." },
  ])
})
