import fc from "fast-check"
import { expect, test } from "vitest"
import { DetectedGpu, GpuProblem } from "../../../../src/runtime/host/gpu.ts"
import { parseListing, parseTable } from "../../../../src/runtime/host/nvidia/listing.ts"
import { parseNvidiaSmi } from "../../../../src/runtime/host/nvidia/parse.ts"
import { recorded, recordings } from "./recorded.ts"

function wellFormed(output: string) {
  const { gpus, problems } = parseNvidiaSmi(output)
  for (const gpu of gpus) DetectedGpu.parse(gpu)
  for (const problem of problems) GpuProblem.parse(problem)
  expect(new Set(gpus.map(({ index }) => index)).size).toBe(gpus.length)
  expect(gpus.length + problems.length).toBeGreaterThan(0)
  return { gpus, problems }
}

/** A card's readings by name, without what is concluded from them. */
function readings({
  index,
  health,
  offerable,
  reasons,
  backends,
  mig,
  clocksMhz,
  pcie,
  ...rest
}: DetectedGpu) {
  return { ...rest, core: clocksMhz.core, memory: clocksMhz.memory, ...pcie }
}

test("any text gives cards or problems that keep the schema", () => {
  const tags = [
    "<gpu>",
    '<gpu id="00000000:01:00.0">',
    "</gpu>",
    "<mig_device>",
    "<!--",
    "<![CDATA[",
    "<a",
    "<?",
    "\n",
  ]
  const pieces = fc.oneof(
    fc.constantFrom(...tags),
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "<__proto__>1</__proto__>",
      "<pci>",
      "<fan_speed>3 %</fan_speed>",
      "Unable to x GPU1: lost",
    ),
  )
  fc.assert(
    fc.property(fc.array(pieces), parts => void wellFormed(parts.join(""))),
    { numRuns: 500 },
  )
})

test("the tables of cards take any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), text => {
      parseListing(text)
      parseTable(text)
      parseTable(`0, GPU-1, 00000000:01:00.0, ${text}, 8.6`)
    }),
  )
})

test("records with bytes changed, lost and added keep the schema", () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(40),
    put: fc.string({ maxLength: 9 }),
  })
  fc.assert(
    fc.property(fc.constantFrom(...recordings()), fc.array(edit, { maxLength: 6 }), (file, edits) => {
      const changed = edits.reduce((text, { at, cut, put }) => {
        const start = Math.floor(at * text.length)
        return text.slice(0, start) + put + text.slice(start + cut)
      }, recorded(file))
      wellFormed(changed)
    }),
    { numRuns: 300 },
  )
})

/** A line that opens an element inside a card, holds one whole, or closes one. */
const WHOLE_ELEMENT = /^\t{2,}<([a-z_0-9]+)>(?:[^<]*<\/\1>$|\n[\s\S]*?^\t{2,}<\/\1>$)/gm

test("dropping elements never invents a value", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...recordings()),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (file, dice, share) => {
        const output = recorded(file)
        const thinned = output.replace(/^\t{2,}<([a-z_0-9]+)>[^<\n]*<\/\1>\n/gm, line =>
          (dice.next().value ?? 1) < share ? "" : line,
        )
        const emptied = thinned.replace(WHOLE_ELEMENT, element =>
          (dice.next().value ?? 1) < share / 4 ? "" : element,
        )
        const full = parseNvidiaSmi(output).gpus
        const less = wellFormed(emptied).gpus
        expect(less).toHaveLength(full.length)
        for (const [position, gpu] of less.entries()) {
          const whole = full[position]
          if (!whole) throw new Error("a card was invented")
          const said = readings(whole) as Record<string, unknown>
          for (const [name, value] of Object.entries(readings(gpu))) {
            // Several elements tell the draw and the limit: with one gone, the next one speaks, and is no invention.
            const others = name === "powerDrawW" || name === "powerLimitW" ? watts(output) : [said[name]]
            expect([null, said[name], ...others], `${file} ${name}`).toContain(value)
          }
          for (const slice of gpu.mig ?? []) {
            expect([null, ...(whole.mig ?? []).map(({ vramTotalMiB }) => vramTotalMiB)]).toContain(
              slice.vramTotalMiB,
            )
          }
        }
      },
    ),
    { numRuns: 400 },
  )
})

function watts(output: string): number[] {
  return [...output.matchAll(/>\s*([\d.]+) W\s*</g)].map(match => Number(match[1]))
}

test.each(["rig-one-lost-515.xml", "h100-mig-550.xml", "p106-100-390.xml"])(
  "%s cut anywhere: the cards before the cut stay, and the cut one tells no half value",
  file => {
    const output = recorded(file)
    const full = parseNvidiaSmi(output).gpus
    for (let length = 0; length <= output.length; length += 7) {
      const cut = output.slice(0, length)
      const { gpus } = wellFormed(cut)
      const closed = cut.split("</gpu>").length - 1
      const whole = gpus.filter(gpu => !gpu.reasons.some(reason => reason.startsWith("nvidia-smi broke off")))
      const before = full.filter(({ uuid }) => uuid !== null).slice(0, closed)
      expect(whole.filter(({ uuid }) => uuid !== null).map(readings)).toEqual(before.map(readings))
      for (const half of gpus.filter(gpu => !whole.includes(gpu))) {
        const same = full.find(({ pciAddress }) => pciAddress === half.pciAddress)
        expect(half).toMatchObject({ health: "degraded", offerable: false })
        for (const [name, value] of Object.entries(readings(half))) {
          expect([null, same && readings(same)[name as "name"]], name).toContain(value)
        }
      }
    }
  },
)

test("lines before, between and behind the cards take none of them", () => {
  const output = recorded("rig-one-lost-515.xml")
  const noisy = output
    .replace("<?xml", "WARNING: infoROM is corrupted at gpu 0000:02:00.0\n<?xml")
    .replaceAll(
      "</gpu>",
      "</gpu>\nUnable to determine the device handle for GPU3: 0000:04:00.0: Unknown Error\n",
    )
  const { gpus, problems } = parseNvidiaSmi(noisy)
  expect(problems).toEqual([])
  expect(gpus.map(({ health }) => health)).toEqual(["ok", "degraded", "ok", "lost", "ok", "ok", "ok", "ok"])
  expect(gpus[1]).toMatchObject({ offerable: true, vramTotalMiB: 7982 })
})

test("programs' names cannot end or forge a card", () => {
  const output = recorded("rtx-4090-535.xml")
  const forged = output.replace(
    /<processes>[\s\S]*?<\/processes>/,
    "<processes><process_info><process_name>a & b </gpu><gpu><uuid>x</uuid> <</process_name></process_info></processes>",
  )
  expect(parseNvidiaSmi(forged).gpus).toEqual(parseNvidiaSmi(output).gpus)
})
