import type { CapacityReport } from "../../../../src/protocol/capacity-report.ts"
import type { Measurement } from "../../../../src/protocol/measurement.ts"

export function figure(name: string, median: number, change: Partial<Measurement> = {}): Measurement {
  const quartiles = { lowerQuartile: median * 0.99, upperQuartile: median * 1.01 }
  return { name, unit: "FLOP/s", median, ...quartiles, repeats: 11, clock: "gpu", ...change }
}

type Card = CapacityReport["cards"][number]

export const CARD: Card = {
  ...{
    identity: "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9",
    vendor: "nvidia",
    name: "NVIDIA GeForce RTX 4090",
  },
  ...{
    uuid: "GPU-0ad3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9",
    pciAddress: "0000:01:00.0",
    pciId: "10de:2684",
    pciRevision: null,
    vramMiB: 24_564,
    driver: "535.86",
  },
  ...{ adapter: null, state: "sound", figures: [figure("matmul-fp32", 50e12)], together: [], unmeasured: [] },
  ...{ soundness: [], faults: [], timeline: [] },
}

/** A report of one card that is well. */
export function sampleReport(change: Partial<CapacityReport> = {}): CapacityReport {
  return {
    ...{ depth: "quick", parts: ["gpus", "host", "network", "work"], agent: "zg-agent/0.0.0" },
    ...{ startedOn: "2026-01-01T00:00:00.000Z", finishedOn: "2026-01-01T00:01:00.000Z" },
    host: {
      ...{ platform: "linux x64", kernel: "6.1.0", cpu: "A processor", physicalCores: 2, logicalCores: 4 },
      ...{ instructionSets: ["avx2"], memoryMiB: 8192, figures: [], unmeasured: [] },
    },
    ...{ cards: [CARD], software: [], work: null, jail: null },
    ...change,
  }
}
