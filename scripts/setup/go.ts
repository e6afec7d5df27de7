import { hasProgram, installPackages } from "./packages.ts"
import { step } from "./step.ts"

/**
 * Go and its checksum database's packages, which check our ledger as strangers. In CI they are installed where that is possible; elsewhere
 * nobody's machine is changed, and the test says what it lacks.
 */
export async function prepareGo(): Promise<void> {
  if (!process.env.CI || (await hasProgram("go"))) return
  await step("Go, for the tests", async say => {
    say("installing it from the system's packages")
    await installPackages("golang-go", "golang-golang-x-mod-dev")
  })
}
