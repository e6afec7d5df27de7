import type { Group, Rates } from "./model.ts"

/** GP102: as GeForce's. */
const PASCAL: Rates = { fp32: 256, fp16: null, matrix: null }
const GP100: Rates = { fp32: 128, fp16: 256, matrix: null }
/** Tensor cores of these cards add up in 32 bits at full speed. */
const VOLTA_AND_TURING: Rates = { fp32: 128, fp16: 256, matrix: 1024 }
const GA100: Rates = { fp32: 128, fp16: 512, matrix: 2048 }
const GA102_AND_ADA: Rates = { fp32: 256, fp16: 256, matrix: 1024 }
const HOPPER: Rates = { fp32: 256, fp16: 512, matrix: 4096 }

/** NVIDIA's cards for servers and workstations. */
export const NVIDIA_SERVERS: readonly Group[] = [
  {
    source: "NVIDIA Tesla P40 product brief",
    rates: PASCAL,
    models: [{ card: "Tesla P40", ids: ["10de:1b38"], units: 30, boostMhz: 1531, memory: [384, 7.2] }],
  },
  {
    source: "NVIDIA Tesla P100 whitepaper and datasheet",
    rates: GP100,
    models: [
      { card: "Tesla P100 PCIe 12GB", ids: ["10de:15f7"], units: 56, boostMhz: 1303, memory: [3072, 1.43] },
      { card: "Tesla P100 PCIe 16GB", ids: ["10de:15f8"], units: 56, boostMhz: 1303, memory: [4096, 1.43] },
      { card: "Tesla P100 SXM2 16GB", ids: ["10de:15f9"], units: 56, boostMhz: 1480, memory: [4096, 1.43] },
    ],
  },
  {
    source: "NVIDIA Tesla V100 whitepaper and datasheet",
    rates: VOLTA_AND_TURING,
    models: [
      {
        ...{ card: "Tesla V100 SXM2", ids: ["10de:1db1", "10de:1db5"], units: 80, boostMhz: 1530 },
        memory: [4096, 1.755],
      },
      {
        ...{ card: "Tesla V100 PCIe", ids: ["10de:1db4", "10de:1db6"], units: 80, boostMhz: 1380 },
        memory: [4096, 1.755],
      },
    ],
  },
  {
    source: "NVIDIA Turing GPU Architecture whitepaper, comparison of Tesla P4 and T4",
    rates: VOLTA_AND_TURING,
    models: [{ card: "Tesla T4", ids: ["10de:1eb8"], units: 40, boostMhz: 1590, memory: [256, 10] }],
  },
  {
    source: "NVIDIA A100 whitepaper and datasheet",
    rates: GA100,
    models: [
      { card: "A100 SXM4 40GB", ids: ["10de:20b0"], units: 108, boostMhz: 1410, memory: [5120, 2.43] },
      { card: "A100 PCIe 40GB", ids: ["10de:20f1"], units: 108, boostMhz: 1410, memory: [5120, 2.43] },
      { card: "A100 SXM4 80GB", ids: ["10de:20b2"], units: 108, boostMhz: 1410, memory: [5120, 3.186] },
      { card: "A100 PCIe 80GB", ids: ["10de:20b5"], units: 108, boostMhz: 1410, memory: [5120, 3.024] },
    ],
  },
  {
    source: "NVIDIA Ampere GA102 GPU Architecture whitepaper v2, specifications",
    rates: GA102_AND_ADA,
    models: [
      { card: "RTX A6000", ids: ["10de:2230"], units: 84, boostMhz: 1800, memory: [384, 16] },
      { card: "A40", ids: ["10de:2235"], units: 84, boostMhz: 1740, memory: [384, 14.5] },
    ],
  },
  {
    source: "NVIDIA A10 product brief and datasheet",
    rates: GA102_AND_ADA,
    models: [{ card: "A10", ids: ["10de:2236"], units: 72, boostMhz: 1695, memory: [384, 12.5] }],
  },
  {
    source: "NVIDIA L4 product brief and datasheet",
    rates: GA102_AND_ADA,
    models: [{ card: "L4", ids: ["10de:27b8"], units: 58, boostMhz: 2040, memory: [192, 12.5] }],
  },
  {
    source: "NVIDIA L40S product brief and datasheet",
    rates: GA102_AND_ADA,
    models: [{ card: "L40S", ids: ["10de:26b9"], units: 142, boostMhz: 2520, memory: [384, 18] }],
  },
  {
    source: "NVIDIA H100 whitepaper, comparison of data center GPUs",
    rates: HOPPER,
    models: [
      {
        ...{ card: "H100 SXM5 80GB", ids: ["10de:2330"], units: 132, boostMhz: 1980, matrixBoostMhz: 1830 },
        memory: [5120, 5.238],
      },
      {
        ...{ card: "H100 PCIe", ids: ["10de:2331"], units: 114, boostMhz: 1755, matrixBoostMhz: 1620 },
        memory: [5120, 3.186],
      },
    ],
  },
  {
    source: "NVIDIA H200 datasheet, and the H100 whitepaper for the same chip",
    rates: HOPPER,
    models: [
      {
        ...{ card: "H200 SXM 141GB", ids: ["10de:2335"], units: 132, boostMhz: 1980, matrixBoostMhz: 1830 },
        memory: [6144, 6.25],
      },
    ],
  },
]
