import { execa } from "execa"
import { expect, test } from "vitest"
import { TRAINER } from "../../scripts/setup/images.ts"

test("the trainer's own tests pass inside its image, in the sandbox", { timeout: 600_000 }, async () => {
  const { exitCode, all } = await execa("test/trainer/run.sh", [TRAINER], { reject: false, all: true })
  expect(exitCode, all).toBe(0)
  expect(all).toMatch(/Ran \d+ tests/)
})
