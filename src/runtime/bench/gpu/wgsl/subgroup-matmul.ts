/** A multiplication that subgroups do as one, as an adapter offers it. */
export interface MatrixShape {
  m: number
  n: number
  k: number
  result: "f16" | "f32"
}

/** Each of these takes a quarter of a workgroup's part of the product. */
const SUBGROUPS = 4
/** So many results along each side does a subgroup keep at most: more do not fit into registers. */
const RESULTS = 4
/** Rows and columns of the product for a subgroup, where its results suffice. */
const SPAN = 64
/** Columns of A and rows of B that lie in workgroup memory at a time. */
const DEPTH = 32

/** How a product of `size` rows is shared out; null for shapes that do not fit into it. */
export function layoutFor({ m, n, k }: MatrixShape) {
  const [down, across] = [Math.min(RESULTS, SPAN / m), Math.min(RESULTS, SPAN / n)]
  const fits = [down, across, DEPTH / k].every(part => Number.isInteger(part) && part >= 1)
  return fits ? { down, across, rows: 2 * down * m, columns: 2 * across * n } : null
}

/**
 * C = A B with f16 operands for square matrices of `size` rows, by what WebGPU calls subgroup matrices (tensor cores). Both matrices lie row
 * by row. Bindings: 0 A, 1 B, 2 C; dispatch `size / columns` by `size / rows` workgroups.
 * @param widest the largest size of a subgroup; where subgroups are smaller, there are more of them and some have nothing to do.
 * @throws TypeError for a shape without {@link layoutFor | layout}.
 */
export function subgroupMatmul(shape: MatrixShape, size: number, widest: number): string {
  const layout = layoutFor(shape)
  if (layout === null) throw new TypeError("a shape that fits")
  const { rows, columns } = layout
  const threads = SUBGROUPS * widest
  return `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
diagnostic(off, subgroup_uniformity);
alias Left = subgroup_matrix_left<f16, ${shape.k}, ${shape.m}>;
alias Right = subgroup_matrix_right<f16, ${shape.n}, ${shape.k}>;
alias Result = subgroup_matrix_result<${shape.result}, ${shape.n}, ${shape.m}>;
@group(0) @binding(0) var<storage, read> a: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read_write> c: array<${shape.result}>;
var<workgroup> aTile: array<f16, ${rows * DEPTH}>;
var<workgroup> bTile: array<f16, ${DEPTH * columns}>;

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let row = group.y * ${rows}u;
  let column = group.x * ${columns}u;
${results(layout, at => `  var c${at} = Result();`)}
  for (var k = 0u; k < ${size}u; k += ${DEPTH}u) {
${fill("aTile", "a", DEPTH, rows * DEPTH, threads, (down, across) => `(row + ${down}) * ${size / 4}u + k / 4u + ${across}`)}
${fill("bTile", "b", columns, DEPTH * columns, threads, (down, across) => `(k + ${down}) * ${size / 4}u + column / 4u + ${across}`)}
    workgroupBarrier();
    if (subgroup < ${SUBGROUPS}u) {
${multiply(shape, layout)}
    }
    workgroupBarrier();
  }
  if (subgroup < ${SUBGROUPS}u) {
${results(layout, (at, down, across) => {
  const place = `(row + (subgroup / 2u) * ${rows / 2}u + ${down * shape.m}u) * ${size}u + column + (subgroup % 2u) * ${columns / 2}u + ${across * shape.n}u`
  return `    subgroupMatrixStore<row_major>(&c, ${place}, c${at}, ${size}u);`
})}
  }
}`
}

type Layout = NonNullable<ReturnType<typeof layoutFor>>

const counted = (count: number) => Array.from({ length: count }, (_, at) => at)

function results(
  { down, across }: Layout,
  line: (at: string, down: number, across: number) => string,
): string {
  return counted(down)
    .flatMap(row => counted(across).map(column => line(`${row}_${column}`, row, column)))
    .join("\n")
}

/** Four elements at a time go from memory to a tile that lies row by row. */
function fill(
  tile: string,
  matrix: string,
  width: number,
  count: number,
  threads: number,
  place: (down: string, across: string) => string,
): string {
  return `    for (var at = id; at < ${count / 4}u; at += ${threads}u) {
      let four = ${matrix}[${place(`at / ${width / 4}u`, `at % ${width / 4}u`)}];
      for (var part = 0u; part < 4u; part++) { ${tile}[4u * at + part] = four[part]; }
    }`
}

function multiply({ m, n, k }: MatrixShape, layout: Layout): string {
  const { down, across, rows, columns } = layout
  const aAt = (at: number) => `((subgroup / 2u) * ${rows / 2}u + ${at * m}u) * ${DEPTH}u + kk`
  const bAt = (at: number) => `kk * ${columns}u + (subgroup % 2u) * ${columns / 2}u + ${at * n}u`
  const lines = [
    ...counted(down).map(
      at => `let a${at} = subgroupMatrixLoad<Left, row_major>(&aTile, ${aAt(at)}, ${DEPTH}u);`,
    ),
    ...counted(across).map(
      at => `let b${at} = subgroupMatrixLoad<Right, row_major>(&bTile, ${bAt(at)}, ${columns}u);`,
    ),
    results(
      layout,
      (at, row, column) => `c${at} = subgroupMatrixMultiplyAccumulate(a${row}, b${column}, c${at});`,
    ),
  ]
  return `      for (var kk = 0u; kk < ${DEPTH}u; kk += ${k}u) {\n${lines.join("\n")}\n      }`
}
