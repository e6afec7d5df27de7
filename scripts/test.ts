// Everything that has to hold, from a clean clone: set-up, lint, types, package, then the tests against a real engine.
import { execa } from "execa"
import { prepareBrowser } from "./setup/browser.ts"
import { prepareEngine, stopEngine } from "./setup/engine.ts"
import { prepareGo } from "./setup/go.ts"
import { prepareImages } from "./setup/images.ts"
import { tellFaults } from "./setup/tell.ts"

/** True when it went well; what went wrong, the program has said itself. */
async function ran(program: string, ...args: string[]): Promise<boolean> {
  const { exitCode = 1 } = await execa(program, args, { stdio: "inherit", preferLocal: true, reject: false })
  process.exitCode = exitCode
  return exitCode === 0
}

await tellFaults(async () => {
  if (!(await ran("npm", "run", "--silent", "build"))) return
  if (!(await ran("npm", "run", "--silent", "check"))) return
  const engine = await prepareEngine()
  try {
    await prepareImages()
    await prepareBrowser()
    await prepareGo()
    await ran("vitest", "run", "--coverage", ...process.argv.slice(2))
  } finally {
    await stopEngine(engine)
  }
})
