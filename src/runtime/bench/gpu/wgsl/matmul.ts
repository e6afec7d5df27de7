/** How a workgroup shares out its part of the product. */
export interface Tiling {
  /** Rows and columns of the product that one workgroup computes. */
  rows: number
  columns: number
  /** How many columns of the left and rows of the right matrix lie in workgroup memory at a time. */
  depth: number
  /** Rows and columns that one invocation keeps in registers. */
  threadRows: number
  threadColumns: number
}

/** Tried on each card, as no one tiling suits all: the larger needs registers that older cards lack, the smaller moves more bytes. */
export const TILINGS: readonly Tiling[] = [
  { rows: 128, columns: 128, depth: 16, threadRows: 8, threadColumns: 8 },
  { rows: 128, columns: 64, depth: 16, threadRows: 8, threadColumns: 4 },
  { rows: 64, columns: 64, depth: 16, threadRows: 4, threadColumns: 4 },
]

const WIDTH = 4

export function threadsOf({ rows, columns, threadRows, threadColumns }: Tiling): number {
  return (rows / threadRows) * (columns / threadColumns)
}

/**
 * C = A B for square matrices of `size` rows, a multiple of the tiles. A lies transposed, so that both tiles are read along their rows, four
 * elements at a time. Bindings: 0 A transposed, 1 B, 2 C; dispatch `size / columns` by `size / rows` workgroups.
 *
 * While a tile is multiplied, the next one is already on its way from memory to registers. An invocation's rows and columns lie in groups
 * of four spread over the tile, so that neighbours read neighbouring words and meet in no bank of workgroup memory.
 */
export function tiledMatmul(element: "f32" | "f16", size: number, tiling: Tiling): string {
  const { rows, columns, depth } = tiling
  const vec = `vec4<${element}>`
  const line = size / WIDTH
  const threads = threadsOf(tiling)
  const [left, right] = [tileOf("a", rows, threads, depth), tileOf("b", columns, threads, depth)]
  return `${element === "f16" ? "enable f16;" : ""}
@group(0) @binding(0) var<storage, read> a: array<${vec}>;
@group(0) @binding(1) var<storage, read> b: array<${vec}>;
@group(0) @binding(2) var<storage, read_write> c: array<${vec}>;
var<workgroup> aTile: array<${vec}, ${(depth * rows) / WIDTH}>;
var<workgroup> bTile: array<${vec}, ${(depth * columns) / WIDTH}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
  let aFrom = group.y * ${rows / WIDTH}u;
  let bFrom = group.x * ${columns / WIDTH}u;
  let x = id % ${columns / tiling.threadColumns}u;
  let y = id / ${columns / tiling.threadColumns}u;
${accumulators(tiling, vec)}
${left.fetch(line, "0u", "var ")}
${right.fetch(line, "0u", "var ")}
  for (var k = 0u; k < ${size}u; k += ${depth}u) {
${left.keep()}
${right.keep()}
    workgroupBarrier();
    // The last round fetches its own tile again rather than one beyond the end.
    let next = min(k + ${depth}u, ${size - depth}u);
${left.fetch(line, "next", "")}
${right.fetch(line, "next", "")}
    for (var kk = 0u; kk < ${depth}u; kk++) {
${multiply(tiling, vec)}
    }
    workgroupBarrier();
  }
${store(tiling, line)}
}`
}

const counted = (count: number) => Array.from({ length: count }, (_, at) => at)

/** What moves one matrix's tile: each invocation takes every `threads`-th group of four. */
function tileOf(name: string, width: number, threads: number, depth: number) {
  const across = width / WIDTH
  const turns = counted((depth * across) / threads)
  const place = (turn: number) => `(id + ${turn * threads}u)`
  return {
    fetch: (line: number, k: string, declare: string) =>
      turns
        .map(turn => {
          const row = `(${k} + ${place(turn)} / ${across}u)`
          return `    ${declare}${name}Next${turn} = ${name}[${row} * ${line}u + ${name}From + ${place(turn)} % ${across}u];`
        })
        .join("\n"),
    keep: () => turns.map(turn => `    ${name}Tile[${place(turn)}] = ${name}Next${turn};`).join("\n"),
  }
}

function accumulators({ threadRows, threadColumns }: Tiling, vec: string): string {
  return counted(threadRows)
    .flatMap(row => counted(threadColumns / WIDTH).map(part => `  var c${row}_${part} = ${vec}();`))
    .join("\n")
}

function multiply({ rows, columns, threadRows, threadColumns }: Tiling, vec: string): string {
  const [aParts, bParts] = [threadRows / WIDTH, threadColumns / WIDTH]
  const load = (name: string, width: number, parts: number, at: string) =>
    counted(parts).map(
      part =>
        `      let ${name}${part} = ${name}Tile[kk * ${width / WIDTH}u + ${at} + ${(part * width) / WIDTH / parts}u];`,
    )
  const sums = counted(threadRows).flatMap(row =>
    counted(bParts).map(part => {
      const factor = `a${Math.floor(row / WIDTH)}[${row % WIDTH}]`
      return `      c${row}_${part} = fma(${vec}(${factor}), b${part}, c${row}_${part});`
    }),
  )
  return [...load("a", rows, aParts, "y"), ...load("b", columns, bParts, "x"), ...sums].join("\n")
}

function store({ rows, columns, threadRows, threadColumns }: Tiling, line: number): string {
  const [aParts, bParts] = [threadRows / WIDTH, threadColumns / WIDTH]
  return counted(threadRows)
    .flatMap(row =>
      counted(bParts).map(part => {
        const down = `group.y * ${rows}u + ${(Math.floor(row / WIDTH) * rows) / aParts}u + y * ${WIDTH}u + ${row % WIDTH}u`
        const across = `bFrom + ${(part * columns) / WIDTH / bParts}u + x`
        return `  c[(${down}) * ${line}u + ${across}] = c${row}_${part};`
      }),
    )
    .join("\n")
}
