import type { Group, Rates } from "./model.ts"

/** 64 lanes, for 16 bits no more. */
const POLARIS: Rates = { fp32: 128, fp16: 128, matrix: null }
/** 64 lanes, two numbers of 16 bits in each; the same in Vega 20, RDNA and RDNA 2. */
const PACKED: Rates = { fp32: 128, fp16: 256, matrix: null }
/** Two instructions at once in each lane, and matrices. AMD's figure for 16 bits is that of the matrices. */
const RDNA3: Rates = { fp32: 256, fp16: null, matrix: 512 }

/**
 * One device id covers several cards, which their revisions tell apart (libdrm's `amdgpu.ids`). Left out are those that these do not tell
 * apart: RX Vega 56 and 64, MI50 and MI60.
 */
export const RADEON: readonly Group[] = [
  {
    source: "amd.com, specifications of the Radeon RX 400 series",
    rates: POLARIS,
    models: [
      {
        ...{ card: "Radeon RX 470", ids: ["1002:67df:cf"], units: 32, boostMhz: 1206 },
        ...{ memory: [256, 6.6], vramGiB: 4 },
      },
      {
        ...{ card: "Radeon RX 480", ids: ["1002:67df:c7"], units: 36, boostMhz: 1266 },
        ...{ memory: [256, 8], vramGiB: 8 },
      },
    ],
  },
  {
    source: "amd.com, specifications of the Radeon RX 500 series",
    rates: POLARIS,
    models: [
      { card: "Radeon RX 570", ids: ["1002:67df:ef"], units: 32, boostMhz: 1244, memory: [256, 7] },
      {
        ...{ card: "Radeon RX 580", ids: ["1002:67df:e7"], units: 36, boostMhz: 1340 },
        ...{ memory: [256, 8], vramGiB: 8 },
      },
      { card: "Radeon RX 590", ids: ["1002:67df:e1"], units: 36, boostMhz: 1545, memory: [256, 8] },
    ],
  },
  {
    source: "amd.com, specifications of the Radeon VII",
    rates: PACKED,
    models: [{ card: "Radeon VII", ids: ["1002:66af:c1"], units: 60, boostMhz: 1750, memory: [4096, 2] }],
  },
  {
    source: "amd.com, specifications of the Radeon RX 5000 series",
    rates: PACKED,
    models: [
      { card: "Radeon RX 5700", ids: ["1002:731f:c4"], units: 36, boostMhz: 1725, memory: [256, 14] },
      { card: "Radeon RX 5700 XT", ids: ["1002:731f:c1"], units: 40, boostMhz: 1905, memory: [256, 14] },
    ],
  },
  {
    source: "amd.com, specifications of the Radeon RX 6000 series",
    rates: PACKED,
    models: [
      { card: "Radeon RX 6600", ids: ["1002:73ff:c7"], units: 28, boostMhz: 2491, memory: [128, 14] },
      { card: "Radeon RX 6600 XT", ids: ["1002:73ff:c1"], units: 32, boostMhz: 2589, memory: [128, 16] },
      { card: "Radeon RX 6700 XT", ids: ["1002:73df:c1"], units: 40, boostMhz: 2581, memory: [192, 16] },
      { card: "Radeon RX 6800", ids: ["1002:73bf:c3"], units: 60, boostMhz: 2105, memory: [256, 16] },
      { card: "Radeon RX 6800 XT", ids: ["1002:73bf:c1"], units: 72, boostMhz: 2250, memory: [256, 16] },
      { card: "Radeon RX 6900 XT", ids: ["1002:73bf:c0"], units: 80, boostMhz: 2250, memory: [256, 16] },
    ],
  },
  {
    source: "amd.com, specifications of the Radeon RX 7000 series",
    rates: RDNA3,
    models: [
      { card: "Radeon RX 7600", ids: ["1002:7480:cf"], units: 32, boostMhz: 2655, memory: [128, 18] },
      { card: "Radeon RX 7700 XT", ids: ["1002:747e:ff"], units: 54, boostMhz: 2544, memory: [192, 18] },
      { card: "Radeon RX 7800 XT", ids: ["1002:747e:c8"], units: 60, boostMhz: 2430, memory: [256, 19.5] },
      { card: "Radeon RX 7900 XT", ids: ["1002:744c:cc"], units: 84, boostMhz: 2400, memory: [320, 20] },
      { card: "Radeon RX 7900 XTX", ids: ["1002:744c:c8"], units: 96, boostMhz: 2500, memory: [384, 20] },
    ],
  },
]
