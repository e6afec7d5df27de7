import { fileURLToPath } from "node:url"
import { execa } from "execa"
import { expect, test } from "vitest"
import { needSoftwareAdapter } from "./software-adapter.ts"

const LIMIT_MS = 100_000
const CHILD = fileURLToPath(new URL("./kernel-child.ts", import.meta.url))

async function run(what: "compile" | "subgroups"): Promise<unknown> {
  const { stdout } = await execa(process.execPath, [CHILD, what], { timeout: LIMIT_MS })
  return JSON.parse(stdout)
}

test("the compiler takes the kernels for 16-bit floats and for matrix units without a word", {
  timeout: LIMIT_MS,
}, async () => {
  expect(await run("compile")).toEqual([])
})

test("the kernel for matrix units multiplies right, whatever shape they have", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  expect(await run("subgroups")).toEqual([null, null])
})
