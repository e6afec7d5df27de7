import { expect, test } from "vitest"
import { whyOutdated } from "../../../../src/runtime/bench/report/outdated.ts"
import { type DetectedGpu, UNREPORTED } from "../../../../src/runtime/host/gpu.ts"
import { CARD, sampleReport } from "./sample-report.ts"

function gpu(change: Partial<DetectedGpu> = {}): DetectedGpu {
  return {
    ...{
      ...UNREPORTED,
      index: 0,
      vendor: "nvidia",
      backends: [],
      health: "ok",
      offerable: true,
      reasons: [],
    },
    ...{ uuid: CARD.uuid, pciAddress: CARD.pciAddress, driverVersion: CARD.driver, ...change },
  }
}

test("the machine that was measured is not outdated, wherever its cards are listed", () => {
  expect(whyOutdated(sampleReport(), [gpu()], "6.1.0")).toBeNull()
  expect(whyOutdated(sampleReport(), [gpu({ index: 5, pciAddress: "0000:09:00.0" })], "6.1.0")).toBeNull()
})

test.for<[string, DetectedGpu[], string, RegExp]>([
  ["a card that is gone", [], "6.1.0", /RTX 4090 is not there any more/],
  [
    "a card that has come",
    [gpu(), gpu({ uuid: "GPU-1bd3f2b6-8df5-cb18-6b7c-6c7a10f1d7e9", pciAddress: "0000:02:00.0" })],
    "6.1.0",
    /has come/,
  ],
  ["another driver", [gpu({ driverVersion: "580.1" })], "6.1.0", /driver was 535.86 and is 580.1/],
  ["another kernel", [gpu()], "6.2.0", /kernel was 6.1.0 and is 6.2.0/],
])("%s makes it outdated", ([, gpus, kernel, why]) => {
  expect(whyOutdated(sampleReport(), gpus, kernel)).toMatch(why)
})
