import { expect, test } from "vitest"
import { CardReport } from "../../../src/protocol/capacity-report.ts"
import { measureCards } from "../../../src/runtime/agent/bench-cards.ts"
import { type DetectedGpu, UNREPORTED } from "../../../src/runtime/host/gpu.ts"
import { needSoftwareAdapter } from "../bench/gpu/software-adapter.ts"

function gpu(index: number): DetectedGpu {
  const name = `NVIDIA GeForce RTX ${3060 + index}`
  const card = { ...UNREPORTED, name, pciAddress: `0000:0${index + 1}:00.0`, vramTotalMiB: 12_288.4 }
  return { ...card, index, vendor: "nvidia", backends: [], health: "ok", offerable: true, reasons: [] }
}

test("a card whose driver WebGPU does not see is unmeasured, and no software stands in for it", {
  timeout: 60_000,
}, async context => {
  needSoftwareAdapter(context)
  const gpus = [gpu(0), gpu(1)]
  const { cards, software } = await measureCards(
    { gpus, depth: "full", sysfs: "/nowhere" },
    { signal: AbortSignal.timeout(50_000) },
  )
  expect(software).toEqual([])
  expect(cards.map(({ identity, state, vramMiB }) => [identity, state, vramMiB])).toEqual([
    ["pci:0000:01:00.0", "unmeasured", 12_288],
    ["pci:0000:02:00.0", "unmeasured", 12_288],
  ])
  for (const card of cards) {
    expect(CardReport.parse(card)).toEqual(card)
    expect(card.figures).toEqual([])
    expect(card.unmeasured.find(({ name }) => name === "matmul-fp32")?.reason).toMatch(
      /sees no card of nvidia/,
    )
  }
})
