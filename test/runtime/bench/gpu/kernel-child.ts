// A process of its own, as Dawn lives as long as its process. `compile`: has Dawn's compiler take every kernel, with no card at all. `subgroups`:
// multiplies by the kernel for matrix units on a card without them, each subgroup played by one invocation and f16 by f32.
import { create, globals } from "webgpu"
import { type FoundAdapter, listAdapters, openCard } from "../../../../src/runtime/bench/gpu/adapters.ts"
import { bySubgroups, prepareMatmul } from "../../../../src/runtime/bench/gpu/matmul.ts"
import { TILINGS, tiledMatmul } from "../../../../src/runtime/bench/gpu/wgsl/matmul.ts"
import { subgroupMatmul } from "../../../../src/runtime/bench/gpu/wgsl/subgroup-matmul.ts"

/** Those of NVIDIA's, Apple's, Intel's and AMD's units. */
const SHAPES = [
  { m: 16, n: 16, k: 16, result: "f32" },
  { m: 16, n: 8, k: 16, result: "f16" },
  { m: 8, n: 8, k: 8, result: "f32" },
  { m: 8, n: 16, k: 16, result: "f32" },
] as const

/** All different, so that no two can be taken for each other; and small, as one invocation plays a whole subgroup. */
const PLAYED = [
  { m: 2, n: 4, k: 8, result: "f32" },
  { m: 4, n: 2, k: 1, result: "f32" },
] as const

async function compile(): Promise<string[]> {
  const gpu = create(["enable-dawn-features=allow_unsafe_apis", "backend=null"])
  const adapter = await gpu.requestAdapter()
  const requiredFeatures = [
    "shader-f16",
    "subgroups",
    "chromium-experimental-subgroup-matrix",
  ] as GPUFeatureName[]
  const device = await adapter?.requestDevice({ requiredFeatures })
  if (device === undefined) throw new TypeError("Dawn's compiler without a card")
  const codes = [
    ...TILINGS.map(tiling => tiledMatmul("f16", 1024, tiling)),
    ...SHAPES.map(shape => subgroupMatmul(shape, 1024, 32)),
  ]
  const found = codes.map(async code => {
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo()
    return messages.map(({ message, lineNum }) => `${lineNum}: ${message}`)
  })
  return (await Promise.all(found)).flat()
}

/** What the extension's functions are defined to do, done by one invocation over arrays that lie row by row. */
function played(code: string, { m, n, k }: (typeof PLAYED)[number]): string {
  const load = (type: string, tile: string, rows: number, columns: number) => `
fn load${type}(offset: u32, stride: u32) -> ${type} {
  var all: ${type};
  for (var at = 0u; at < ${rows * columns}u; at++) { all[at] = ${tile}[offset + (at / ${columns}u) * stride + at % ${columns}u]; }
  return all;
}`
  const functions = `${load("Left", "aTile", m, k)}${load("Right", "bTile", k, n)}
fn multiplied(left: Left, right: Right, sums: Result) -> Result {
  var all = sums;
  for (var at = 0u; at < ${m * n}u; at++) {
    for (var inner = 0u; inner < ${k}u; inner++) { all[at] += left[(at / ${n}u) * ${k}u + inner] * right[inner * ${n}u + at % ${n}u]; }
  }
  return all;
}
fn store(offset: u32, all: Result, stride: u32) {
  for (var at = 0u; at < ${m * n}u; at++) { c[offset + (at / ${n}u) * stride + at % ${n}u] = all[at]; }
}`
  const body = code
    .replaceAll(/^(?:enable|diagnostic).*;$/gm, "")
    .replaceAll("f16", "f32")
    .replace(/subgroup_matrix_left<f32, \d+, \d+>/, `array<f32, ${m * k}>`)
    .replace(/subgroup_matrix_right<f32, \d+, \d+>/, `array<f32, ${k * n}>`)
    .replace(/subgroup_matrix_result<f32, \d+, \d+>/, `array<f32, ${m * n}>`)
    .replace("@builtin(subgroup_id) subgroup: u32,", "")
    .replace(/\) \{\n {2}let row/, ") {\n  let subgroup = id;\n  let row")
    .replaceAll(/subgroupMatrixLoad<(\w+), row_major>\(&\w+, /g, "load$1(")
    .replaceAll("subgroupMatrixMultiplyAccumulate", "multiplied")
    .replaceAll(/subgroupMatrixStore<row_major>\(&c, /g, "store(")
  return body + functions
}

async function multiplyBySubgroups(): Promise<(string | null)[]> {
  Object.assign(globalThis, globals)
  const [found] = (await listAdapters()) as [FoundAdapter]
  const card = await openCard(found, null)
  const troubles: (string | null)[] = []
  for (const shape of PLAYED) {
    const { m: M, n: N, k: K, result } = shape
    const config = { componentType: "f16", resultComponentType: result, M, N, K }
    const method = bySubgroups({ ...card, shapes: [config], widestSubgroup: 1 })
    if (method === null) throw new TypeError("a shape that fits")
    const playing = {
      ...method,
      ...({ element: "f32", result: "f32" } as const),
      candidates: (size: number) =>
        method.candidates(size).map(one => ({ ...one, code: played(one.code, shape) })),
    }
    using exercise = await prepareMatmul(card, playing, 64)
    troubles.push(await exercise.check())
  }
  return troubles
}

const [, , what] = process.argv
process.stdout.write(JSON.stringify(what === "compile" ? await compile() : await multiplyBySubgroups()))
process.exit()
