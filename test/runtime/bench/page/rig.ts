import type { CapacityReport, CardReport, Moment } from "../../../../src/protocol/capacity-report.ts"
import type { ThrottleReason } from "../../../../src/protocol/throttle.ts"
import { CARD, figure, sampleReport } from "../report/sample-report.ts"

const ADAPTER = {
  ...{ vendor: "nvidia", architecture: "lovelace", device: "NVIDIA GeForce RTX 4090", isSoftware: false },
  description: "NVIDIA: 570.86.16 570.86.16.0",
}

const NOTHING_WRONG = { seconds: 10.2, errors: 0, range: null }

/** A card among others; its figures are so much of a good one's. */
function card(at: number, share = 1, change: Partial<CardReport> = {}): CardReport {
  const bus = `0000:${(at + 1).toString(16).padStart(2, "0")}:00.0`
  const identity = `GPU-0ad3f2b${at}-8df5-cb18-6b7c-6c7a10f1d7e9`
  const [flops, bytes] = [share * (1 - 0.004 * at), share * (1 - 0.002 * at)]
  return {
    ...CARD,
    ...{ pciId: "10de:2684", pciRevision: "a1" },
    ...{ identity, uuid: identity, pciAddress: bus, driver: "570.86.16", adapter: ADAPTER },
    figures: [
      figure("matmul-fp32", 42.6e12 * flops),
      figure("matmul-fp16", 46.1e12 * flops),
      figure("matmul-subgroup-f16", 141e12 * flops),
      figure("memory-copy", 887e9 * bytes, { unit: "B/s" }),
      figure("memory-triad", 902e9 * bytes, { unit: "B/s" }),
      figure("host-to-device", 6.1e9, { unit: "B/s", clock: "host" }),
      figure("device-to-host", 5.8e9, { unit: "B/s", clock: "host" }),
    ],
    together: [
      figure("matmul-fp32", 40.9e12 * flops),
      figure("memory-copy", 871e9 * bytes, { unit: "B/s" }),
      figure("host-to-device", 2.2e9, {
        ...{ unit: "B/s", clock: "host", lowerQuartile: 1.6e9, upperQuartile: 2.9e9 },
      }),
      figure("device-to-host", 2.4e9, { unit: "B/s", clock: "host" }),
    ],
    soundness: [
      { ...NOTHING_WRONG, test: "vram-patterns", checked: 23_654 * 2 ** 20 },
      { ...NOTHING_WRONG, test: "repeated-kernel", checked: 18_432 },
    ],
    timeline: run(30, flops * 42e12),
    ...change,
  }
}

/** A long run; from a second on the card is too hot. */
function run(seconds: number, flops: number, hotFrom = Number.POSITIVE_INFINITY): Moment[] {
  return Array.from({ length: seconds }, (_, at) => {
    const isHot = at >= hotFrom
    const kept = isHot ? 0.78 + 0.01 * Math.cos(at) : 1 - 0.002 * at
    const throttle: ThrottleReason[] = [...(at > 3 ? (["power"] as const) : [])]
    if (isHot && at % 7 !== 0) throttle.push("thermal")
    return {
      ...{ second: at + 1, flops: flops * kept, coreMhz: 2730 * kept, memoryMhz: 10_501, fanPct: 80 },
      temperatureC: Math.min(isHot ? 89 : 84, 41 + 46 * (1 - Math.exp(-at / 6))),
      ...{ powerW: 445 * kept + 3 * Math.sin(at), throttle },
    }
  })
}

const WRONG =
  "This card computes or remembers wrongly (vram-patterns): 12 words are wrong of 24803016704 bytes, between bytes 8589934592 and 8589938688."
const MEND =
  "Take back overclocking and undervolting, look at its cooling and its power cables, and measure again; leave it out of `--gpus` until it is sound."

/** Eight cards: one is weak and hot, one degraded, one unmeasured. */
export function rig(change: Partial<CapacityReport> = {}): CapacityReport {
  const bytes = (name: string, value: number) => figure(name, value, { unit: "B/s", clock: "host" })
  const seen = "Its device files could not be told from those of the other cards."
  const names = ["matmul-fp32", "matmul-fp16", "matmul-subgroup-f16", "memory-copy", "memory-triad", "vram"]
  return sampleReport({
    ...{ depth: "standard", agent: "zg-agent/0.1.0" },
    ...{ startedOn: "2026-03-01T09:12:44.000Z", finishedOn: "2026-03-01T09:31:02.000Z" },
    host: {
      ...{ platform: "linux x64", kernel: "6.12.9-amd64", cpu: "AMD EPYC 7443P 24-Core Processor" },
      ...{ physicalCores: 24, logicalCores: 48, instructionSets: ["avx2"], memoryMiB: 64_214 },
      figures: [
        figure("cpu-matmul-fp32-wasm-one-core", 38e9, { clock: "host" }),
        figure("cpu-matmul-fp32-wasm-all-cores", 812e9, { clock: "host" }),
        bytes("cpu-sha256-one-core", 1.9e9),
        bytes("cpu-sha256-all-cores", 44e9),
        bytes("memory-copy-one-thread", 13e9),
        bytes("memory-copy-all-threads", 118e9),
        bytes("memory-triad-one-thread", 19e9),
        bytes("memory-triad-all-threads", 131e9),
        bytes("disk-write-sequential", 1.1e9),
        bytes("disk-read-sequential", 3.2e9),
        figure("disk-read-4k-random", 48_200, { unit: "op/s", clock: "host" }),
        figure("disk-write-4k-random", 31_400, { unit: "op/s", clock: "host" }),
        figure("market-round-trip", 0.0234, { unit: "s", clock: "host" }),
      ],
      unmeasured: [
        { name: "market-up", reason: "The marketplace did not take part: it is full." },
        { name: "market-down", reason: "The marketplace did not take part: it is full." },
      ],
    },
    cards: [
      card(0),
      card(1),
      card(2, 0.78, { timeline: run(30, 42e12, 14) }),
      card(3),
      card(4, 1, {
        state: "degraded",
        soundness: [
          {
            ...{ test: "vram-patterns", checked: 23_654 * 2 ** 20, seconds: 10.1, errors: 12 },
            range: [8_589_934_592, 8_589_938_688],
          },
          { ...NOTHING_WRONG, test: "repeated-kernel", checked: 18_240 },
        ],
        faults: [{ code: "gpu-unsound", message: WRONG, hint: MEND }],
      }),
      card(5),
      card(6, 1, {
        ...{ state: "unmeasured", adapter: null, figures: [], together: [], soundness: [], timeline: [] },
        unmeasured: names.map(name => ({ name, reason: seen })),
      }),
      card(7),
    ],
    work: {
      ...{ device: "cuda", engine: "docker 27.5.1", isolation: "runc" },
      figures: [
        figure("trainer-25m", 183_000, { unit: "tokens/s", clock: "host" }),
        figure("trainer-25m-energy", 512, { unit: "tokens/J", clock: "host", repeats: 1 }),
      ],
      unmeasured: [],
    },
    jail: { passed: true, testedOn: "2026-02-27T18:03:10.000Z", engine: "docker", runtime: "runc" },
    ...change,
  })
}

/** The same rig some weeks before, when its third card was as good as the others. */
export function rigBefore(): CapacityReport {
  const { cards, ...rest } = rig({ startedOn: "2026-02-01T08:00:00.000Z" })
  return { ...rest, cards: cards.map((one, at) => (at === 2 ? card(2) : one)) }
}
